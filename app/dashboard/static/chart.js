// How are numbers drawn? By uPlot, with a hidden table for who cannot see it, and as CSV and PNG for who takes them along.

import uPlot from "./vendor/uPlot.js";
import { h, number, replace, save } from "./dom.js";

export const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8", "--c9", "--c10"];
const HEIGHT = 280;
const TABLE_ROWS = 24;

/** Charts that are on the page take their colours from the style anew. */
function redrawAll() {
  for (const figure of document.querySelectorAll("figure.chart")) figure.redraw?.();
}
document.addEventListener("theme", redrawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * A chart: `setData([x, y1, ...], seq)` draws on.
 *
 * `series` are `{label, colour, dash, width, points, hidden}`; `bands` pairs of positions in `series` with the space between them filled;
 * `x` is "step" or "time" (seconds since 1970).
 */
export function chart({ name, series, bands = [], x = "step", log = false, gaps = false }) {
  const place = h("div", { class: "plot" });
  const rows = h("div", { class: "hidden" });
  const figure = h("figure", { class: "chart", "data-chart": name, "data-count": "0", "data-seq": "0", "data-last": "" },
    h("figcaption", {}, h("span", {}, name), h("span", { class: "buttons" },
      h("button", { type: "button", class: "quiet", onclick: () => save(`${name}.csv`, new Blob([toCsv()], { type: "text/csv" })) }, "CSV"),
      h("button", { type: "button", class: "quiet", onclick: toPng }, "PNG"))),
    place, rows);
  let data = [[], ...series.map(() => [])];
  let plot = null;
  let isDue = false;

  const options = () => ({
    width: Math.max(240, place.clientWidth), height: HEIGHT,
    cursor: { drag: { x: true, y: false } },
    legend: { live: true },
    scales: { x: { time: x === "time" }, y: log ? { distr: 3 } : { range: (_, low, high) => padded(low, high) } },
    axes: [axis(), axis(62)],
    bands: bands.map(([top, bottom]) => ({ series: [top + 1, bottom + 1], fill: () => css("--band") })),
    series: [{ label: x === "time" ? "time" : "step" }, ...series.map((one, position) => ({
      label: one.label, show: !one.hidden, dash: one.dash, width: one.width ?? 1.75, spanGaps: !gaps && one.spanGaps !== false,
      stroke: () => css(one.colour ?? COLOURS[position % COLOURS.length]),
      points: { show: one.points }, value: (_, value) => number(value),
    }))],
  });

  function draw() {
    isDue = false;
    if (!figure.isConnected || !place.clientWidth) return;
    const drawn = log ? [data[0], ...data.slice(1).map((values) => values.map((value) => (value > 0 ? value : null)))] : data;
    if (plot) plot.setData(drawn);
    else plot = new uPlot(options(), drawn, place);
    place.querySelector("canvas").setAttribute("aria-hidden", "true");
    mirror();
  }

  function mirror() {
    const from = Math.max(0, data[0].length - TABLE_ROWS);
    const shown = data[0].slice(from).map((at, row) => [moment(at), ...data.slice(1).map((values) => number(values[from + row]))]);
    replace(rows, h("table", {}, h("caption", {}, `${name}: the last ${shown.length} of ${data[0].length} points`),
      h("thead", {}, h("tr", {}, [x, ...series.map((one) => one.label)].map((label) => h("th", { scope: "col" }, label)))),
      h("tbody", {}, shown.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell)))))));
  }

  const moment = (at) => (x === "time" ? new Date(at * 1000).toISOString().replace(".000Z", "Z") : String(at));

  function toCsv() {
    const quoted = (cell) => `"${String(cell).replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`;
    const lines = data[0].map((at, row) => [moment(at), ...data.slice(1).map((values) => values[row] ?? "")].join(","));
    return [[x, ...series.map((one) => quoted(one.label))].join(","), ...lines, ""].join("\n");
  }

  function toPng() {
    if (!plot) return;
    const canvas = plot.ctx.canvas;
    const copy = h("canvas", { width: canvas.width, height: canvas.height });
    const context = copy.getContext("2d");
    context.fillStyle = css("--surface");
    context.fillRect(0, 0, copy.width, copy.height);
    context.drawImage(canvas, 0, 0);
    copy.toBlob((blob) => save(`${name}.png`, blob));
  }

  const later = () => {
    if (!isDue) requestAnimationFrame(draw);
    isDue = true;
  };
  new ResizeObserver(() => (plot && place.clientWidth ? plot.setSize({ width: place.clientWidth, height: HEIGHT }) : later())).observe(place);
  figure.redraw = () => plot?.redraw();

  return {
    element: figure,
    setData(next, seq = 0) {
      data = next;
      const values = next[1] ?? [];
      figure.dataset.count = String(values.reduce((sum, value) => sum + (value === null || value === undefined ? 0 : 1), 0));
      figure.dataset.last = String(values.findLast((value) => value !== null && value !== undefined) ?? "");
      figure.dataset.seq = String(seq);
      later();
    },
  };
}

function axis(size) {
  return {
    stroke: () => css("--muted"), font: "12px system-ui, sans-serif", ...(size ? { size, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick, 4))) } : {}),
    grid: { stroke: () => css("--grid"), width: 1 }, ticks: { stroke: () => css("--grid"), width: 1 },
  };
}

function padded(low, high) {
  if (low === null || high === null) return [0, 1];
  const pad = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - pad, high + pad];
}

/** An exponential mean; `weight` 0 leaves the values as they are. Gaps stay gaps. */
export function smoothed(values, weight) {
  if (!weight) return values;
  let mean = 0;
  let mass = 0;
  return values.map((value) => {
    if (value === null || value === undefined) return value;
    mean = weight * mean + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return mean / mass;
  });
}

/** Several `{x, y}` over the union of their x: `[x, y1, ...]`, null where one has no value. */
export function joined(lines) {
  const xs = [...new Set(lines.flatMap((line) => line.x))].sort((a, b) => a - b);
  const place = new Map(xs.map((value, position) => [value, position]));
  return [xs, ...lines.map((line) => {
    const column = new Array(xs.length).fill(null);
    line.x.forEach((value, position) => { column[place.get(value)] = line.y[position]; });
    return column;
  })];
}

/** A moment of the API as a number of the x axis: seconds since 1970, or the whole number that it is. */
export const seconds = (moment) => (typeof moment === "number" ? moment : Date.parse(moment) / 1000);
