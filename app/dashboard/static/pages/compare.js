// Which of up to ten jobs is better, in what do they differ, and how far ahead do they hold?

import { all, ask } from "../api.js";
import { byStep, byWindow } from "../backtests.js";
import { chart, joined, smoothed } from "../chart.js";
import { empty, field, h, number, replace, section, select, status, table } from "../dom.js";
import { ENDED } from "../actions.js";

const MOST = 10;
const LISTED = 100;
const METRICS = ["val_loss", "train_loss", "best_val_loss", "lr", "grad_norm"];
const REREAD_MILLISECONDS = 2000;

export async function showCompare(content, { options, setOption, signal }) {
  const chosen = new Set((options.get("jobs") ?? "").split(",").filter(Boolean).slice(0, MOST));
  const listed = await all("/v1/jobs", LISTED, signal);
  // A link may name an older job than those that are listed.
  const older = await Promise.all([...chosen].filter((id) => !listed.some((job) => job.id === id)).map((id) => ask(`/v1/jobs/${encodeURIComponent(id)}`, { signal })));
  const jobs = [...listed, ...older];
  content.append(h("h1", {}, "Compare"));
  if (!jobs.length) {
    content.append(empty("No jobs to compare", "Start two trainings under ", h("a", { href: "#/design" }, "Design"), "."));
    return;
  }
  const result = h("div", {});
  const how = { metric: options.get("metric") ?? "val_loss", log: options.get("log") === "1", smooth: Number(options.get("smooth") ?? 0) };
  let due = null;
  const show = () => {
    clearTimeout(due);
    return draw(result, [...chosen], how, signal, () => { due = setTimeout(show, REREAD_MILLISECONDS); }).catch((error) => {
      if (!signal.aborted) replace(result, h("p", { class: "error", role: "alert" }, error.message));
    });
  };
  signal.addEventListener("abort", () => clearTimeout(due));
  const change = (name) => (value) => {
    how[name] = value;
    setOption(name, value === 0 ? null : value);
    show();
  };
  const boxes = jobs.map((job) => h("label", {}, h("input", { type: "checkbox", checked: chosen.has(job.id), value: job.id, onchange: (event) => {
    chosen[event.target.checked ? "add" : "delete"](job.id);
    bound();
    setOption("jobs", [...chosen].join());
    show();
  } }), ` ${job.name} `, h("small", {}, job.kind === "train" ? job.status : `${job.kind}, ${job.status}`)));
  const bound = () => {
    for (const box of boxes.map((one) => one.querySelector("input"))) box.disabled = chosen.size >= MOST && !box.checked;
  };
  bound();
  content.append(h("section", {}, h("fieldset", { class: "choices" }, h("legend", {}, `Jobs, ${MOST} at most`),
    h("div", { class: "checks scroll", tabindex: "0", role: "group", "aria-label": "Jobs to compare" }, boxes)),
  h("div", { class: "bar" }, field("Metric", select(METRICS, how.metric, change("metric"))),
    field("Smoothing", select([["0", "none"], ["0.6", "light"], ["0.9", "strong"]], String(how.smooth), (value) => change("smooth")(Number(value)))),
    h("label", { class: "check" }, h("input", { type: "checkbox", checked: how.log, onchange: (event) => change("log")(event.target.checked) }), " Log scale"))), result);
  await show();
}

async function draw(place, ids, how, signal, again) {
  if (!ids.length) {
    replace(place, empty("Nothing chosen", "Choose two jobs or more above."));
    return;
  }
  const [backtests, ...jobs] = await Promise.all([all("/v1/jobs?kind=backtest", LISTED, signal), ...ids.map((id) => read(id, how, signal))]);
  for (const one of jobs) one.backtest = one.report.backtest ?? await newest(backtests, one.job.model, signal);
  const plot = chart({ name: how.metric, log: how.log, series: jobs.map(({ job, x }) => ({ label: job.name, points: x.length < 60 })) });
  const tested = jobs.filter((one) => one.backtest).map(({ job, backtest }) => ({ name: job.name, backtest }));
  replace(place, section("Curves", plot.element), section("Leaderboard", leaderboard(jobs)),
    tested.length ? section("Error by horizon step", byStep(tested)) : null,
    tested.length ? section("Error by window", byWindow(tested)) : null,
    untested(jobs, backtests, again),
    jobs.length > 1 ? section("Difference of documents", difference(jobs)) : null);
  plot.setData(joined(jobs), Math.max(...jobs.map((one) => one.seq)));
}

