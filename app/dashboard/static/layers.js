// How does somebody change a network who writes no JSON? A layer more on the stack, a branch more in the connection, another merge.

import { field, h, replace, select } from "./dom.js";

const LAYERS = ["lstm", "gru", "elman", "min_gru", "slstm", "dense", "conv", "attention", "dropout", "norm"];
const ALL_INPUTS = "";

/** The block of a kind with a size: units, or the percentage that is dropped. */
function block(kind, size, from) {
  const reads = from === ALL_INPUTS ? {} : { from };
  if (kind === "dropout") return { kind, rate: Math.min(0.9, size >= 1 ? size / 100 : size), ...reads };
  if (kind === "norm") return { kind, ...reads };
  return { kind, units: Math.max(1, Math.round(size)), ...(kind === "conv" ? { width: 3 } : {}), ...reads };
}

/** The network as a stack, so that a block can go behind the others. */
const asStack = (network) => (network?.kind === "stack" ? network : { kind: "stack", blocks: network ? [network] : [] });

/** The connection that a document has: the network itself, or the first one in its stack. */
function connectionOf(network) {
  if (network?.kind === "connect") return network;
  return network?.blocks?.find((one) => one.kind === "connect") ?? null;
}

function withBranch(network, made) {
  const connection = connectionOf(network);
  if (!connection) return { kind: "connect", branches: [network, made].filter(Boolean), merge: "concat" };
  connection.branches = [...connection.branches, made];
  return network;
}

function withMerge(network, merge) {
  const connection = connectionOf(network);
  if (!connection) throw new Error("There is no connection yet: add a branch first.");
  connection.merge = merge;
  return network;
}

function withoutLast(network) {
  if (network?.kind === "stack" && network.blocks.length > 1) return { ...network, blocks: network.blocks.slice(0, -1) };
  if (network?.kind === "connect") return network.branches.length > 2 ? { ...network, branches: network.branches.slice(0, -1) } : network.branches[0];
  throw new Error("It is the only layer.");
}

/** A form that reads the document and writes it anew; `merges` are those that the service knows. `shown(document)` keeps it in step. */
export function layerForm(read, write, merges) {
  const said = h("p", { class: "error", role: "alert" });
  const size = h("input", { type: "number", name: "units", min: "1", max: "4096", value: "32" });
  const kind = select(LAYERS, "lstm", () => {});
  const from = select([[ALL_INPUTS, "what comes before"]], ALL_INPUTS, () => {});
  const before = [];
  const undo = h("button", { type: "button", disabled: true, onclick: () => {
    write(before.pop());
    undo.disabled = !before.length;
  } }, "Undo");
  const change = (edit) => () => {
    said.textContent = "";
    try {
      const document = read();
      before.push(read());
      document.network = edit(document.network, block(kind.value, Number(size.value), from.value));
      write(document);
      undo.disabled = false;
    } catch (error) {
      said.textContent = error instanceof SyntaxError ? "Mend the document first: it is no JSON." : error.message;
    }
  };
  const button = (words, edit) => h("button", { type: "button", onclick: change(edit) }, words);
  const merge = select(merges, merges[0], (value) => change((network) => withMerge(network, value))());
  const element = h("div", { role: "group", "aria-label": "Change the network" },
    h("div", { class: "bar" }, field("Kind", kind), field("Units", size), field("Reads", from)),
    h("div", { class: "bar" },
      button("Add layer", (network, made) => ({ ...asStack(network), blocks: [...asStack(network).blocks, made] })),
      button("Add branch", withBranch), button("Remove last", withoutLast), undo, field("Merge", merge)), said);
  return { element, shown(document) {
    const chosen = from.value;
    replace(from, [[ALL_INPUTS, "what comes before"], ...Object.keys(document.inputs ?? {}).map((name) => [name, name])].map(([value, words]) =>
      h("option", { value, selected: value === chosen }, words)));
    const connection = connectionOf(document.network);
    merge.value = connection?.merge ?? merges[0];
  } };
}
