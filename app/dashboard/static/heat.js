// How far back does each layer learn from? Its gradients by lag, as colours, with the numbers in a table beneath.

import { h, number, table } from "./dom.js";

const CELLS = 24;
const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Layers by lag; a colour is the share of the layer's largest gradient, on a log scale down to a thousandth. */
export function heatMap(layers) {
  const most = Math.max(...layers.map((layer) => layer.lags.length));
  const columns = Math.min(CELLS, most);
  const longest = layers.find((layer) => layer.lags.length === most).lags;
  const picked = Array.from({ length: columns }, (_, cell) => Math.round((cell * (most - 1)) / Math.max(1, columns - 1)));
  const [left, height, width] = [150, 28, 600 / columns];
  const cells = layers.flatMap((layer, row) => {
    const largest = Math.max(...layer.norms.map((norm) => norm ?? 0)) || 1;
    return picked.filter((lag) => lag < layer.norms.length).map((lag, cell) => {
      const share = (layer.norms[lag] ?? 0) / largest;
      const strength = share > 0 ? Math.max(0, 1 + Math.log10(share) / 3) : 0;
      return svg("rect", { x: left + cell * width, y: row * height, width: width - 1, height: height - 2, class: "heat", "fill-opacity": (0.04 + 0.96 * strength).toFixed(3) },
        svg("title", {}, `${layer.place}, ${layer.lags[lag]} steps back: ${number(layer.norms[lag])}`));
    });
  });
  const labels = layers.map((layer, row) => svg("text", { x: left - 8, y: row * height + 18, "text-anchor": "end" }, layer.place));
  const ends = [0, columns - 1].map((cell) => svg("text", { x: left + (cell + 0.5) * width, y: layers.length * height + 16, "text-anchor": cell ? "end" : "start" }, `lag ${longest[picked[cell]]}`));
  const drawing = svg("svg", { viewBox: `0 0 ${left + 600} ${layers.length * height + 24}`, role: "img", "aria-label": "Gradient by layer and lag; numbers below", class: "heatmap" }, ...cells, ...labels, ...ends);
  return h("figure", { class: "chart", "data-chart": "gradient flow", "data-count": String(cells.length) },
    h("figcaption", {}, h("span", {}, "Norm of each state's gradient, by steps back")), drawing,
    table("Gradients by layer", ["Layer", "Used memory", "Half-life", "Growth", "Saturation", "Dead units"], layers.map((layer) =>
      [layer.place, `${layer.memory} of ${layer.steps}`, number(layer.half_life), number(layer.growth), number(layer.saturation), number(layer.dead_units)])));
}
