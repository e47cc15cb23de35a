// Which of up to ten jobs is better, and in what do they differ?

import { all, ask } from "../api.js";
import { chart, joined } from "../chart.js";
import { empty, field, h, number, replace, section, select, status, table } from "../dom.js";

const MOST = 10;

export async function showCompare(content, { options, setOption, signal }) {
  const jobs = await all("/v1/jobs", 100, signal);
  const chosen = new Set((options.get("jobs") ?? "").split(",").filter(Boolean).slice(0, MOST));
  const result = h("div", {});
  let metric = options.get("metric") ?? "val_loss";
  content.append(h("h1", {}, "Compare"));
  if (!jobs.length) {
    content.append(empty("No jobs to compare", "Start two trainings under ", h("a", { href: "#/design" }, "Design"), "."));
    return;
  }
  const show = () => draw(result, [...chosen], metric, signal).catch((error) => {
    if (!signal.aborted) replace(result, h("p", { class: "error", role: "alert" }, error.message));
  });
  content.append(h("section", {}, h("fieldset", { class: "choices" }, h("legend", {}, `Jobs, ${MOST} at most`), h("div", { class: "checks scroll", tabindex: "0", role: "group", "aria-label": "Jobs to compare" }, jobs.map((job) =>
    h("label", {}, h("input", { type: "checkbox", checked: chosen.has(job.id), value: job.id, onchange: (event) => {
      if (event.target.checked && chosen.size >= MOST) event.target.checked = false;
      chosen[event.target.checked ? "add" : "delete"](job.id);
      setOption("jobs", [...chosen].join(","));
      show();
    } }), ` ${job.name} `, h("small", {}, job.status))))),
  field("Metric", select(["val_loss", "train_loss", "best_val_loss", "lr", "grad_norm"], metric, (value) => {
    metric = value;
    setOption("metric", value);
    show();
  }))), result);
  await show();
}

async function draw(place, ids, metric, signal) {
  if (!ids.length) {
    replace(place, empty("Nothing chosen", "Choose two jobs or more above."));
    return;
  }
  const jobs = await Promise.all(ids.map(async (id) => {
    const path = `/v1/jobs/${encodeURIComponent(id)}`;
    const [job, metrics, report] = await Promise.all([ask(path, { signal }), ask(`${path}/metrics?names=${metric}&max_points=1000`, { signal }), ask(`${path}/report`, { signal })]);
    return { job, report, x: metrics.step, y: metrics.series[metric] ?? metrics.step.map(() => null), seq: metrics.last_seq };
  }));
  const plot = chart({ name: metric, series: jobs.map(({ job, x }) => ({ label: job.name, points: x.length < 60 })) });
  replace(place, section("Curves", plot.element), section("Leaderboard", leaderboard(jobs)), jobs.length > 1 ? section("Difference of documents", difference(jobs)) : null);
  plot.setData(joined(jobs), Math.max(...jobs.map((one) => one.seq)));
}

function leaderboard(jobs) {
  const rows = jobs.map(({ job, report }) => {
    const scores = report.backtest?.scores ?? report.scores;
    return { job, model: scores?.model ?? {}, base: scores?.seasonal_naive ?? {} };
  });
  rows.sort((a, b) => (a.model.mase ?? Infinity) - (b.model.mase ?? Infinity));
  return table("Jobs by MASE, the best first", ["Rank", "Job", "Status", "MASE", "Seasonal naive", "sMAPE", "Best validation loss"], rows.map(({ job, model, base }, place) => [
    place + 1, h("a", { href: `#/jobs/${job.id}` }, job.name), status(job.status), number(model.mase), number(base.mase), number(model.smape), number(job.metrics.best?.val_loss)]));
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
