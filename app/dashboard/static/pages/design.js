// What is to be trained? A document, proven as it is written, with its drawing and its cost; then a job.

import { all, ask } from "../api.js";
import { facts, field, h, number, replace, section, select, table } from "../dom.js";
import { layerForm } from "../layers.js";

const WAIT_MILLISECONDS = 250;
const SAVED = "document";

export async function showDesign(content, { options, setOption, signal }) {
  const [gallery, datasets, from] = await Promise.all([ask("/v1/architectures/gallery", { signal }), all("/v1/datasets", 200, signal),
    options.get("from") ? ask(`/v1/jobs/${encodeURIComponent(options.get("from"))}`, { signal }) : null]);
  const editor = h("textarea", { class: "editor", name: "document", spellcheck: "false", "aria-label": "Document", "aria-describedby": "faults" });
  const faults = h("div", { id: "faults", "aria-live": "polite" });
  const proof = h("div", { "data-part": "proof" });
  const read = () => JSON.parse(editor.value);
  const write = (document) => {
    editor.value = JSON.stringify(document, null, 2);
    prove();
  };
  let due = null;
  let asked = 0;
  const prove = async () => {
    const mine = (asked += 1);
    sessionStorage.setItem(SAVED, editor.value);
    try {
      const proven = await ask("/v1/architectures/validate", { method: "POST", json: read(), signal });
      if (mine !== asked) return;
      editor.removeAttribute("aria-invalid");
      replace(faults, h("p", { class: "muted" }, "The document is valid."), proven.warnings.map((words) => h("p", {}, words)));
      replace(proof, proofOf(proven));
    } catch (error) {
      if (mine !== asked || signal.aborted) return;
      editor.setAttribute("aria-invalid", "true");
      replace(faults, faultList(editor, error));
    }
  };
  editor.addEventListener("input", () => {
    clearTimeout(due);
    due = setTimeout(prove, WAIT_MILLISECONDS);
  });
  const named = gallery.data.find((one) => one.name === options.get("gallery"));
  const wanted = named?.spec ?? from?.architecture ?? null;
  editor.value = wanted ? JSON.stringify(wanted, null, 2) : sessionStorage.getItem(SAVED) ?? JSON.stringify(gallery.data[0].spec, null, 2);

  content.append(h("h1", {}, "Design"),
    h("div", { class: "bar", role: "group", "aria-label": "Gallery" }, gallery.data.map((one) => h("button", { type: "button", class: "quiet", title: one.title,
      "data-gallery": one.name, onclick: () => { setOption("gallery", one.name); write(one.spec); } }, one.name))),
    h("div", { class: "split" },
      section("Document", editor, faults, layerForm(read, write)),
      section("What it builds", proof)),
    section("Train it", trainForm(datasets, read, options)));
  await prove();
}

function proofOf(proven) {
  return [
    h("img", { class: "diagram", alt: `Diagram of ${proven.blocks.length} blocks; the table below has them all`, src: `data:image/svg+xml,${encodeURIComponent(proven.svg)}` }),
    facts([["Parameters", number(proven.parameters)], ["Multiply-adds of a window", number(proven.multiply_adds)], ["Memory", `${number(Math.ceil(proven.memory_bytes / 1e6))} MB`]]),
    table("Blocks", ["Place", "Kind", "Width", "Parameters", "Multiply-adds"], proven.blocks.map((one) =>
      [h("code", {}, one.pointer.replace(/^#\//, "")), one.kind, one.width, number(one.parameters), number(one.multiply_adds)])),
  ];
}

/** Faults, each a button that goes to its place in the document. */
function faultList(editor, error) {
  if (error instanceof SyntaxError) return h("p", { class: "error" }, `It is no JSON yet: ${error.message}`);
  const list = error.errors?.length ? error.errors : [{ pointer: "#", detail: error.message }];
  return h("ul", { class: "faults" }, list.map((fault) => {
    const at = placeOf(editor.value, fault.pointer);
    const line = editor.value.slice(0, at).split("\n").length;
    return h("li", {}, h("button", { type: "button", class: "quiet", onclick: () => {
      editor.focus();
      editor.setSelectionRange(at, editor.value.indexOf("\n", at) < 0 ? editor.value.length : editor.value.indexOf("\n", at));
    } }, `Line ${line}`), ` ${fault.detail}`);
  }));
}

/** Where a JSON pointer is in the text: each of its keys is looked for behind the one before, elements by counting. */
function placeOf(text, pointer) {
  const keys = pointer.replace(/^#\/?/, "").split("/").filter(Boolean).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  let at = 0;
  for (const key of keys) {
    const next = childOf(text, at, key);
    if (next < 0) return at;
    at = next;
  }
  return at;
}

/** Where a child of the value that begins at or after `from` begins; -1 where it has none of this name. */
function childOf(text, from, key) {
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;
  token.lastIndex = from;
  let depth = 0;
  let element = 0;
  let name = null;
  let isList = false;
  for (let found = token.exec(text); found; found = token.exec(text)) {
    const [word] = found;
    if (depth === 1 && isList && element === Number(key) && word !== "," && word !== "]") return found.index;
    if (word === "{" || word === "[") {
      depth += 1;
      if (depth === 1) isList = word === "[";
    } else if (word === "}" || word === "]") {
      depth -= 1;
      if (depth <= 0) return -1;
    } else if (depth === 1 && word === ",") element += 1;
    else if (depth === 1 && !isList && word === ":" && name === key) return token.lastIndex + text.slice(token.lastIndex).search(/\S/);
    if (depth === 1 && word.startsWith('"')) name = word.slice(1, -1);
  }
  return -1;
}

function trainForm(datasets, read, options) {
  if (!datasets.length) return h("p", {}, "A training needs data: ", h("a", { href: "#/datasets" }, "upload a data set"), ".");
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
  return h("form", { onsubmit: submit }, h("div", { class: "bar" }, field("Name", name), field("Data set", dataset),
    Object.entries(numbers).map(([key, input]) => field(key[0].toUpperCase() + key.slice(1), input)), h("button", { type: "submit", class: "primary" }, "Start training")), said);
}