async function read(id, { metric, smooth }, signal) {
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  const [job, metrics, report] = await Promise.all([ask(path, { signal }), ask(`${path}/metrics?names=${metric}&max_points=1000`, { signal }), ask(`${path}/report`, { signal })]);
  return { job, report, x: metrics.step, y: smoothed(metrics.series[metric] ?? metrics.step.map(() => null), smooth), seq: metrics.last_seq };
}

/** What the newest backtest of a model came to. */
async function newest(backtests, model, signal) {
  const found = model && backtests.find((job) => job.init_from === model && job.status === "succeeded");
  return found ? (await ask(`/v1/jobs/${found.id}/report`, { signal })).backtest : null;
}

/** What has models without a backtest: a button that asks for one of each, or how far those are. */
function untested(jobs, backtests, again) {
  const without = jobs.filter((one) => !one.backtest && one.job.model);
  if (!without.length) return null;
  const running = backtests.filter((job) => without.some((one) => one.job.model === job.init_from) && !ENDED.includes(job.status));
  if (running.length) again();
  const said = h("p", { class: "error", role: "alert" });
  const start = async () => {
    try {
      for (const { job } of without) await ask("/v1/jobs", { method: "POST", json: { kind: "backtest", model: job.model, name: `backtest ${job.name}`.slice(0, 128) } });
      again();
    } catch (error) {
      said.textContent = error.message;
    }
  };
  return section("Backtest", running.length
    ? h("p", { role: "status" }, "At work: ", running.map((job, position) => [position ? ", " : "", h("a", { href: `#/jobs/${job.id}` }, job.name)]), ".")
    : [h("p", {}, `Not tested at earlier cutoffs yet: ${without.map((one) => one.job.name).join(", ")}. A backtest says how the error grows with the horizon, and whether it holds over time.`),
      h("button", { type: "button", onclick: start }, without.length > 1 ? "Backtest them" : "Backtest it"), said]);
}

/** Jobs by MASE, and with them the baselines of the same data. */
function leaderboard(jobs) {
  const rows = jobs.map(({ job, report, backtest }) => {
    const scores = report.scores ?? backtest?.scores ?? {};
    return { job, scores: scores.model ?? {}, base: scores.seasonal_naive };
  });
  const seen = new Set();
  for (const { job, base } of [...rows]) {
    const key = JSON.stringify([job.dataset, base]);
    if (base && !seen.has(key)) rows.push({ job: null, scores: base, of: job.name });
    seen.add(key);
  }
  rows.sort((a, b) => (a.scores.mase ?? Infinity) - (b.scores.mase ?? Infinity));
  return table("Jobs and baselines by MASE, the best first", ["Rank", "Forecaster", "Status", "MASE", "sMAPE", "MAE", "Best validation loss"], rows.map(({ job, scores, of }, place) => [
    place + 1, job ? h("a", { href: `#/jobs/${job.id}` }, job.name) : h("em", {}, seen.size > 1 ? `seasonal naive, on the data of ${of}` : "seasonal naive"),
    job ? status(job.status) : "baseline", number(scores.mase), number(scores.smape), number(scores.mae), job ? number(job.metrics.best?.val_loss) : null]));
}

/** What a document says, by the pointer of each value. */
function flat(value, pointer = "") {
  if (value === null || typeof value !== "object") return [[pointer || "/", JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, one]) => flat(one, `${pointer}/${key}`));
}

function difference(jobs) {
  const documents = jobs.map(({ job }) => new Map(flat(job.architecture)));
  const pointers = [...new Set(documents.flatMap((one) => [...one.keys()]))].sort();
  const rows = pointers.filter((pointer) => new Set(documents.map((one) => one.get(pointer))).size > 1);
  if (!rows.length) return h("p", { class: "muted" }, "The documents are the same.");
  return table("Values that differ", ["Place", ...jobs.map(({ job }) => job.name)], rows.map((pointer) => [h("code", {}, pointer), ...documents.map((one) => h("code", {}, one.get(pointer) ?? "–"))]));
}
