// How does a job go? Its curves as they grow, how far it is, what it found, and what can be done to it.

import { ask } from "../api.js";
import { chart, smoothed } from "../chart.js";
import { facts, field, h, number, replace, seconds, section, select, status, table, time } from "../dom.js";
import { heatMap } from "../heat.js";
import { follow } from "../stream.js";
import { progress } from "./jobs.js";

const ENDED = ["succeeded", "failed", "cancelled"];
const REREAD_MILLISECONDS = 1500;
const ACTIONS = [
  ["cancel", "Cancel", ["queued", "running", "pausing", "paused"]],
  ["pause", "Pause", ["queued", "running"]],
  ["resume", "Resume", ["paused"]],
  ["retry", "Retry", ["failed", "cancelled"]],
];

export async function showJob(content, id, { options, setOption, signal }) {
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  const parts = Object.fromEntries(["head", "told", "curves", "report", "log"].map((name) => [name, h("div", { "data-part": name })]));
  content.append(...Object.values(parts));
  const curves = makeCurves(parts.curves, options, setOption);
  let job = await ask(path, { signal });
  document.title = `${job.name} · Braidcast`;

  const showHead = () => replace(parts.head, head(job, act), parts.head.dataset.said ? h("p", { class: "error", role: "alert" }, parts.head.dataset.said) : null);
  const act = async (verb) => {
    parts.head.dataset.said = "";
    try {
      job = await ask(`${path}/${verb}`, { method: "POST" });
      watch();
    } catch (error) {
      parts.head.dataset.said = error.message;
    }
    showHead();
    await reread();
  };
  const reread = async () => {
    job = await ask(path, { signal });
    const [report, events, attempts] = await Promise.all([
      ask(`${path}/report`, { signal }), ask(`${path}/events?limit=100`, { signal }), ask(`${path}/attempts`, { signal })]);
    showHead();
    replace(parts.report, reportOf(report));
    replace(parts.log, logOf(events.data, attempts.data));
    signal.throwIfAborted();
  };
  let due = null;
  const soon = () => { due ??= setTimeout(() => { due = null; reread().catch(() => {}); }, REREAD_MILLISECONDS); };
  let close = () => {};
  const watch = () => {
    close();
    if (ENDED.includes(job.status)) return;
    close = follow(id, curves.seq(), (kind, data, seq) => {
      if (kind === "metric") curves.add(data, seq);
      if (kind === "end" || kind === "state") reread().catch(() => {});
      else soon();
    });
  };
  signal.addEventListener("abort", () => { close(); clearTimeout(due); });
  for (let more = true; more;) {
    const read = await ask(`${path}/metrics?after=${curves.seq()}`, { signal });
    curves.addColumns(read);
    more = read.has_more;
  }
  await reread();
  watch();
}

function head(job, act) {
  const { progress: how } = job;
  return [
    h("p", { class: "crumbs" }, h("a", { href: "#/jobs" }, "Jobs")),
    h("div", { class: "title" }, h("h1", {}, job.name), status(job.status),
      h("span", { class: "buttons" }, ACTIONS.filter(([verb, , states]) => states.includes(job.status)).map(([verb, words]) =>
        h("button", { type: "button", "data-act": verb, onclick: () => act(verb) }, words)),
      h("a", { class: "button", href: `#/compare?jobs=${job.id}` }, "Compare"),
      h("a", { class: "button", href: `#/design?from=${job.id}` }, "Edit its document"),
      job.model ? h("a", { class: "button primary", href: `#/models/${job.model}` }, "Model") : null)),
    job.error ? h("p", { class: "error", role: "alert" }, job.error.message) : null,
    facts([
      ["Kind", job.kind], ["Progress", progress(job)], ["Phase", how.phase], ["Epoch", how.epoch === null ? null : `${how.epoch} of ${how.epochs}`],
      ["Training loss", number(job.metrics.train_loss)], ["Validation loss", number(job.metrics.val_loss)], ["Best validation loss", number(job.metrics.best?.val_loss)],
      ["Data set", h("a", { href: `#/datasets/${job.dataset}` }, `version ${job.dataset_version}`)],
      ["Asked for", time(job.created_at)], ["Began", time(job.started_at)], ["Ended", time(job.finished_at)], ["Attempt", `${job.attempt} of ${job.max_attempts}`],
    ]),
  ];
}

