// How does somebody change a network who writes no JSON? A layer more on the stack, a branch more in the connection, another merge.

import { field, h, select } from "./dom.js";

const LAYERS = ["lstm", "gru", "rnn", "dense", "dropout", "norm"];
const MERGES = ["concat", "sum", "mean", "max", "product", "gate", "attention"];

/** The block of a kind with a size: units, or a share of what is dropped. */
function block(kind, size) {
  if (kind === "dropout") return { kind, rate: Math.min(0.9, size >= 1 ? size / 100 : size) };
  return kind === "norm" ? { kind } : { kind, units: Math.max(1, Math.round(size)) };
}

/** The network as a stack, so that a block can go behind the others. */
const asStack = (network) => (network?.kind === "stack" ? network : { kind: "stack", blocks: network ? [network] : [] });

/** The connection that a document has: the network itself, or the first one in its stack. */
function connectionOf(network) {
  if (network?.kind === "connect") return network;
  return network?.blocks?.find((one) => one.kind === "connect") ?? null;
}

/** A form that reads the document and writes it anew; `merges` are those that the service knows. */
export function layerForm(read, write, merges = MERGES) {
  const said = h("p", { class: "error", role: "alert" });
  const size = h("input", { type: "number", name: "units", min: "1", max: "4096", value: "32" });
  const kind = select(LAYERS, "lstm", () => {});
  const change = (edit) => () => {
    said.textContent = "";
    try {
      const document = read();
      document.network = edit(document.network, block(kind.value, Number(size.value)));
      write(document);
    } catch (error) {
      said.textContent = error instanceof SyntaxError ? "Mend the document first: it is no JSON." : error.message;
    }
  };
  const layer = change((network, made) => ({ ...asStack(network), blocks: [...asStack(network).blocks, made] }));
  const branch = change((network, made) => {
    const connection = connectionOf(network);
    if (!connection) return { kind: "connect", branches: [network, made].filter(Boolean), merge: "concat" };
    connection.branches = [...connection.branches, made];
    return network;
  });
  const merge = select(merges, "concat", (value) => change((network) => {
    const connection = connectionOf(network);
    if (!connection) throw new Error("There is no connection yet: add a branch first.");
    connection.merge = value;
    return network;
  })());
  return h("div", { class: "bar", role: "group", "aria-label": "Change the network" }, field("Kind", kind), field("Units", size),
    h("button", { type: "button", onclick: layer }, "Add layer"), h("button", { type: "button", onclick: branch }, "Add branch"), field("Merge", merge), said);
}
