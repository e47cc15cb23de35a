// How far back does each layer learn from? Its gradients by lag: as colours, as lines, and as numbers.

import { chart, joined } from "./chart.js";
import { css, h, number, table, takeAlong } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const [ROW, FOOT] = [28, 24];
const narrow = matchMedia("(max-width: 760px)");
const shape = () => (narrow.matches ? { cells: 12, left: 100, wide: 230 } : { cells: 24, left: 150, wide: 600 });

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Some of the lags of the layer that reaches back farthest, evenly spread, by their positions in its list. */
function picked(layers, cells) {
  const most = Math.max(...layers.map((layer) => layer.lags.length));
  const columns = Math.min(cells, most);
  return Array.from({ length: columns }, (_, cell) => Math.round((cell * (most - 1)) / Math.max(1, columns - 1)));
}

/** How strong a cell's colour is: the share of the layer's largest gradient, on a log scale down to a thousandth. */
function strength(layer, position) {
  const largest = Math.max(...layer.norms.map((norm) => norm ?? 0)) || 1;
  const share = (layer.norms[position] ?? 0) / largest;
  return 0.04 + 0.96 * (share > 0 ? Math.max(0, 1 + Math.log10(share) / 3) : 0);
}

/** Layers by lag, as colours. */
export function heatMap(layers) {
  const { cells: most, left, wide } = shape();
  const lags = picked(layers, most);
  const width = wide / lags.length;
  const cells = layers.flatMap((layer, row) => lags.filter((lag) => lag < layer.norms.length).map((lag, column) => ({
    x: left + column * width, y: row * ROW, opacity: strength(layer, lag), words: `${layer.place}, ${layer.lags[lag]} steps back: ${number(layer.norms[lag])}` })));
  const longest = layers.reduce((one, other) => (other.lags.length > one.lags.length ? other : one)).lags;
  const words = [...layers.map((layer, row) => [layer.place, left - 8, row * ROW + 18, "end"]),
    [`lag ${longest[lags[0]]}`, left, layers.length * ROW + 16, "start"], [`lag ${longest[lags.at(-1)]}`, left + wide, layers.length * ROW + 16, "end"]];
  const drawing = svg("svg", { viewBox: `0 0 ${left + wide} ${layers.length * ROW + FOOT}`, role: "img", class: "heatmap",
    "aria-label": "Gradient by layer and lag; as numbers below" },
  ...cells.map((cell) => svg("rect", { x: cell.x, y: cell.y, width: width - 1, height: ROW - 2, class: "heat", "fill-opacity": cell.opacity.toFixed(3) }, svg("title", {}, cell.words))),
  ...words.map(([text, x, y, anchor]) => svg("text", { x, y, "text-anchor": anchor }, text)));
  const name = "gradient flow by layer and lag";
  const numbers = () => [["layer", "lag", "norm"], ...layers.flatMap((layer) => layer.lags.map((lag, position) => [layer.place, lag, layer.norms[position]]))];
  return h("figure", { class: "chart", "data-chart": name, "data-count": String(cells.length) },
    h("figcaption", {}, h("span", {}, "Norm of each state's gradient, by steps back"), takeAlong(name, numbers, () => painted(cells, words, width, left + wide, layers.length))), drawing);
}

/** The same on a canvas, for a picture that has its colours in it. */
function painted(cells, words, width, wide, rows) {
  const canvas = h("canvas", { width: wide * 2, height: (rows * ROW + FOOT) * 2 });
  const context = canvas.getContext("2d");
  context.scale(2, 2);
  context.fillStyle = css("--surface");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = css("--c1");
  for (const cell of cells) {
    context.globalAlpha = cell.opacity;
    context.fillRect(cell.x, cell.y, width - 1, ROW - 2);
  }
  context.globalAlpha = 1;
  context.fillStyle = css("--muted");
  context.font = "12px system-ui, sans-serif";
  for (const [text, x, y, anchor] of words) {
    context.textAlign = anchor;
    context.fillText(text, x, y);
  }
  return canvas;
}

/** The same as lines, on a log scale. */
export function gradientLines(layers) {
  const plot = chart({ name: "gradient norm by lag", x: "lag", log: true, series: layers.map((layer) => ({ label: layer.place })) });
  plot.setData(joined(layers.map((layer) => ({ x: layer.lags, y: layer.norms }))));
  return plot.element;
}

/** What the layers come to, in numbers. */
export const gradientTable = (layers) => table("Gradients by layer", ["Layer", "Used memory", "Half-life", "Growth", "Saturation", "Dead units"], layers.map((layer) =>
  [layer.place, `${layer.memory} of ${layer.steps}`, number(layer.half_life), number(layer.growth), number(layer.saturation), number(layer.dead_units)]));
