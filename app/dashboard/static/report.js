// What came of a job? Findings with remedies, phases, scores, gradients, windows, trials; and how it went: attempts, checkpoints, events.

import { byStep, byWindow } from "./backtests.js";
import { bytes, h, number, seconds, section, table, time } from "./dom.js";
import { gradientLines, gradientTable, heatMap } from "./heat.js";

const EVENTS_SHOWN = 200;
const LONGEST_WORDS = 240;
const WHY = {
  succeeded: "It came to its end.",
  failed: "It failed.",
  lost: "Its worker was not heard of any more.",
  released: "Its worker was asked to end; the job went on from its checkpoint.",
  paused: "It was paused.",
  cancelled: "It was cancelled.",
};

export function reportOf(report) {
  return [
    report.findings.length ? section("Findings", h("ul", { class: "findings" }, report.findings.map((one) =>
      h("li", { class: one.severity }, h("strong", {}, one.sentence), one.place ? h("code", {}, ` ${one.place}`) : null, h("br"), one.remedy)))) : null,
    report.phases.length ? section("Phases", table("Phases", ["Phase", "Parameters", "Epochs", "Best epoch", "Loss before", "Validation loss", "Took"],
      report.phases.map((one) => [one.is_reference ? `${one.name} (for comparison)` : one.name, number(one.parameters), one.epochs, one.best_epoch,
        number(one.val_loss_before), number(one.val_loss), seconds(one.seconds)]))) : null,
    report.comparison ? h("p", {}, report.comparison.sentence) : null,
    report.search ? section("Trials", report.search.sentence ? h("p", {}, report.search.sentence) : null, trials(report.search)) : null,
    report.scores ? section("Scores on steps that training never saw", scoreTable(report.scores)) : null,
    report.gradients?.layers.length ? section("Gradient flow", heatMap(report.gradients.layers), gradientLines(report.gradients.layers),
      gradientTable(report.gradients.layers)) : null,
    report.backtest ? backtest(report.backtest) : null,
    report.forecast ? section("Forecasts", h("p", {}, `${number(report.forecast.series)} series, ${number(report.forecast.series_left_out)} left out. `,
      h("a", { href: `/v1/jobs/${report.job}/result`, download: "" }, `Download (${report.forecast.format})`))) : null,
  ];
}

function backtest(told) {
  const one = [{ name: "", backtest: told }];
  return [
    section("Backtest", scoreTable(told.scores), told.notes.map((words) => h("p", { class: "muted" }, words)), coverageTable(told.intervals)),
    section("Error by horizon step", byStep(one)),
    section("Error by window", byWindow(one)),
  ];
}

/** How often observed values lie in the intervals, beside how often they should. */
export function coverageTable(intervals) {
  const percent = (share) => (share === null || share === undefined ? "–" : `${number(100 * share, 3)} %`);
  return table("Coverage of the intervals", ["Interval", "Covers", "After correction", "MSIS"], intervals.map((one) =>
    [`${one.level} %`, percent(one.coverage), percent(one.corrected?.coverage), number(one.msis)]));
}

function trials({ leaderboard, metric }) {
  return table(`Trials by ${metric ?? "score"}, the best first`, ["Trial", "State", "Score", "Standard error", "Parameters", "Drawn", "Took"], leaderboard.map((one) => [
    one.is_winner ? h("strong", {}, `${one.name} (chosen)`) : one.name.replaceAll("_", " "), one.state, number(one.score), number(one.standard_error), number(one.parameters),
    h("code", { class: "clip" }, Object.entries(one.drawn).map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(", ") || "–"), seconds(one.seconds)]));
}

export function scoreTable(scores) {
  if (Object.values(scores).every((one) => Object.values(one).every((value) => value === null))) {
    return h("p", { class: "muted" }, "It has none: nothing was observed on the steps that were held back.");
  }
  const names = [...new Set(Object.values(scores).flatMap((one) => Object.keys(one)))];
  return table("Scores beside baselines", ["Forecaster", ...names], Object.entries(scores).map(([who, values]) =>
    [h("strong", {}, who.replaceAll("_", " ")), ...names.map((name) => number(values[name]))]));
}

export function logOf(events, attempts, checkpoints, hasEnded) {
  const told = (attempt) => events.findLast((one) => one.attempt === attempt && one.kind === "state" && one.data.error)?.data.error.message;
  const newest = events.slice(-EVENTS_SHOWN).reverse();
  return [
    attempts.length ? section("Attempts", table("Attempts", ["Attempt", "Worker", "Outcome", "Why it ended", "From step", "Began", "Ended"], attempts.map((one) =>
      [one.attempt, one.worker, one.outcome ?? "running", one.outcome ? told(one.attempt) ?? WHY[one.outcome] ?? one.outcome : null, one.resumed_from_step,
        time(one.started_at), time(one.ended_at)]))) : null,
    section("Checkpoints", checkpoints.length
      ? table("Checkpoints", ["Step", "Attempt", "Best so far", "Size", "Written"], checkpoints.map((one) => [number(one.step), one.attempt, one.is_best ? "yes" : "no", bytes(one.size_bytes), time(one.created_at)]))
      : h("p", { class: "muted" }, hasEnded ? "None: what has ended well needs none." : "None yet: the first comes with the first epochs.")),
    section("Events", events.length > newest.length ? h("p", { class: "muted" }, `The newest ${newest.length} of ${number(events.length)}.`) : null,
      table("Events, newest first", ["No.", "Kind", "When", "What"], newest.map((one) => [one.seq, one.kind, time(one.created_at), h("code", { class: "clip" }, words(one))]))),
  ];
}

function words({ data }) {
  const text = data.message ?? data.sentence ?? JSON.stringify(data);
  return text.length > LONGEST_WORDS ? `${text.slice(0, LONGEST_WORDS)} ...` : text;
}
