// What is in a data set? What was found in the upload, and its series with their gaps.

import { ask } from "../api.js";
import { axisOf, chart, seconds } from "../chart.js";
import { bytes, facts, field, h, keep, number, replace, section, table, time } from "../dom.js";
import { inputForm } from "../inputs.js";

const LISTED = 20;
const MOST_WORDS = 8;

export async function showDataset(content, id, { options, setOption, signal }) {
  const path = `/v1/datasets/${encodeURIComponent(id)}`;
  const [dataset, audit] = await Promise.all([ask(path, { signal }), ask(`${path}/audit`, { signal })]);
  document.title = `${dataset.name} · Braidcast`;
  const browser = h("div", {});
  content.append(
    h("p", { class: "crumbs" }, h("a", { href: "#/datasets" }, "Data sets")),
    h("div", { class: "title" }, h("h1", {}, dataset.name), h("span", { class: "buttons" },
      h("a", { class: "button primary", href: `#/design?dataset=${id}` }, "Design and train"), h("button", { type: "button", onclick: remove }, "Delete"))),
    facts([["Series", number(dataset.series)], ["Rows", number(dataset.rows)], ["Step", dataset.freq], ["Season", dataset.season], ["Target", dataset.target],
      ["Covariates", dataset.covariates.join(", ") || "none"], ["From", time(dataset.first)], ["To", time(dataset.last)],
      ["Lengths", `${number(dataset.shortest)} to ${number(dataset.longest)}`], ["Version", dataset.version], ["Size", bytes(dataset.size_bytes)]]),
    section("Series", browser),
    inputs(dataset, audit, signal),
    section("Audit", wrongs(audit), h("h3", {}, "What was inferred"), table("What was inferred", ["What", "Taken", "Why"], Object.entries(audit.inferred).map(([what, { why, ...taken }]) =>
      [what, words(taken), why])),
    h("details", {}, h("summary", {}, "All that was found"), ["changed", "values", "series", "file"].map((part) => [h("h3", {}, part), said(audit[part])]))));

  async function remove() {
    if (!window.confirm(`Delete the data set ${dataset.name}?`)) return;
    try {
      await ask(path, { method: "DELETE" });
      location.hash = "#/datasets";
    } catch (error) {
      content.prepend(h("p", { class: "error", role: "alert" }, error.message));
    }
  }
  await browse(browser, path, options, setOption, signal);
}

/** The form of inputs, once somebody wants it: what the calendar has is told by the schema of a document. */
function inputs(dataset, audit, signal) {
  const place = h("div", {});
  const open = async () => {
    const schema = await ask("/v1/architectures/schema", { signal });
    const features = typeof dataset.first === "number" ? [] : schema.$defs.Input.properties.features.items.enum;
    replace(place, inputForm({ target: dataset.target, covariates: dataset.covariates, words: audit.values.text_columns, features, done: (chosen) => {
      location.hash = `#/design?${new URLSearchParams({ dataset: dataset.id, inputs: JSON.stringify(chosen) })}`;
    } }));
    place.querySelector("select, input")?.focus();
  };
  replace(place, h("p", {}, "A network reads the target alone until its document says more. Here covariates, words and the calendar are put into groups, which its blocks read by name."),
    h("button", { type: "button", onclick: () => open().catch((error) => replace(place, h("p", { class: "error", role: "alert" }, error.message))) }, "Choose inputs"));
  return section("Inputs", place);
}

/** What is wrong, and where: the findings of the audit that count something, with their first places. */
function wrongs({ changed, values, series }) {
  const found = [];
  const note = (words, one) => { if (one?.count) found.push([words, one]); };
  note("empty rows, left out", changed.empty_rows);
  note("rows out of order, sorted", changed.unsorted);
  note("rows twice, merged", changed.duplicates.identical);
  note("rows of one time with other values; the last one counts", changed.duplicates.conflicting);
  note("rows moved onto the step", changed.moved);
  note("rows merged into one step", changed.merged);
  note("steps missing, inserted", changed.gaps);
  note("series that never change", series.constant_series);
  note("series that begin with zeros", series.leading_zeros);
  note("series without an observed target", series.unobserved_series);
  note("series of one observation", series.single_observations);
  for (const { column, value, count } of values.sentinels) found.push([`times ${value} in ${column}, which may stand for a missing value`, { count }]);
  for (const [column, count] of Object.entries(values.non_finite)) found.push([`values of ${column} that are no finite number, taken as missing`, { count }]);
  if (!found.length) return h("p", { "data-part": "wrongs" }, "Nothing is wrong with it.");
  return h("ul", { class: "findings", "data-part": "wrongs" }, found.map(([what, one]) => h("li", {}, h("strong", {}, `${number(one.count)} ${what}`), where(one))));
}

