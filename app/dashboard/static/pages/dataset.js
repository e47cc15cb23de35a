// What is in a data set? What was found in the upload, and its series with their gaps.

import { ask } from "../api.js";
import { chart, seconds } from "../chart.js";
import { bytes, facts, field, h, number, replace, section, table, time } from "../dom.js";

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
    section("Audit", ["inferred", "changed", "values", "series", "file"].map((part) => [h("h3", {}, part), said(audit[part])])));

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

const said = (part) => facts(Object.entries(part).map(([name, value]) => [name.replaceAll("_", " "), words(value)]));

function words(value) {
  if (value === null || value === "") return "none";
  if (Array.isArray(value)) return value.length ? value.map(words).join(", ") : "none";
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
      replace(plot, h("p", { class: "error", role: "alert" }, error.message));
    }
  };
  const page = async (after) => {
    const read = await ask(`${path}/series?limit=20${after ? `&after=${encodeURIComponent(after)}` : ""}`, { signal });
    replace(list, table("Series", ["Name", "From", "To", "Length", "Missing"], read.data.map((one) => [
      h("button", { type: "button", class: "quiet", onclick: () => show(one.unique_id) }, one.unique_id), time(one.start), time(one.end), number(one.length), number(one.missing)])),
    h("div", { class: "bar" }, after ? h("button", { type: "button", onclick: () => page(null) }, "First") : null,
      read.has_more ? h("button", { type: "button", onclick: () => page(read.next_after) }, "Next 20") : null));
    return read.data;
  };
  place.append(plot, h("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); show(find.value.trim()); } },
    field("Series", find), h("button", { type: "submit" }, "Show")), list);
  const first = await page(null);
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
  const kind = typeof points.timestamps[0] === "number" ? "step" : "time";
  const made = chart({ name: points.unique_id, x: kind, gaps: true, series: [{ label: "target" },
    { label: "missing", colour: "--c5", width: 0, points: true }, ...others.map((label) => ({ label, hidden: true, colour: "--c10" }))] });
  replace(place, made.element, points.length > points.timestamps.length ? h("p", { class: "muted" }, `${number(points.timestamps.length)} of ${number(points.length)} steps are drawn; peaks stay.`) : null);
  made.setData([points.timestamps.map(seconds), target, missing, ...others.map((name) => points.values[name])], points.length);
}
