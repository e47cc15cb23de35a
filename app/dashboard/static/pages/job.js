// How does a job go? Its curves as they grow, how far it is, what it found, and what can be done to it.

import { ENDED, actionsOf } from "../actions.js";
import { ask } from "../api.js";
import { makeCurves } from "../curves.js";
import { facts, h, keep, number, status, time } from "../dom.js";
import { logOf, reportOf } from "../report.js";
import { follow } from "../stream.js";
import { progress } from "./jobs.js";

const REREAD_MILLISECONDS = 1500;
const EVENTS = 500;

export async function showJob(content, id, page) {
  const { signal } = page;
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  const parts = Object.fromEntries(["title", "facts", "curves", "report", "log"].map((name) => [name, h("div", { "data-part": name })]));
  content.append(...Object.values(parts));
  let job = await ask(path, { signal });
  let failure = null;
  const pace = paceOf();
  const events = [];
  let seen = 0;
  document.title = `${job.name} · Braidcast`;
  const curves = makeCurves(parts.curves, path, Object.keys(job.metrics).filter((name) => name !== "best"), page);

  const showHead = () => {
    keep(parts.title, [job.name, job.status, job.model, job.error, failure?.message], () => title(job, acted, failure));
    const steps = pace(job);
    keep(parts.facts, [job, steps], () => factsOf(job, steps));
  };
  const acted = async (changed, error) => {
    [job, failure] = [changed, error];
    showHead();
    watch();
    await reread();
  };
  const readEvents = async () => {
    for (let more = true; more;) {
      const read = await ask(`${path}/events?after=${seen}&limit=${EVENTS}`, { signal });
      if (read.data.length && read.data[0].seq <= seen) return;
      events.push(...read.data);
      [seen, more] = [read.last_seq, read.has_more];
    }
  };
  const reread = async () => {
    job = await ask(path, { signal });
    showHead();
    const [report, attempts, checkpoints] = await Promise.all(
      [ask(`${path}/report`, { signal }), ask(`${path}/attempts`, { signal }), ask(`${path}/checkpoints`, { signal }), readEvents()]);
    signal.throwIfAborted();
    keep(parts.report, report, () => reportOf(report));
    keep(parts.log, [events.length, attempts, checkpoints], () => logOf(events, attempts.data, checkpoints.data, ENDED.includes(job.status)));
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
  showHead();
  // The page is shown meanwhile: a million points take a while, and are drawn as they come.
  const filled = curves.load().then(watch);
  await reread();
  filled.catch((error) => { if (!signal.aborted) acted(job, error); });
}

function title(job, acted, failure) {
  return [
    h("p", { class: "crumbs" }, h("a", { href: "#/jobs" }, "Jobs")),
    h("div", { class: "title" }, h("h1", {}, job.name), status(job.status),
      h("span", { class: "buttons" }, actionsOf(job, acted),
        h("a", { class: "button", href: `#/compare?jobs=${job.id}`, "data-focus": "compare" }, "Compare"),
        h("a", { class: "button", href: `#/design?from=${job.id}`, "data-focus": "edit" }, "Edit its document"),
        job.model ? h("a", { class: "button primary", href: `#/models/${job.model}`, "data-focus": "model" }, "Model") : null)),
    job.error ? h("p", { class: "error", role: "alert" }, job.error.message, job.error.retryable ? " A retry may help." : "") : null,
    failure ? h("p", { class: "error", role: "alert" }, failure.message) : null,
  ];
}

/** Steps a second since the page was opened, as its readings of a job that runs say; null where they do not yet. */
function paceOf() {
  let first = null;
  return ({ status: state, progress: { step } }) => {
    if (state !== "running" || !step) first = null;
    else first ??= { step, at: performance.now() };
    const passed = first ? (performance.now() - first.at) / 1000 : 0;
    return first && step > first.step && passed > 1 ? Number(((step - first.step) / passed).toPrecision(2)) : null;
  };
}

function factsOf(job, pace) {
  const { progress: how } = job;
  return facts([
    ["Kind", job.kind], ["Progress", progress(job)], ["Phase", how.phase], ["Epoch", how.epoch === null ? null : `${how.epoch} of ${how.epochs}`],
    ["Steps a second", number(pace)], ["Training loss", number(job.metrics.train_loss)], ["Validation loss", number(job.metrics.val_loss)], ["Best validation loss", number(job.metrics.best?.val_loss)],
    ["Data set", h("a", { href: `#/datasets/${job.dataset}`, "data-focus": "dataset" }, `version ${job.dataset_version}`)],
    ["Asked for", time(job.created_at)], ["Began", time(job.started_at)], ["Ended", time(job.finished_at)], ["Attempt", `${job.attempt} of ${job.max_attempts}`],
    ...(job.parent ? [["Helps", h("a", { href: `#/jobs/${job.parent}`, "data-focus": "parent" }, "its search")]] : []),
    ...(job.init_from ? [["Of the model", h("a", { href: `#/models/${job.init_from}`, "data-focus": "origin" }, "show")]] : []),
  ]);
}
