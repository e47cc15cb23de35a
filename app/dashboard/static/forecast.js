// What comes next, with its intervals; beside what came, where the newest steps are held out; and what would, were the future another.

import { ask } from "./api.js";
import { axisOf, chart, joined, seconds } from "./chart.js";
import { field, h, replace, table } from "./dom.js";

const HISTORY = 3;
const MOST_STEPS = 10_000;
const LEVELS = [80, 95];
const BOUNDS = { 80: ["0.1", "0.9"], 95: ["0.025", "0.975"] };

/** The columns that a model wants to know ahead. */
export const futureColumns = (model) => Object.values(model.architecture.inputs ?? {}).filter((one) => one.known === "future").flatMap((one) => one.columns ?? []);

/** A series as far back as a picture of its forecast goes. */
export function tailOf(model, unique, signal, steps = HISTORY * Math.max(model.context, model.horizon) + 2 * model.horizon) {
  const last = Math.min(MOST_STEPS, steps);
  return ask(`/v1/datasets/${model.dataset}/series/${encodeURIComponent(unique)}/points?last=${last}&max_points=${MOST_STEPS}`, { signal });
}

/** The forecasts of a model's own series, with all controls. */
export async function showForecast(place, model, { options, setOption, signal }) {
  const said = h("p", { class: "error", role: "alert" });
  const [figure, told, supposed] = [h("div", {}), h("div", { "data-part": "inside" }), h("div", {})];
  const held = h("input", { type: "checkbox", name: "actuals", checked: options.get("actuals") === "1" });
  const find = h("input", { name: "series", list: "series-names", value: options.get("series") ?? "" });
  const datalist = h("datalist", { id: "series-names" });
  const future = { columns: futureColumns(model), values: null };
  const show = async () => {
    said.textContent = "";
    setOption("series", find.value);
    setOption("actuals", held.checked);
    setOption("future", future.values ? JSON.stringify(future.values) : null);
    const held_out = held.checked ? model.horizon : 0;
    try {
      const request = { unique_ids: [find.value], levels: LEVELS, ...(held_out ? { held_out } : {}) };
      const points = await tailOf(model, find.value, signal);
      const [base, other] = await Promise.all([asked(model, request, signal), future.values ? asked(model, { ...request, future: { [find.value]: future.values } }, signal) : null]);
      const shown = [base, other].filter((one) => one?.forecast);
      if (base.error && !other?.forecast) said.textContent = base.error + (future.columns.length ? " Say under “What if” what will be." : "");
      else if (other?.error) said.textContent = other.error;
      replace(figure, shown.length ? picture(find.value, points, shown.at(0).forecast, shown.at(1)?.forecast) : null);
      replace(told, shown.length && held.checked ? inside(points, shown.at(-1).forecast) : null);
      if (future.columns.length) replace(supposed, whatIf(model, future, points, shown[0]?.forecast, held_out, show));
    } catch (error) {
      if (!signal.aborted) said.textContent = error.message;
    }
  };
  const names = (await ask(`/v1/datasets/${model.dataset}/series?limit=100`, { signal })).data.map((one) => one.unique_id);
  find.value ||= names[0];
  replace(datalist, names.map((value) => h("option", { value })));
  if (future.columns.length && options.get("future")) future.values = JSON.parse(options.get("future"));
  held.addEventListener("change", () => { future.values = null; show(); });
  replace(place, figure, told, said, h("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); future.values = null; show(); } },
    field("Series", find), datalist, h("button", { type: "submit" }, "Forecast"),
    h("label", { class: "check" }, held, " From before the last steps, beside what came")), supposed);
  await show();
}

async function asked(model, json, signal) {
  try {
    const answer = await ask(`/v1/models/${model.id}/forecasts`, { method: "POST", json, signal });
    return { forecast: answer.forecasts[0] };
  } catch (error) {
    if (signal.aborted || error.status !== 422) throw error;
    return { error: error.message };
  }
}