function where(one) {
  if (one.examples?.length) return h("div", {}, one.examples.slice(0, 5).map((gap) => h("div", {}, `${gap.unique_id}: ${gap.missing} after `, time(gap.after))));
  const places = one.lines ?? one.rows ?? one.series ?? [];
  const words = one.lines ? "line" : one.rows ? "row" : "series";
  return places.length ? h("div", { class: "muted" }, `${words} ${places.slice(0, 8).join(", ")}${one.count > 8 ? ", ..." : ""}`) : null;
}

const said = (part) => facts(Object.entries(part).map(([name, value]) => [name.replaceAll("_", " "), words(value)]));

function words(value) {
  if (value === null || value === "") return "none";
  if (Array.isArray(value)) return value.length ? value.slice(0, MOST_WORDS).map(words).join(", ") + (value.length > MOST_WORDS ? ", ..." : "") : "none";
  if (typeof value === "object") return Object.entries(value).map(([name, one]) => `${name.replaceAll("_", " ")}: ${words(one)}`).join("; ") || "none";
  return typeof value === "number" ? number(value, 6) : String(value);
}

async function browse(place, path, options, setOption, signal) {
  const list = h("div", {});
  const plot = h("div", {});
  const find = h("input", { type: "search", name: "series", placeholder: "name of a series", value: options.get("series") ?? "" });
  const show = async (unique) => {
    setOption("series", unique);
    find.value = unique;
    try {
      const points = await ask(`${path}/series/${encodeURIComponent(unique)}/points?max_points=2000`, { signal });
      draw(plot, points);
    } catch (error) {
      if (!signal.aborted) replace(plot, h("p", { class: "error", role: "alert" }, error.message));
    }
  };
  const page = async (after) => {
    const read = await ask(`${path}/series?limit=${LISTED}${after ? `&after=${encodeURIComponent(after)}` : ""}`, { signal });
    setOption("after", after);
    keep(list, read, () => [table("Series", ["Name", "From", "To", "Length", "Missing"], read.data.map((one) => [
      h("button", { type: "button", class: "link", onclick: () => show(one.unique_id) }, one.unique_id), time(one.start), time(one.end), number(one.length), number(one.missing)])),
    h("div", { class: "bar" }, after ? h("button", { type: "button", "data-focus": "first", onclick: () => page(null) }, "First") : null,
      read.has_more ? h("button", { type: "button", "data-focus": "next", onclick: () => page(read.next_after) }, `Next ${LISTED}`) : null)]);
    return read.data;
  };
  place.append(plot, h("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); show(find.value.trim()); } },
    field("Series", find), h("button", { type: "submit" }, "Show")), list);
  const first = await page(options.get("after"));
  const wanted = options.get("series") ?? first[0]?.unique_id;
  if (wanted) await show(wanted);
}

function draw(place, points) {
  const target = points.values.y;
  const others = Object.keys(points.values).filter((name) => name !== "y");
  let level = target.find((value) => value !== null);
  const missing = target.map((value) => {
    level = value ?? level;
    return value === null ? level : null;
  });
  const made = chart({ name: points.unique_id, ...axisOf(points.timestamps), gaps: true, series: [{ label: "target" },
    { label: "missing", colour: "--c5", width: 0, points: true }, ...others.map((label) => ({ label, hidden: true, colour: "--c10" }))] });
  replace(place, made.element, points.length > points.timestamps.length ? h("p", { class: "muted" }, `${number(points.timestamps.length)} of ${number(points.length)} steps are drawn; peaks stay.`) : null);
  made.element.dataset.missing = String(missing.filter((value) => value !== null).length);
  made.setData([points.timestamps.map(seconds), target, missing, ...others.map((name) => points.values[name])], points.length);
}
