// Which jobs are there, and how far are they?

import { all } from "../api.js";
import { empty, field, h, replace, seconds, select, status, table, time } from "../dom.js";

const STATES = ["queued", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"];
const REFRESH_MILLISECONDS = 2000;

export async function showJobs(content, { options, setOption, signal }) {
  const list = h("div", {});
  const wanted = { status: options.get("status") ?? "", kind: options.get("kind") ?? "" };
  const change = (name) => (value) => {
    wanted[name] = value;
    setOption(name, value);
    load();
  };
  const load = async () => {
    const query = Object.entries(wanted).filter(([, value]) => value).map(([name, value]) => `${name}=${value}`).join("&");
    const jobs = await all(`/v1/jobs?${query}`, 100, signal);
    if (!list.contains(document.activeElement) || !list.hasChildNodes()) replace(list, jobs.length ? jobTable(jobs) : nothing(wanted));
    return jobs;
  };
  content.append(h("h1", {}, "Jobs"),
    h("div", { class: "bar" },
      field("Status", select([["", "all"], ...STATES], wanted.status, change("status"))),
      field("Kind", select([["", "all"], "train", "backtest", "search"], wanted.kind, change("kind"))),
      h("a", { class: "button primary", href: "#/design" }, "Design and train")),
    list);
  await load();
  const again = setInterval(() => load().catch(() => {}), REFRESH_MILLISECONDS);
  signal.addEventListener("abort", () => clearInterval(again));
}

function nothing(wanted) {
  if (wanted.status || wanted.kind) return empty("No such job", "None of your jobs is of this status and kind.");
  return empty("No jobs yet", "Upload a data set under ", h("a", { href: "#/datasets" }, "Datasets"), ", then choose a network under ",
    h("a", { href: "#/design" }, "Design"), " and start a training.");
}

function jobTable(jobs) {
  return table("Jobs, newest first", ["Name", "Kind", "Status", "Progress", "Validation loss", "Asked for"], jobs.map((job) => [
    h("a", { href: `#/jobs/${job.id}` }, job.name), job.kind, status(job.status), progress(job),
    job.metrics.best?.val_loss?.toPrecision(4), time(job.created_at),
  ]));
}

export function progress(job) {
  const { fraction, eta_seconds: left } = job.progress;
  if (fraction === null || fraction === undefined) return "–";
  const words = `${Math.round(fraction * 100)} %`;
  return h("span", { class: "progress" }, h("progress", { value: fraction, max: 1, "aria-label": "Progress" }), ` ${words}`,
    job.status === "running" && left ? `, ${seconds(left)} left` : "");
}