/** History, forecast with its bands, what came, and what would come. */
export function picture(unique, points, made, other = null) {
  const ahead = made.timestamps.map(seconds);
  const at = points.timestamps.map(seconds);
  const before = at.filter((moment) => moment < ahead[0]).length;
  const past = { x: at.slice(0, before), y: points.values.y.slice(0, before) };
  const levels = ["0.975", "0.9", "0.1", "0.025"].filter((level) => made.quantiles[level]);
  const lines = [{ x: ahead, y: made.mean }, past, ...levels.map((level) => ({ x: ahead, y: made.quantiles[level] }))];
  const series = [{ label: "forecast", colour: "--c2", width: 2.2 }, { label: "history", colour: "--c1" }, ...levels.map((label) => ({ label, width: 0.6, colour: "--c2" }))];
  const came = points.values.y.slice(before);
  if (came.some((value) => value !== null)) {
    lines.push({ x: at.slice(before), y: came });
    series.push({ label: "what came", colour: "--c3", dash: [5, 4] });
  }
  if (other) {
    lines.push({ x: other.timestamps.map(seconds), y: other.mean });
    series.push({ label: "what if", colour: "--c4", width: 2.2 });
  }
  const plot = chart({ name: `forecast of ${unique}`, ...axisOf(made.timestamps), series,
    bands: levels.length === 4 ? [[2, 5], [3, 4]] : levels.length === 2 ? [[2, 3]] : [] });
  plot.element.dataset.bands = String(levels.length / 2);
  plot.setData(joined(lines), made.mean.length);
  return plot.element;
}

/** How many of the values that came lie in each interval. */
function inside(points, made) {
  const came = new Map(points.timestamps.map((at, row) => [at, points.values.y[row]]));
  const rows = made.timestamps.map((at, step) => [came.get(at), step]).filter(([value]) => value !== null && value !== undefined);
  const parts = LEVELS.map((level) => {
    const [low, high] = BOUNDS[level].map((bound) => made.quantiles[bound]);
    const hits = rows.filter(([value, step]) => low[step] <= value && value <= high[step]).length;
    return `${hits} lie in the interval of ${level} %`;
  });
  return h("p", {}, `Of ${rows.length} values that came, ${parts.join(", and ")}.`);
}

/** A form for the columns that are known ahead: as the data has them, or the newest values once more where it has none. */
function whatIf(model, future, points, made, heldOut, show) {
  const observed = points.values.y.findLastIndex((value) => value !== null) + 1 - heldOut;
  const known = (name) => (points.values[name] ?? []).slice(observed, observed + model.horizon);
  const proposed = (name) => {
    const there = known(name);
    return there.length === model.horizon && there.every((value) => value !== null) ? there : (points.values[name] ?? []).slice(observed - model.horizon, observed);
  };
  const areas = future.columns.map((name) => [name, h("textarea", { rows: "2", class: "values", "aria-label": `Values of ${name}`, spellcheck: "false",
    value: (future.values?.[name] ?? proposed(name)).map((value) => (value === null ? "null" : Number(value.toPrecision(6)))).join(" ") })]);
  const numbersOf = (text) => text.trim().split(/[\s;]+/).map((word) => (word === "null" ? null : Number(word)));
  const said = h("p", { class: "error", role: "alert" });
  const change = (area, edit) => () => { area.value = numbersOf(area.value).map((value) => (value === null ? "null" : Number(edit(value).toPrecision(6)))).join(" "); };
  const submit = (event) => {
    event.preventDefault();
    const values = Object.fromEntries(areas.map(([name, area]) => [name, numbersOf(area.value)]));
    const wrong = Object.entries(values).find(([, own]) => own.length < model.horizon || own.some(Number.isNaN));
    if (wrong) {
      said.textContent = `${wrong[0]}: ${model.horizon} numbers are wanted, with spaces between.`;
      return;
    }
    future.values = values;
    show();
  };
  return h("form", { onsubmit: submit, "data-part": "whatif" }, h("h3", {}, "What if"),
    table("Columns that are known ahead", ["Column", `The next ${model.horizon} values`, "Change"], areas.map(([name, area]) => [name, area,
      h("span", { class: "small buttons" }, h("button", { type: "button", onclick: change(area, (value) => value * 1.1) }, "+10 %"),
        h("button", { type: "button", onclick: change(area, (value) => value * 0.9) }, "−10 %"))])),
    h("div", { class: "bar" }, h("button", { type: "submit" }, "Forecast with these"), future.values ? h("button", { type: "button", onclick: () => { future.values = null; show(); } }, "As it is known") : null), said,
    future.values && made ? h("p", { class: "muted" }, "The line “what if” is the forecast with these values; the bands are of the one without.") : null);
}
