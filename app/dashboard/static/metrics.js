// What has a job measured so far? Lines by name, thinned on the way so that a million points are drawn as fast as a thousand.

import { ask } from "./api.js";

const MOST = 3000;
const PAGE_POINTS = 2000;

/** The ends, and the lowest and highest value of each of equal stretches, as the service thins. */
export function thinned({ x, y }, most = MOST) {
  const kept = new Set([0, x.length - 1]);
  const stretches = Math.floor(most / 2);
  for (let stretch = 0; stretch < stretches; stretch += 1) {
    const [start, end] = [stretch, stretch + 1].map((edge) => Math.floor((edge * x.length) / stretches));
    let [low, high] = [start, start];
    for (let at = start; at < end; at += 1) {
      if (y[at] < y[low]) low = at;
      if (y[at] > y[high]) high = at;
    }
    kept.add(low).add(high);
  }
  const places = [...kept].sort((a, b) => a - b);
  return { x: places.map((at) => x[at]), y: places.map((at) => y[at]) };
}

function append(line, step, value) {
  if (line.x.length && step <= line.x.at(-1)) return;
  line.x.push(step);
  line.y.push(value);
  if (line.x.length > 2 * MOST) Object.assign(line, thinned(line));
}

/** The lines of a job: read when they are first asked for, and grown by what is streamed. */
export function metricLines(path, signal) {
  const lines = new Map();
  const known = new Set();
  let last = 0;

  async function load(names, onPage) {
    const missing = names.filter((name) => !lines.has(name));
    if (!missing.length) return;
    for (const name of missing) lines.set(name, { x: [], y: [], streamed: [] });
    let [after, isMore] = [0, true];
    while (isMore) {
      const read = await ask(`${path}/metrics?names=${encodeURIComponent(missing.join())}&after=${after}&max_points=${PAGE_POINTS}`, { signal });
      for (const [name, values] of Object.entries(read.series)) {
        values.forEach((value, row) => { if (value !== null) append(lines.get(name), read.step[row], value); });
      }
      [after, isMore] = [read.last_seq, read.has_more];
      onPage();
    }
    // What was streamed meanwhile comes behind what was read.
    for (const name of missing) {
      const line = lines.get(name);
      for (const [step, value] of line.streamed) append(line, step, value);
      line.streamed = null;
    }
    last = Math.max(last, after);
  }

  return {
    load,
    known,
    line: (name) => lines.get(name) ?? { x: [], y: [] },
    seq: () => last,
    add({ step, ...values }, seq) {
      last = Math.max(last, seq);
      for (const [name, value] of Object.entries(values)) {
        if (typeof value !== "number") continue;
        known.add(name);
        const line = lines.get(name);
        if (line?.streamed) line.streamed.push([step, value]);
        else if (line) append(line, step, value);
      }
    },
  };
}
