// How is a job followed? By one event stream per tab: whoever opens the next ends the last.

import { back } from "./api.js";

const KINDS = ["state", "phase", "log", "checkpoint", "finding", "comparison", "inherited", "range_test", "gradients", "backtest", "forecast", "result", "trial", "window", "winner"];
let current = null;

/** Follows a job from a number on; calls `told(kind, data, seq)` for each event. The answer ends it. */
export function follow(job, after, told) {
  current?.();
  let seq = after;
  let source = null;
  let isOver = false;
  const open = () => {
    source = new EventSource(`/v1/jobs/${job}/stream?after=${seq}`);
    for (const kind of [...KINDS, "metric", "end"]) {
      source.addEventListener(kind, (event) => {
        seq = Number(event.lastEventId);
        if (kind === "end") close();
        told(kind, JSON.parse(event.data), seq);
      });
    }
    source.onerror = async () => {
      source.close();
      if (isOver) return;
      await back().catch(() => {});
      if (!isOver) open();
    };
  };
  const close = () => {
    isOver = true;
    source?.close();
    if (current === close) current = null;
  };
  current = close;
  open();
  return close;
}
