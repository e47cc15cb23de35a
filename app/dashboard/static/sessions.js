// What does a model carry of a stream? Sessions with it: begun with a series' history, moved on value by value, asked for what comes next.

import { all, ask } from "./api.js";
import { futureColumns, picture, tailOf } from "./forecast.js";
import { field, h, number, replace, table, time } from "./dom.js";

const LONGEST_HISTORY = 10_000;

export async function showSessions(place, model, { options, setOption, signal }) {
  const [list, open, said] = [h("div", {}), h("div", { "data-part": "session" }), h("p", { class: "error", role: "alert" })];
  const find = h("input", { name: "stream", list: "series-names", value: options.get("series") ?? "" });
  const guarded = (work) => async (event) => {
    event?.preventDefault();
    said.textContent = "";
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) said.textContent = error.message;
    }
  };
  const choose = async (session) => {
    setOption("session", session?.id ?? null);
    replace(open, session ? await opened(model, session, guarded, choose, signal) : null);
    await load();
  };
  const end = (session) => guarded(async () => {
    await ask(`/v1/sessions/${session.id}`, { method: "DELETE" });
    await choose(null);
  });
  const load = async () => {
    const sessions = await all(`/v1/models/${model.id}/sessions`, 100, signal);
    replace(list, sessions.length ? table("Sessions, newest first", ["Series", "Values since its history", "Begun", "Kept until", "Do"], sessions.map((one) => [
      one.unique_id, number(one.sequence), time(one.created_at), time(one.expires_at), h("span", { class: "small buttons" },
        h("button", { type: "button", "aria-label": `Open the session of ${one.unique_id}`, onclick: guarded(() => choose(one)) }, "Open"),
        h("button", { type: "button", "aria-label": `End the session of ${one.unique_id}`, onclick: end(one) }, "End"))]))
      : h("p", { class: "muted" }, "None. A session keeps what the model has seen of a stream, so that each new value costs the same however long it is."));
    return sessions;
  };
  const begin = guarded(async () => choose(await ask(`/v1/models/${model.id}/sessions`, { method: "POST", json: { series: await historyOf(model, find.value, signal) } })));
  replace(place, list, h("form", { class: "bar", onsubmit: begin }, field("Series", find, "of the model's own data"), h("button", { type: "submit" }, "Begin a session")), said, open);
  const sessions = await load();
  find.value ||= (await ask(`/v1/datasets/${model.dataset}/series?limit=1`, { signal })).data[0].unique_id;
  const wanted = sessions.find((one) => one.id === options.get("session"));
  if (wanted) await choose(wanted);
}

/** A series of the data as a session's request has it: what is known ahead stands behind the newest observed value. */
async function historyOf(model, unique, signal) {
  const points = await tailOf(model, unique, signal, LONGEST_HISTORY);
  const end = points.values.y.findLastIndex((value) => value !== null) + 1;
  const ahead = futureColumns(model);
  const read = Object.values(model.architecture.inputs ?? {}).filter((one) => one.known !== "static").flatMap((one) => one.columns ?? []);
  const columns = read.filter((name) => name !== "y" && points.values[name]);
  return { unique_id: unique, start: points.timestamps[0], target: points.values.y.slice(0, end),
    past: Object.fromEntries(columns.map((name) => [name, points.values[name].slice(0, end)])),
    future: Object.fromEntries(columns.filter((name) => ahead.includes(name)).map((name) => [name, points.values[name].slice(end)])) };
}

async function opened(model, session, guarded, choose, signal) {
  const made = await ask(`/v1/sessions/${session.id}/forecast?levels=80&levels=95`, { signal });
  const value = h("input", { name: "value", inputmode: "decimal", size: "10", autocomplete: "off" });
  const columns = Object.values(model.architecture.inputs ?? {}).filter((one) => (one.known ?? "past") === "past").flatMap((one) => one.columns ?? []).filter((name) => name !== "y");
  const others = columns.map((name) => [name, h("input", { name, inputmode: "decimal", size: "10" })]);
  const points = await tailOf(model, session.unique_id, signal).catch(() => ({ timestamps: [], values: { y: [] } }));
  // What the data know behind the step that is folded in; somebody may know better.
  const behind = points.values.y.findLastIndex((one) => one !== null) + 1 + session.sequence + 1;
  const ahead = futureColumns(model).map((name) => [name, h("input", { name: `${name} ahead`, size: "20", value: (points.values[name] ?? []).slice(behind, behind + model.horizon).join(" ") })]);
  const observe = guarded(async () => {
    const json = { sequence: session.sequence + 1, target: [read(value.value)], past: Object.fromEntries(others.map(([name, input]) => [name, [read(input.value)]])),
      future: Object.fromEntries(ahead.filter(([, input]) => input.value.trim()).map(([name, input]) => [name, input.value.trim().split(/\s+/).map(read)])) };
    await choose(await ask(`/v1/sessions/${session.id}/observations`, { method: "POST", json }));
  });
  return [h("h3", {}, `The session of ${session.unique_id}, after ${number(session.sequence)} values`), picture(`${session.unique_id} in its session`, points, made),
    h("form", { class: "bar", onsubmit: observe }, field("Next value", value, "empty: not observed"), others.map(([name, input]) => field(name, input)), ahead.map(([name, input]) => field(`${name}, from the step after on`, input)), h("button", { type: "submit" }, "Fold it in"))];
}

function read(words) {
  const text = words.trim();
  if (text && Number.isNaN(Number(text))) throw new Error(`${JSON.stringify(text)} is no number; leave it empty where nothing was observed.`);
  return text ? Number(text) : null;
}
