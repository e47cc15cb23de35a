// Which columns does a network read, in which groups, and how far are they known? A form that gives the `inputs` of a document.

import { h, select, table } from "./dom.js";

const ROLES = { "": "left out", past: "known up to now", future: "known ahead", static: "never changes" };
const GROUPS = { past: "past", future: "ahead", static: "about" };
const NAME = /^[A-Za-z][\w-]{0,63}$/;
const EMBED = 4;

/**
 * The form; `done(inputs)` hears what was chosen.
 *
 * `covariates` are columns of numbers, `words` those of text, `features` what a calendar has (none where times are numbers).
 */
export function inputForm({ target, covariates, words, features, done }) {
  const said = h("p", { class: "error", role: "alert" });
  const rows = [...covariates.map((name) => row(name, ["", "past", "future"])), ...words.map((name) => row(name, ["", "static"]))];
  const calendar = features.map((name) => ({ name, box: h("input", { type: "checkbox", value: name }) }));
  const submit = (event) => {
    event.preventDefault();
    said.textContent = "";
    try {
      done(inputsOf(rows.map(({ name, role, group }) => ({ name, role: role.value, group: group.value.trim() })), calendar.filter(({ box }) => box.checked).map(({ name }) => name)));
    } catch (error) {
      said.textContent = error.message;
    }
  };
  return h("form", { onsubmit: submit },
    table("Columns and their groups", ["Column", "What is known of it", "Group"], [
      [h("strong", {}, target), "the target, up to now", "target"],
      ...rows.map(({ name, role, group }) => [name, role, group])]),
    calendar.length ? h("fieldset", { class: "choices" }, h("legend", {}, "Of the calendar, which is always known"), h("div", { class: "checks" },
      calendar.map(({ name, box }) => h("label", {}, box, ` ${name.replaceAll("_", " ")}`)))) : null,
    h("div", { class: "bar" }, h("button", { type: "submit" }, "Design with these inputs")), said);
}

function row(name, roles) {
  const group = h("input", { size: "12", "aria-label": `Group of ${name}`, spellcheck: "false", disabled: true });
  const role = select(roles.map((one) => [one, ROLES[one]]), "", (value) => {
    group.disabled = !value;
    group.value = GROUPS[value] ?? "";
  }, `What is known of ${name}`);
  return { name, role, group };
}

function inputsOf(rows, features) {
  const inputs = { target: { columns: ["y"] } };
  for (const { name, role, group } of rows.filter((one) => one.role)) {
    if (!NAME.test(group)) throw new Error(`${name}: a group has a name that begins with a letter, and ${JSON.stringify(group)} is none.`);
    if (group === "target") throw new Error(`${name}: the group "target" is the target's; take another name.`);
    const there = (inputs[group] ??= { columns: [], ...(role === "past" ? {} : { known: role }), ...(role === "static" ? { embed: EMBED } : {}) });
    if ((there.known ?? "past") !== role) throw new Error(`${name}: the group ${JSON.stringify(group)} is ${ROLES[there.known ?? "past"]}; what is ${ROLES[role]} needs another.`);
    there.columns.push(name);
  }
  if (features.length) inputs[inputs.calendar ? "calendar-features" : "calendar"] = { features };
  return inputs;
}