/** The curves: any of the metrics, on a log scale and smoothed as one wishes; the choice stands in the address. */
function makeCurves(place, options, setOption) {
  const columns = new Map();
  const steps = [];
  let last = 0;
  const chosen = new Set((options.get("metrics") ?? "train_loss,val_loss").split(","));
  const how = { log: options.get("log") === "1", smooth: Number(options.get("smooth") ?? 0) };
  let drawn = null;
  let listed = "";
  const plot = h("div", {});
  const names = h("fieldset", { class: "choices" }, h("legend", {}, "Metrics"));
  const choices = h("div", { class: "scroll checks", tabindex: "0", role: "group", "aria-label": "Metrics to draw" });
  names.append(choices);

  const build = () => {
    const shown = [...chosen].filter((name) => columns.has(name));
    if (!shown.length) return replace(plot, h("p", { class: "muted" }, columns.size ? "Choose a metric below." : "Curves begin with the first epoch."));
    drawn = { names: shown, chart: chart({ name: shown.join(", "), log: how.log, series: shown.map((label) => ({ label, points: steps.length < 60 })) }) };
    return replace(plot, drawn.chart.element);
  };
  const draw = () => {
    const shown = [...chosen].filter((name) => columns.has(name));
    if (!drawn || drawn.names.join() !== shown.join()) build();
    drawn?.chart.setData([[...steps], ...drawn.names.map((name) => smoothed(columns.get(name), how.smooth))], last);
    const found = [...columns.keys()].sort();
    if (listed === found.join()) return;
    listed = found.join();
    replace(choices, found.map((name) => h("label", {}, h("input", { type: "checkbox", checked: chosen.has(name), onchange: (event) => {
      chosen[event.target.checked ? "add" : "delete"](name);
      setOption("metrics", [...chosen].join(","));
      drawn = null;
      draw();
    } }), ` ${name}`)));
  };
  const rebuild = (name, value) => {
    how[name] = value;
    setOption(name, value === 0 ? null : value);
    drawn = null;
    draw();
  };
  const put = (name, row, value) => {
    if (!columns.has(name)) columns.set(name, new Array(row).fill(null));
    columns.get(name)[row] = value;
  };
  const grow = (step) => {
    steps.push(step);
    for (const column of columns.values()) column.push(null);
  };
  let isDue = false;
  const soon = () => {
    if (!isDue) setTimeout(() => { isDue = false; draw(); }, 50);
    isDue = true;
  };
  replace(place, section("Curves", h("div", { class: "bar" },
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "log", checked: how.log, onchange: (event) => rebuild("log", event.target.checked) }), " Log scale"),
    field("Smoothing", select([["0", "none"], ["0.6", "light"], ["0.9", "strong"], ["0.97", "very strong"]], String(how.smooth), (value) => rebuild("smooth", Number(value))))),
  plot, names));
  draw();
  return {
    seq: () => last,
    add({ step, ...values }, seq) {
      last = seq;
      if (steps.at(-1) !== step) grow(step);
      for (const [name, value] of Object.entries(values)) if (typeof value === "number") put(name, steps.length - 1, value);
      for (const column of columns.values()) while (column.length < steps.length) column.push(null);
      soon();
    },
    addColumns({ step, series, last_seq }) {
      last = last_seq;
      step.forEach((at, row) => {
        if (steps.at(-1) !== at) grow(at);
        for (const [name, values] of Object.entries(series)) if (values[row] !== null) put(name, steps.length - 1, values[row]);
      });
      for (const column of columns.values()) while (column.length < steps.length) column.push(null);
      soon();
    },
  };
}

function reportOf(report) {
  return [
    report.findings.length ? section("Findings", h("ul", { class: "findings" }, report.findings.map((one) =>
      h("li", { class: one.severity }, h("strong", {}, one.sentence), one.place ? h("code", {}, ` ${one.place}`) : null, h("br"), one.remedy)))) : null,
    report.phases.length ? section("Phases", table("Phases", ["Phase", "Parameters", "Epochs", "Best epoch", "Loss before", "Validation loss", "Took"],
      report.phases.map((one) => [one.is_reference ? `${one.name} (for comparison)` : one.name, number(one.parameters), one.epochs, one.best_epoch,
        number(one.val_loss_before), number(one.val_loss), seconds(one.seconds)]))) : null,
    report.comparison ? h("p", {}, report.comparison.sentence) : null,
    report.scores ? section("Scores", scoreTable(report.scores)) : null,
    report.gradients?.layers.length ? section("Gradient flow", heatMap(report.gradients.layers)) : null,
    report.backtest ? section("Backtest", scoreTable(report.backtest.scores)) : null,
  ];
}

export function scoreTable(scores) {
  const names = [...new Set(Object.values(scores).flatMap((one) => Object.keys(one)))];
  return table("Scores beside baselines", ["Forecaster", ...names], Object.entries(scores).map(([who, values]) =>
    [h("strong", {}, who.replaceAll("_", " ")), ...names.map((name) => number(values[name]))]));
}

function logOf(events, attempts) {
  return [
    attempts.length ? section("Attempts", table("Attempts", ["Attempt", "Worker", "Outcome", "From step", "Began", "Ended"], attempts.map((one) =>
      [one.attempt, one.worker, one.outcome ?? "running", one.resumed_from_step, time(one.started_at), time(one.ended_at)]))) : null,
    section("Events", table("Events", ["No.", "Kind", "When", "What"], events.map((one) =>
      [one.seq, one.kind, time(one.created_at), h("code", { class: "clip" }, JSON.stringify(one.data))]))),
  ];
}
