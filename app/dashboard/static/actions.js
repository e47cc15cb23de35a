// What can be done to a job, and in which states?

import { ask } from "./api.js";
import { h } from "./dom.js";

export const ENDED = ["succeeded", "failed", "cancelled"];
const ACTIONS = [
  ["cancel", "Cancel", ["queued", "running", "pausing", "paused"]],
  ["pause", "Pause", ["queued", "running"]],
  ["resume", "Resume", ["paused"]],
  ["retry", "Retry", ["failed", "cancelled"]],
];

/** A button for each thing that the state of a job allows; `told(job, error)` hears what came of it. */
export function actionsOf(job, told, label = (words) => words) {
  const act = (verb) => async (event) => {
    event.target.disabled = true;
    try {
      told(await ask(`/v1/jobs/${job.id}/${verb}`, { method: "POST" }), null);
    } catch (error) {
      told(job, error);
    }
    event.target.disabled = false;
  };
  return ACTIONS.filter(([, , states]) => states.includes(job.status)).map(([verb, words]) =>
    h("button", { type: "button", "data-act": verb, "data-focus": `${verb} ${job.id}`, "aria-label": label(words), onclick: act(verb) }, words));
}
