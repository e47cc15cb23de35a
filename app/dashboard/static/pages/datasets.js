// Which series are there? They come by dropping a file.

import { all, ask } from "../api.js";
import { bytes, empty, field, h, number, replace, table, time } from "../dom.js";

const TYPES = { csv: "text/csv", parquet: "application/vnd.apache.parquet", ndjson: "application/x-ndjson", jsonl: "application/x-ndjson", json: "application/json" };

export async function showDatasets(content, { signal }) {
  const found = await all("/v1/datasets", 500, signal);
  content.append(h("h1", {}, "Data sets"), upload(),
    found.length ? h("section", {}, table("Data sets, newest first", ["Name", "Series", "Rows", "Step", "Season", "Target", "From", "To", "Size", "Uploaded"], found.map((one) => [
      h("a", { href: `#/datasets/${one.id}` }, one.name), number(one.series), number(one.rows), one.freq, one.season, one.target,
      time(one.first), time(one.last), bytes(one.size_bytes), time(one.created_at)])))
      : empty("No data sets yet", "Drop a table above: a column of times, a column of numbers, and, for several series, a column that names them."));
}

function upload() {
  const said = h("div", { "aria-live": "polite" });
  const file = h("input", { type: "file", name: "file", accept: Object.keys(TYPES).map((end) => `.${end}`).concat(".gz", ".zst").join(",") });
  const inputs = ["freq", "time_column", "id_column", "target"].map((name) => [name, h("input", { name, size: "12", spellcheck: "false" })]);
  const send = async (one) => {
    const [, kind, packed] = one.name.toLowerCase().match(/\.(\w+?)(?:\.(gz|zst))?$/) ?? [];
    if (!TYPES[kind]) {
      replace(said, h("p", { class: "error" }, `${one.name}: tables are read as .csv, .parquet, .ndjson or .json, also with .gz or .zst behind.`));
      return;
    }
    const query = new URLSearchParams({ name: one.name.replace(/\.\w+(\.(gz|zst))?$/, "").replace(/[^\p{L}\p{N}_ .:-]/gu, " ").slice(0, 128) || "data" });
    for (const [name, input] of inputs) if (input.value.trim()) query.set(name, input.value.trim());
    replace(said, h("p", {}, `Uploading ${one.name} (${bytes(one.size)}).`));
    try {
      const made = await ask(`/v1/datasets?${query}`, { method: "POST", body: one,
        headers: { "Content-Type": TYPES[kind], ...(packed ? { "Content-Encoding": packed === "gz" ? "gzip" : "zstd" } : {}) } });
      location.hash = `#/datasets/${made.id}`;
    } catch (error) {
      replace(said, h("p", { class: "error" }, error.message), error.errors.length > 1 ? h("ul", { class: "faults" }, error.errors.map((fault) => h("li", {}, fault.detail))) : null);
    }
  };
  file.addEventListener("change", () => file.files[0] && send(file.files[0]));
  const over = (is) => (event) => {
    event.preventDefault();
    box.classList.toggle("over", is);
  };
  const box = h("div", { class: "drop", ondragover: over(true), ondragleave: over(false), ondrop: (event) => {
    over(false)(event);
    if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
  } }, field("Drop a file here, or choose one", file, "CSV, Parquet, NDJSON or JSON; as it is, or as .gz or .zst"),
  h("details", {}, h("summary", {}, "What cannot be inferred from the file"), h("div", { class: "bar" }, inputs.map(([name, input]) => field(name.replace("_", " "), input)))), said);
  return box;
}
