// Which jobs are there, how far are they, what waits, and who works?

import { actionsOf } from "../actions.js";
import { ask } from "../api.js";
import { empty, field, h, keep, seconds, section, select, status, table, time } from "../dom.js";

const STATES = ["queued", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"];
const REFRESH_MILLISECONDS = 2000;
const PAGE = 100;

export async function showJobs(content, { options, setOption, signal }) {
  const [list, more, said, service] = [h("div", {}), h("div", { class: "bar" }), h("p", { class: "error", role: "alert" }), h("div", {})];
  const wanted = { status: options.get("status") ?? "", kind: options.get("kind") ?? "" };
  let after = options.get("after") ?? "";
  const turn = (id) => {
    after = id;
    setOption("after", id);
    load();
  };
  const change = (name) => (value) => {
    wanted[name] = value;
    setOption(name, value);
    turn("");
  };
  const acted = (_, error) => {
    said.textContent = error?.message ?? "";
    load();
  };
  const load = async () => {
    const query = new URLSearchParams(Object.entries({ ...wanted, after, limit: PAGE }).filter(([, value]) => value));
    const page = await ask(`/v1/jobs?${query}`, { signal });
    keep(list, [page.data, wanted], () => (page.data.length ? h("section", {}, jobTable(page.data, acted)) : nothing(wanted)));
    keep(more, [after, page.next_after], () => [
      after ? h("button", { type: "button", "data-focus": "newest", onclick: () => turn("") }, "Newest") : null,
      page.has_more ? h("button", { type: "button", "data-focus": "older", onclick: () => turn(page.next_after) }, `Older than these ${PAGE}`) : null]);
    await operation(service, signal);
  };
  content.append(h("h1", {}, "Jobs"),
    h("div", { class: "bar" },
      field("Status", select([["", "all"], ...STATES], wanted.status, change("status"))),
      field("Kind", select([["", "all"], "train", "backtest", "search", "forecast"], wanted.kind, change("kind"))),
      h("a", { class: "button primary", href: "#/design" }, "Design and train")),
    said, list, more, service);
  await load();
  const again = setInterval(() => load().catch(() => {}), REFRESH_MILLISECONDS);
  signal.addEventListener("abort", () => clearInterval(again));
}

function nothing(wanted) {
  if (wanted.status || wanted.kind) return empty("No such job", "None of your jobs is of this status and kind.");
  return empty("No jobs yet", "Upload a data set under ", h("a", { href: "#/datasets" }, "Datasets"), ", then choose a network under ",
    h("a", { href: "#/design" }, "Design"), " and start a training.");
}

function jobTable(jobs, acted) {
  return table("Jobs, newest first", ["Name", "Kind", "Status", "Progress", "Validation loss", "Asked for", "Do"], jobs.map((job) => [
    h("a", { href: `#/jobs/${job.id}`, "data-focus": job.id }, job.name), job.kind, status(job.status), progress(job),
    job.metrics.best?.val_loss?.toPrecision(4), time(job.created_at), h("span", { class: "small buttons" }, actionsOf(job, acted, (words) => `${words} ${job.name}`))]));
}

export function progress(job) {
  const { fraction, eta_seconds: left } = job.progress;
  if (fraction === null || fraction === undefined) return "–";
  const words = `${Math.round(fraction * 100)} %`;
  return h("span", { class: "progress" }, h("progress", { value: fraction, max: 1, "aria-label": "Progress" }), ` ${words}`,
    job.status === "running" && left ? `, ${seconds(left)} left` : "");
}

/** What waits and who works, for all jobs of the deployment. */
async function operation(place, signal) {
  const [queues, workers] = await Promise.all([ask("/v1/queues", { signal }), ask("/v1/workers", { signal })]);
  const isSeen = ({ seen_at: at }) => Math.round((Date.now() - Date.parse(at)) / 10_000);
  keep(place, [queues, workers.data.map((one) => [{ ...one, seen_at: null }, isSeen(one)])], () => h("div", { class: "split" },
    section("Queues", table("Queues", ["Queue", "Waiting", "Running", "Longest wait", "Workers"], queues.data.map((one) =>
      [one.queue, one.waiting, one.running, seconds(one.oldest_wait_seconds), one.workers]))),
    section("Workers", workers.data.length
      ? table("Workers", ["Host", "Queues", "Device", "Busy", "Last seen"], workers.data.map((one) =>
        [one.host, one.queues.join(", "), one.device, `${one.running} of ${one.processes}`, one.is_silent ? h("strong", { class: "error" }, "silent since ", time(one.seen_at)) : time(one.seen_at)]))
      : h("p", {}, "Nobody works: jobs wait until ", h("code", {}, "braidcast worker"), " runs."))));
}
