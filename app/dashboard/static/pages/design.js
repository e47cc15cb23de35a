// What is to be trained? A document, proven as it is written, with its drawing and its cost; then a job.

import { all, ask } from "../api.js";
import { facts, field, h, number, replace, section, select, table } from "../dom.js";
import { makeEditor } from "../editor.js";
import { layerForm } from "../layers.js";
import { namesIn } from "../places.js";

const WAIT_MILLISECONDS = 250;
const SAVED = "document";

export async function showDesign(content, { options, setOption, signal }) {
  const [gallery, datasets, schema, from] = await Promise.all([ask("/v1/architectures/gallery", { signal }), all("/v1/datasets", 200, signal),
    ask("/v1/architectures/schema", { signal }), options.get("from") ? ask(`/v1/jobs/${encodeURIComponent(options.get("from"))}`, { signal }) : null]);
  const faults = h("div", { id: "faults", "aria-live": "polite" });
  const proof = h("div", { "data-part": "proof" });
  const train = trainForm(datasets, () => JSON.parse(editor.text()), options);
  let due = null;
  let asked = 0;
  const editor = makeEditor({ schema, label: "Document", names: (key) => namesFor(key, editor.text(), train.columns()), changed: () => {
    clearTimeout(due);
    due = setTimeout(prove, WAIT_MILLISECONDS);
  } });
  const read = () => JSON.parse(editor.text());
  const write = (document) => editor.setText(JSON.stringify(document, null, 2));
  const form = layerForm(read, write, schema.$defs.Connect.properties.merge.enum);
  const prove = async () => {
    const mine = (asked += 1);
    sessionStorage.setItem(SAVED, editor.text());
    try {
      const document = read();
      form.shown(document);
      const proven = await ask("/v1/architectures/validate", { method: "POST", json: document, signal });
      if (mine !== asked) return;
      editor.mark([]);
      replace(faults, h("p", { class: "muted" }, "The document is valid."), proven.warnings.map((words) => h("p", {}, words)));
      replace(proof, proofOf(proven));
    } catch (error) {
      if (mine === asked && !signal.aborted) replace(faults, faultList(editor, error));
    }
  };
  signal.addEventListener("abort", () => clearTimeout(due));
  editor.setText(firstText(gallery.data, from, options));

  content.append(h("h1", {}, "Design"),
    h("div", { class: "bar", role: "group", "aria-label": "Gallery" }, gallery.data.map((one) => h("button", { type: "button", class: "small", title: one.title,
      "data-gallery": one.name, onclick: () => { setOption("gallery", one.name); write(one.spec); } }, one.name))),
    h("div", { class: "split" },
      section("Document", editor.element, faults, form.element),
      section("What it builds", proof)),
    section("Train it", train.element));
  clearTimeout(due);
  await prove();
}

/** The document to begin with: what the address names, what was written before, or the first of the gallery; with the inputs that were chosen. */
function firstText(gallery, from, options) {
  const named = gallery.find((one) => one.name === options.get("gallery"));
  const wanted = named?.spec ?? from?.architecture;
  const saved = sessionStorage.getItem(SAVED) ?? JSON.stringify(gallery[0].spec, null, 2);
  if (!options.get("inputs")) return wanted ? JSON.stringify(wanted, null, 2) : saved;
  try {
    const document = wanted ?? JSON.parse(saved);
    return JSON.stringify({ ...document, inputs: JSON.parse(options.get("inputs")) }, null, 2);
  } catch {
    return saved;
  }
}

/** Words of the document and the data that may stand for a key. */
function namesFor(key, text, columns) {
  const { inputs, blocks } = namesIn(text);
  if (key === "from") return [...inputs, ...blocks];
  if (key === "of" || key === "only" || key === "freeze") return blocks;
  return key === "columns" ? ["y", ...columns] : [];
}

function proofOf(proven) {
  return [
    h("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Diagram" },
      h("img", { class: "diagram", alt: `Diagram of ${proven.blocks.length} blocks; the table below has them all`, src: `data:image/svg+xml,${encodeURIComponent(proven.svg)}` })),
    facts([["Parameters", number(proven.parameters)], ["Multiply-adds of a window", number(proven.multiply_adds)], ["Memory", `${number(Math.ceil(proven.memory_bytes / 1e6))} MB`]]),
    table("Blocks", ["Place", "Kind", "Width", "Parameters", "Multiply-adds"], proven.blocks.map((one) =>
      [h("code", {}, one.pointer.replace(/^#\//, "")), one.kind, one.width, number(one.parameters), number(one.multiply_adds)])),
  ];
}

/** Faults, marked in the document; each has a button that goes to its place. */
function faultList(editor, error) {
  const at = error instanceof SyntaxError ? Number(error.message.match(/position (\d+)/)?.[1] ?? editor.text().length) : undefined;
  const list = at !== undefined ? [{ at, detail: `It is no JSON yet: ${error.message}` }] : error.errors?.length ? error.errors : [{ pointer: "#", detail: error.message }];
  const places = editor.mark(list);
  return h("ul", { class: "faults" }, list.map((fault, position) => h("li", {}, h("button", { type: "button", class: "quiet",
    onclick: () => editor.focusAt(places[position].from, places[position].to) }, `Line ${places[position].line}`), ` ${fault.detail}`)));
}

function trainForm(datasets, read, options) {
  if (!datasets.length) return { element: h("p", {}, "A training needs data: ", h("a", { href: "#/datasets" }, "upload a data set"), "."), columns: () => [] };
  const said = h("p", { class: "error", role: "alert" });
  const name = h("input", { name: "name", required: true, maxlength: "128", value: options.get("gallery") ?? "trial" });
  const dataset = select(datasets.map((one) => [one.id, one.name]), options.get("dataset") ?? datasets[0].id, () => {});
  dataset.name = "dataset";
  const numbers = Object.fromEntries(["context", "horizon", "epochs"].map((key) => [key, h("input", { type: "number", min: "1", name: key, placeholder: "as is" })]));
  const submit = async (event) => {
    event.preventDefault();
    said.textContent = "";
    try {
      const { context, horizon, ...document } = read();
      const given = (key, other) => (numbers[key].value ? Number(numbers[key].value) : other);
      const epochs = given("epochs", null);
      const job = await ask("/v1/jobs", { method: "POST", headers: { "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) }, json: {
        kind: "train", name: name.value, dataset: dataset.value, architecture: document, horizon: given("horizon", horizon),
        ...(given("context", context) ? { context: given("context", context) } : {}), ...(epochs ? { training: { ...document.training, epochs } } : {}) } });
      location.hash = `#/jobs/${job.id}`;
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const element = h("form", { onsubmit: submit }, h("div", { class: "bar" }, field("Name", name), field("Data set", dataset),
    Object.entries(numbers).map(([key, input]) => field(key[0].toUpperCase() + key.slice(1), input)), h("button", { type: "submit", class: "primary" }, "Start training")), said);
  return { element, columns: () => datasets.find((one) => one.id === dataset.value)?.covariates ?? [] };
}
