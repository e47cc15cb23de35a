// How does the dashboard ask the service? With its cookie; a failure says what the service said, and an absence shows as a banner.

export class Failure extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? `The service answered ${status}.`);
    this.status = status;
    this.errors = problem.errors ?? [];
  }
}

const RETRY_MILLISECONDS = 1500;
const banner = () => document.getElementById("away");
let onSignedOut = () => {};
let isAway = false;

export const whenSignedOut = (listener) => { onSignedOut = listener; };

/** The service's answer, decoded. Waits while the service is away where `waits` is set, which is what reading does. */
export async function ask(path, { method = "GET", json, body, headers = {}, signal, waits = method === "GET" } = {}) {
  for (;;) {
    let answer;
    try {
      answer = await fetch(path, {
        method, signal, credentials: "same-origin",
        headers: { ...(json === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
        body: json === undefined ? body : JSON.stringify(json),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      setAway();
      if (!waits) throw new Failure(0, { detail: "The service does not answer; try again when the banner is gone." });
      await back(signal);
      continue;
    }
    if (answer.status === 503 && waits) {
      setAway();
      await back(signal);
      continue;
    }
    if (isAway) setBack();
    if (answer.status === 204) return null;
    const decoded = await answer.json().catch(() => ({}));
    if (answer.ok) return decoded;
    if (answer.status === 401 && path !== "/v1/session") onSignedOut();
    throw new Failure(answer.status, decoded);
  }
}

function setAway() {
  isAway = true;
  banner().hidden = false;
}

function setBack() {
  isAway = false;
  banner().hidden = true;
}

let waiting = null;

/** Resolves once the service is ready again; however many wait, one asks. */
export async function back(signal) {
  setAway();
  waiting ??= poll().finally(() => { waiting = null; });
  await waiting;
  signal?.throwIfAborted();
}

async function poll() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
    const ready = await fetch("/health/ready").then((answer) => answer.ok, () => false);
    if (ready) return setBack();
  }
}

/** Up to `most` of a collection. */
export async function all(path, most = 200, signal) {
  const found = [];
  let after = null;
  do {
    const join = path.includes("?") ? "&" : "?";
    const page = await ask(`${path}${join}limit=100${after ? `&after=${encodeURIComponent(after)}` : ""}`, { signal });
    found.push(...page.data);
    after = page.has_more ? page.next_after : null;
  } while (after && found.length < most);
  return found;
}
