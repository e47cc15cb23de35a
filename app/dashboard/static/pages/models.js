// Which models are there, how good are they, and what do they forecast?

import { all, ask } from "../api.js";
import { chart, joined, seconds } from "../chart.js";
import { bytes, empty, facts, field, h, number, replace, section, table, time } from "../dom.js";
import { scoreTable } from "./job.js";

const HISTORY = 3;

export async function showModels(content, { signal }) {
  const models = await all("/v1/models", 200, signal);
  content.append(h("h1", {}, "Models"), models.length
    ? h("section", {}, table("Models, newest first", ["Name", "MASE", "Seasonal naive", "Context", "Horizon", "Parameters", "Size", "Made"], models.map((one) => [
      h("a", { href: `#/models/${one.id}` }, one.name), number(one.scores.model?.mase), number(one.scores.seasonal_naive?.mase), one.context, one.horizon,
      number(one.parameters), bytes(one.size_bytes), time(one.created_at)])))
    : empty("No models yet", "A training makes one: begin under ", h("a", { href: "#/design" }, "Design"), "."));
}

export async function showModel(content, id, { options, setOption, signal }) {
  const model = await ask(`/v1/models/${encodeURIComponent(id)}`, { signal });
  document.title = `${model.name} · Braidcast`;
  const plot = h("div", {});
  content.append(
    h("p", { class: "crumbs" }, h("a", { href: "#/models" }, "Models")),
    h("div", { class: "title" }, h("h1", {}, model.name), h("span", { class: "buttons" },
      h("a", { class: "button", href: `/v1/models/${model.id}/weights`, download: "" }, "Download weights"), h("a", { class: "button", href: `#/jobs/${model.job}` }, "Its job"))),
    facts([["Horizon", model.horizon], ["Context", model.context], ["Step", model.freq], ["Parameters", number(model.parameters)],
      ["Size", bytes(model.size_bytes)], ["Data set", h("a", { href: `#/datasets/${model.dataset}` }, "show")], ["Made", time(model.created_at)]]),
    section("Forecast", plot),
    section("Scores on steps that training never saw", Object.keys(model.scores).length ? scoreTable(model.scores) : h("p", { class: "muted" }, "It has none.")),
    section("Lineage", facts(Object.entries(model.lineage).map(([name, value]) => [name.replaceAll("_", " "), typeof value === "object" ? JSON.stringify(value) : String(value)]).filter(([name]) => name !== "phases"))),
    section("Document", h("pre", { tabindex: "0" }, JSON.stringify(model.architecture, null, 2))));
  await forecast(plot, model, options, setOption, signal);
}

async function forecast(place, model, options, setOption, signal) {
  const said = h("p", { class: "error", role: "alert" });
  const figure = h("div", {});
  const held = h("input", { type: "checkbox", name: "actuals", checked: options.get("actuals") === "1" });
  const find = h("input", { name: "series", list: "series-names", value: options.get("series") ?? "" });
  const path = `/v1/datasets/${model.dataset}/series`;
  const show = async () => {
    said.textContent = "";
    setOption("series", find.value);
    setOption("actuals", held.checked);
    try {
      await draw(figure, model, `${path}/${encodeURIComponent(find.value)}/points?max_points=10000`, find.value, held.checked, signal);
    } catch (error) {
      said.textContent = error.message;
    }
  };
  let names;
  try {
    names = (await ask(`${path}?limit=100`, { signal })).data.map((one) => one.unique_id);
  } catch (error) {
    replace(place, h("p", { class: "muted" }, `Its data set is not here any more: ${error.message}`));
    return;
  }
  find.value ||= names[0];
  held.addEventListener("change", show);
  replace(place, figure, said, h("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); show(); } },
    field("Series", find), h("datalist", { id: "series-names" }, names.map((value) => h("option", { value }))), h("button", { type: "submit" }, "Forecast"),
    h("label", { class: "check" }, held, " From before the last steps, beside what came")));
  await show();
}

async function draw(place, model, path, unique, isHeld, signal) {
  const points = await ask(path, { signal });
  const values = points.values.y;
  const end = isHeld ? Math.max(1, values.length - model.horizon) : values.length;
  const covariates = Object.keys(points.values).filter((name) => name !== "y");
  if (isHeld && (covariates.length || points.length > values.length)) throw new Error("What came is drawn for series without covariates and of 10,000 steps at most.");
  const what = isHeld ? { series: [{ unique_id: unique, start: points.timestamps[0], target: values.slice(0, end) }] } : { unique_ids: [unique] };
  const answer = await ask(`/v1/models/${model.id}/forecasts`, { method: "POST", json: { ...what, levels: [80, 95] }, signal });
  const [made] = answer.forecasts;
  const from = Math.max(0, end - HISTORY * Math.max(model.context, model.horizon));
  const past = { x: points.timestamps.slice(from, end).map(seconds), y: values.slice(from, end) };
  const ahead = made.timestamps.map(seconds);
  const levels = ["0.975", "0.9", "0.1", "0.025"].filter((level) => made.quantiles[level]);
  const lines = [{ x: ahead, y: made.mean }, past, ...levels.map((level) => ({ x: ahead, y: made.quantiles[level] }))];
  const series = [{ label: "forecast", colour: "--c2", width: 2.2 }, { label: "history", colour: "--c1" }, ...levels.map((label) => ({ label, width: 0.6, colour: "--c2" }))];
  if (isHeld) {
    lines.push({ x: points.timestamps.slice(end).map(seconds), y: values.slice(end) });
    series.push({ label: "what came", colour: "--c3", dash: [5, 4] });
  }
  const plot = chart({ name: `forecast of ${unique}`, x: typeof made.timestamps[0] === "number" ? "step" : "time", series,
    bands: levels.length === 4 ? [[2, 5], [3, 4]] : levels.length === 2 ? [[2, 3]] : [] });
  plot.element.dataset.bands = String(levels.length / 2);
  replace(place, plot.element);
  plot.setData(joined(lines), made.mean.length);
}
