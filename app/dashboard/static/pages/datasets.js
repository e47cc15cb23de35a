// Which series are there? They come by dropping a file and saying what its columns are, or leaving that to the service.

import { all, ask } from "../api.js";
import { bytes, empty, field, h, number, replace, select, table, time } from "../dom.js";
import { headOf } from "../head.js";

const TYPES = { csv: "text/csv", parquet: "application/vnd.apache.parquet", ndjson: "application/x-ndjson", jsonl: "application/x-ndjson", json: "application/json" };
const INFERRED = [["", "as inferred"]];
const ROLES = [["time_column", "Time"], ["id_column", "Names of series"], ["target", "Target"]];

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
  const take = async (one) => {
    const [, kind, packed] = one.name.toLowerCase().match(/\.(\w+?)(?:\.(gz|zst))?$/) ?? [];
    if (!TYPES[kind]) {
      replace(said, h("p", { class: "error" }, `${one.name}: tables are read as .csv, .parquet, .ndjson or .json, also with .gz or .zst behind.`));
      return;
    }
    const head = await headOf(one, kind, packed);
    replace(said, roles(one, head, (query) => send(said, one, kind, packed, query)));
    said.querySelector("button").focus();
  };
  file.addEventListener("change", () => file.files[0] && take(file.files[0]));
  const over = (is) => (event) => {
    event.preventDefault();
    box.classList.toggle("over", is);
  };
  const box = h("div", { class: "drop", ondragover: over(true), ondragleave: over(false), ondrop: (event) => {
    over(false)(event);
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  } }, field("Drop a file here, or choose one", file, "CSV, Parquet, NDJSON or JSON; as it is, or as .gz or .zst"), said);
  return box;
}

/** What the columns are: chosen among those of the file where a browser can read it, else written. */
function roles(file, head, go) {
  const name = h("input", { name: "name", required: true, maxlength: "128",
    value: file.name.replace(/\.\w+(\.(gz|zst))?$/, "").replace(/[^\p{L}\p{N}_ .:-]/gu, " ").slice(0, 128) || "data" });
  const freq = h("input", { name: "freq", size: "10", placeholder: "as inferred", spellcheck: "false" });
  const columns = ROLES.map(([key, words]) => {
    const control = head ? select([...INFERRED, ...head.columns.map((one) => [one, one])], "", () => {}) : h("input", { size: "12", placeholder: "as inferred", spellcheck: "false" });
    control.name = key;
    return { key, words, control };
  });
  return h("form", { class: "roles", onsubmit: (event) => {
    event.preventDefault();
    const query = new URLSearchParams({ name: name.value });
    for (const [key, value] of [["freq", freq.value], ...columns.map(({ key, control }) => [key, control.value])]) if (value.trim()) query.set(key, value.trim());
    go(query);
  } },
  head ? table(`The first rows of ${file.name}`, head.columns, head.rows) : null,
  h("div", { class: "bar" }, field("Name", name), columns.map(({ words, control }) => field(words, control)), field("Step", freq),
    h("button", { type: "submit", class: "primary" }, `Upload ${bytes(file.size)}`)));
}

async function send(said, file, kind, packed, query) {
  const told = h("p", { role: "status" }, `Uploading ${file.name}.`);
  said.append(told);
  try {
    const made = await ask(`/v1/datasets?${query}`, { method: "POST", body: file,
      headers: { "Content-Type": TYPES[kind], ...(packed ? { "Content-Encoding": packed === "gz" ? "gzip" : "zstd" } : {}) } });
    location.hash = `#/datasets/${made.id}`;
  } catch (error) {
    for (const before of said.querySelectorAll(".error, .faults")) before.remove();
    told.replaceWith(h("p", { class: "error" }, error.message));
    if (error.errors?.length > 1) said.append(h("ul", { class: "faults" }, error.errors.map((fault) => h("li", {}, fault.detail))));
  }
}
