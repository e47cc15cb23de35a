// How are numbers drawn? By uPlot, with a hidden table for who cannot see it, and as CSV and PNG for who takes them along.

import uPlot from "./vendor/uPlot.js";
import { css, h, isNaive, number, replace, takeAlong } from "./dom.js";

export const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8", "--c9", "--c10"];
const HEIGHT = 280;
const TABLE_ROWS = 24;
const WHOLE = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
const TABLE_MILLISECONDS = 500;

/** Charts that are on the page take their colours from the style anew. */
function redrawAll() {
  for (const figure of document.querySelectorAll("figure.chart")) figure.redraw?.();
}
document.addEventListener("theme", redrawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

/**
 * A chart: `setData([x, y1, ...], seq)` draws on.
 *
 * `series` are `{label, colour, dash, width, points, hidden}`; `bands` pairs of positions in `series` with the space between them filled;
 * `x` is "time" (seconds since 1970; `naive` ones are shown as they are, others in the viewer's zone), or what the numbers are, such as "step".
 */
export function chart({ name, series, bands = [], x = "step", naive = false, log = false, gaps = false }) {
  const place = h("div", { class: "plot" });
  const rows = h("div", { class: "hidden" });
  const figure = h("figure", { class: "chart", "data-chart": name, "data-count": "0", "data-seq": "0", "data-last": "" },
    h("figcaption", {}, h("span", {}, name), takeAlong(name, cells, canvas)),
    place, rows);
  let data = [[], ...series.map(() => [])];
  let plot = null;
  let isDue = false;
  let isTableDue = false;

  const options = () => ({
    width: Math.max(240, place.clientWidth), height: HEIGHT,
    cursor: { drag: { x: true, y: false } },
    legend: { live: true },
    tzDate: (at) => (naive ? uPlot.tzDate(new Date(at * 1000), "Etc/UTC") : new Date(at * 1000)),
    scales: { x: { time: x === "time" }, y: log ? { distr: 3 } : { range: (_, low, high) => padded(low, high) } },
    axes: [x === "time" ? axis() : { ...axis(), incrs: WHOLE }, axis(62)],
    bands: bands.map(([top, bottom]) => ({ series: [top + 1, bottom + 1], fill: () => css("--band") })),
    series: [{ label: x }, ...series.map((one, position) => ({
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
    if (!isTableDue) setTimeout(mirror, TABLE_MILLISECONDS);
    isTableDue = true;
  }

  function mirror() {
    isTableDue = false;
    const from = Math.max(0, data[0].length - TABLE_ROWS);
    const shown = data[0].slice(from).map((at, row) => [moment(at), ...data.slice(1).map((values) => number(values[from + row]))]);
    replace(rows, h("table", {}, h("caption", {}, `${name}: the last ${shown.length} of ${data[0].length} points`),
      h("thead", {}, h("tr", {}, [x, ...series.map((one) => one.label)].map((label) => h("th", { scope: "col" }, label)))),
      h("tbody", {}, shown.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell)))))));
  }

  const moment = (at) => (x === "time" ? new Date(at * 1000).toISOString().replace(".000Z", naive ? "" : "Z") : String(at));

  function cells() {
    const at = (value) => (x === "time" ? moment(value) : value);
    return [[x, ...series.map((one) => one.label)], ...data[0].map((value, row) => [at(value), ...data.slice(1).map((values) => values[row])])];
  }

  function canvas() {
    if (!plot) return null;
    const { canvas: drawn } = plot.ctx;
    const copy = h("canvas", { width: drawn.width, height: drawn.height });
    const context = copy.getContext("2d");
    context.fillStyle = css("--surface");
    context.fillRect(0, 0, copy.width, copy.height);
    context.drawImage(drawn, 0, 0);
    return copy;
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

/** Several `{x, y}`, each with rising x, over the union of their x: `[x, y1, ...]`, null where one has no value. */
export function joined(lines) {
  const sorted = Float64Array.from(lines.flatMap((line) => line.x)).sort();
  const xs = Array.from(sorted).filter((value, position) => position === 0 || value !== sorted[position - 1]);
  return [xs, ...lines.map((line) => {
    const column = new Array(xs.length).fill(null);
    let at = 0;
    line.x.forEach((value, position) => {
      while (xs[at] < value) at += 1;
      column[at] = line.y[position];
    });
    return column;
  })];
}

/** A moment of the API as a number of the x axis: seconds since 1970, or the whole number that it is. */
export const seconds = (moment) => (typeof moment === "number" ? moment : Date.parse(isNaive(moment) ? `${moment}Z` : moment) / 1000);

/** What an axis of such moments is: `{x, naive}` of a chart. */
export const axisOf = (moments) => (typeof moments[0] === "number" ? { x: "step" } : { x: "time", naive: isNaive(moments[0]) });
