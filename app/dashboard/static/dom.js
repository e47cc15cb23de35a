// How is a part of a page made? As elements whose text is text: nothing is ever parsed as HTML.

/** An element: `on*` are listeners, `class`, `data-*` and the rest are attributes; false and null leave one out. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const replace = (element, ...children) => {
  element.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

const shownAs = new WeakMap();

/** Renders anew only where `key` has changed; focus (by `data-focus`) and what was scrolled stay where they were. */
export function keep(element, key, make) {
  const signature = JSON.stringify(key);
  if (shownAs.get(element) === signature) return;
  shownAs.set(element, signature);
  const focus = element.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  const scrolled = [...element.querySelectorAll(".scroll")].map((one) => [one.getAttribute("aria-label"), one.scrollTop, one.scrollLeft]);
  replace(element, make());
  for (const [label, top, left] of scrolled) {
    const same = [...element.querySelectorAll(".scroll")].find((one) => one.getAttribute("aria-label") === label);
    if (same) Object.assign(same, { scrollTop: top, scrollLeft: left });
  }
  if (focus) [...element.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focus)?.focus();
}

/** Whether a moment of the API has no zone, as data have it that do not say where they are from: it is shown as it is. */
export const isNaive = (value) => typeof value === "string" && !/(Z|[+-]\d\d:?\d\d)$/.test(value);

/** A time in the viewer's zone, in UTC on hover. */
export function time(value) {
  if (!value && value !== 0) return "–";
  if (typeof value === "number") return String(value);
  if (isNaive(value)) return h("time", { datetime: value, title: `${value} (the data say no zone)` }, value.replace("T00:00:00", "").replace("T", " "));
  const moment = new Date(value);
  const shown = moment.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return h("time", { datetime: value, title: `${moment.toISOString().replace(/\.\d+Z/, "Z")} (UTC)` }, shown);
}

export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(digits)));
}

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 60) return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} s`;
  const minutes = Math.round(value / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(value) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  while (value >= 1000 && unit < 3) [value, unit] = [value / 1000, unit + 1];
  return `${Number(value.toFixed(unit ? 1 : 0))} ${units[unit]}`;
}

/** A table; on a narrow screen each row is a list of its own, which the roles are written out for. */
export function table(caption, columns, rows) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: "rows", role: "table" },
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", { role: "row" }, columns.map((name) => h("th", { scope: "col", role: "columnheader" }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", { role: "row" }, row.map((cell, at) => h("td", { role: "cell", "data-label": columns[at] }, cell ?? "–")))))));
}

export const empty = (title, ...what) => h("div", { class: "empty" }, h("h2", {}, title), h("p", {}, ...what));

export const status = (word) => h("span", { class: `status ${word}` }, word);

export const facts = (pairs) => h("dl", { class: "facts" },
  pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value ?? "–"))));

export const section = (title, ...children) => h("section", {}, h("h2", {}, title), ...children);

/** A labelled control. */
export function field(label, control, hint) {
  return h("label", { class: "field" }, h("span", {}, label), control, hint ? h("small", {}, hint) : null);
}

export const select = (options, value, onchange, label) => h("select", { onchange: (event) => onchange(event.target.value), "aria-label": label ?? null },
  options.map((option) => {
    const [key, words] = Array.isArray(option) ? option : [option, option];
    return h("option", { value: key, selected: key === value }, words);
  }));

/** A figure's buttons: its numbers as CSV, `[header, ...rows]`, and its drawing, a canvas, as PNG. */
export function takeAlong(name, cells, canvas) {
  const quoted = (cell) => `"${String(cell).replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`;
  const written = (cell) => (typeof cell === "number" ? String(cell) : cell === null || cell === undefined ? "" : quoted(cell));
  const toCsv = () => save(`${name}.csv`, new Blob([cells().map((row) => `${row.map(written).join(",")}\n`).join("")], { type: "text/csv" }));
  const toPng = () => canvas()?.toBlob((blob) => save(`${name}.png`, blob));
  return h("span", { class: "buttons" }, h("button", { type: "button", class: "quiet", "aria-label": `${name} as CSV`, onclick: toCsv }, "CSV"),
    h("button", { type: "button", class: "quiet", "aria-label": `${name} as PNG`, onclick: toPng }, "PNG"));
}

/** A colour or another value of the style sheet. */
export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function save(name, blob) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
