// How large is the error, by how far ahead and by when? Drawn of one backtest or of several, beside seasonal naive.

import { chart, joined } from "./chart.js";
import { h } from "./dom.js";

const SCORE = "mae";
const BASELINE = "seasonal_naive";

const named = (name, who) => [name, who].filter(Boolean).join(" · ");

/** Lines of who forecasts: of one backtest all of them, of several their models and seasonal naive. */
function linesOf(jobs, rowsOf, xOf) {
  const lines = jobs.flatMap(({ name, backtest }, position) => {
    const rows = rowsOf(backtest);
    const others = Object.keys(backtest.scores).filter((who) => who !== "model" && (jobs.length === 1 || who === BASELINE));
    return ["model", ...others].map((who) => ({
      label: named(name, who.replaceAll("_", " ")), colour: `--c${(position % 10) + 1}`, isBaseline: who !== "model",
      x: rows.map(xOf), y: rows.map((row) => row.scores[who]?.[SCORE] ?? null) }));
  });
  // A baseline is the same for all jobs on the same data.
  return lines.filter((line, at) => !line.isBaseline || lines.findIndex((one) => one.isBaseline && String(one.y) === String(line.y)) >= at || jobs.length === 1);
}

function drawn(name, x, lines) {
  const single = new Set(lines.map((line) => line.colour)).size === 1;
  const plot = chart({ name, x, series: lines.map((line, position) => ({ label: line.label, points: true, dash: line.isBaseline ? [5, 4] : undefined,
    colour: single ? `--c${(position % 10) + 1}` : line.colour })) });
  plot.setData(joined(lines));
  return plot.element;
}

/** Mean absolute error by steps ahead. */
export const byStep = (jobs) => drawn("mean absolute error by horizon step", "horizon step", linesOf(jobs, (told) => told.steps, (row) => row.step));

/** Mean absolute error by cutoff, the oldest first; how much of a window a stored model was trained on is said beside. */
export function byWindow(jobs) {
  const told = jobs.flatMap(({ name, backtest }) => {
    const seen = backtest.windows.filter((window) => window.seen > 0).length;
    return seen ? [`${name || "The model"} had seen steps of ${seen} of ${backtest.windows.length} windows while it was trained.`] : [];
  });
  return [drawn("mean absolute error by backtest window", "window", linesOf(jobs, (one) => one.windows.map((row, position) => ({ ...row, position: position + 1 })), (row) => row.position)),
    told.map((words) => h("p", { class: "muted" }, words))];
}
