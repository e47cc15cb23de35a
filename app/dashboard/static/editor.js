// How is a document written? In a field of text with numbered lines, faults marked at their place, and completion from the schema.

import { completionsAt } from "./completion.js";
import { h, replace } from "./dom.js";
import { contextAt, placeOf } from "./places.js";

const MOST_SHOWN = 60;

/**
 * An editor: `element`, `text()`, `setText(text)`, `mark(faults)` with `{pointer}` or `{at}`, and `focusAt(from, to)`.
 *
 * `schema` is the document's; `names(key)` are words of the document itself; `changed()` hears of every change.
 */
export function makeEditor({ schema, names, changed, label }) {
  const area = h("textarea", { class: "editor", name: "document", spellcheck: "false", autocomplete: "off", autocapitalize: "off", wrap: "off", "aria-label": label,
    "aria-describedby": "faults completion-hint", "aria-autocomplete": "list", "aria-controls": "completions" });
  const gutter = h("div", { class: "gutter", "aria-hidden": "true" });
  const backdrop = h("pre", { class: "backdrop", "aria-hidden": "true" });
  const list = h("ul", { id: "completions", class: "completions", role: "listbox", "aria-label": "Completions", tabindex: "0", hidden: true,
    onmousedown: (event) => event.preventDefault() });
  const said = h("p", { class: "hidden", "aria-live": "polite" });
  const hint = h("p", { id: "completion-hint", class: "muted small" }, "Completions come while you type, or with Ctrl+Space: arrows choose, Enter takes, Escape closes.");
  const element = h("div", {}, h("div", { class: "code" }, gutter, backdrop, area, list), hint, said);
  let marks = [];
  let open = null;

  const paint = () => {
    const text = area.value;
    const lines = new Set(marks.map(({ from }) => text.slice(0, from).split("\n").length));
    const parts = [];
    let at = 0;
    for (const { from, to } of marks) {
      if (from < at) continue;
      parts.push(text.slice(at, from), h("mark", {}, text.slice(from, to)));
      at = to;
    }
    replace(backdrop, parts, text.slice(at), "\n");
    replace(gutter, text.split("\n").map((_, row) => h("div", { class: lines.has(row + 1) ? "fault" : null }, String(row + 1))));
    scroll();
  };
  const scroll = () => {
    [backdrop.scrollTop, backdrop.scrollLeft, gutter.scrollTop] = [area.scrollTop, area.scrollLeft, area.scrollTop];
  };
  const edited = () => {
    marks = [];
    paint();
    changed();
  };

  const close = () => {
    open = null;
    list.hidden = true;
    area.removeAttribute("aria-activedescendant");
  };
  const pick = (position) => {
    open.at = (position + open.found.length) % open.found.length;
    [...list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === open.at)));
    list.children[open.at].scrollIntoView({ block: "nearest" });
    area.setAttribute("aria-activedescendant", `completion-${open.at}`);
  };
  const complete = () => {
    const context = contextAt(area.value, area.selectionStart);
    const found = completionsAt(schema, context, names).slice(0, MOST_SHOWN);
    const isDone = found.length === 1 && found[0].label === context.word;
    if (!found.length || isDone) return close();
    open = { context, found, at: 0 };
    replace(list, found.map((one, at) => h("li", { id: `completion-${at}`, role: "option", "aria-selected": "false", onmousedown: () => take(at) }, h("span", {}, one.label), h("small", {}, one.detail))));
    list.hidden = false;
    place();
    said.textContent = `${found.length} completions`;
    return pick(0);
  };
  /** Below the caret, which a field of text does not tell: the width of its text in the same type does. */
  const place = () => {
    const before = area.value.slice(0, open.context.from).split("\n");
    const probe = h("span", {}, before.at(-1));
    replace(backdrop, probe);
    const line = Number.parseFloat(getComputedStyle(area).lineHeight);
    const left = area.offsetLeft + probe.offsetWidth - area.scrollLeft;
    paint();
    list.style.left = `${Math.max(0, Math.min(left, area.parentElement.clientWidth - list.offsetWidth))}px`;
    list.style.top = `${Math.min((before.length + 0.6) * line - area.scrollTop, area.clientHeight)}px`;
  };
  const take = (at) => {
    const { context: { from, to }, found } = open;
    const text = area.value;
    const insert = /^\s*:/.test(text.slice(to)) ? found[at].insert.replace(/: $/, "") : found[at].insert;
    close();
    area.setRangeText(insert, from, to, "end");
    edited();
    if (insert.endsWith(": ")) complete();
  };

  area.addEventListener("input", (event) => {
    edited();
    if (event.inputType?.startsWith("insertText") || (open && event.inputType?.startsWith("delete"))) complete();
    else close();
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === " " && event.ctrlKey) complete();
    else if (!open) return;
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") pick(open.at + (event.key === "ArrowDown" ? 1 : -1));
    else if (event.key === "Enter" || event.key === "Tab") take(open.at);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
  // A letter at the right edge scrolls the line: the list goes along.
  area.addEventListener("scroll", () => {
    scroll();
    if (open) place();
  });
  area.addEventListener("blur", close);

  return {
    element,
    text: () => area.value,
    setText(text) {
      area.value = text;
      close();
      edited();
    },
    /** Marks faults; the ranges of their places, `{from, to, line}`, in the order of the faults. */
    mark(faults) {
      const text = area.value;
      const places = faults.map(({ pointer, at }) => (at === undefined ? placeOf(text, pointer) : { from: Math.max(0, Math.min(at, text.length - 1)), to: text.length }));
      marks = [...places].sort((a, b) => a.from - b.from);
      area[faults.length ? "setAttribute" : "removeAttribute"]("aria-invalid", "true");
      paint();
      return places.map(({ from, to }) => ({ from, to, line: text.slice(0, from).split("\n").length }));
    },
    focusAt(from, to) {
      area.focus();
      area.setSelectionRange(from, to);
    },
  };
}
