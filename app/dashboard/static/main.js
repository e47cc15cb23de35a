// What is shown? The page that the address names after its `#`: `#/jobs/job_1?log=1` is the page `jobs` of one job with its options.

import { ask, whenSignedOut } from "./api.js";
import { h, replace } from "./dom.js";
import { signIn } from "./pages/signin.js";
import { pages } from "./pages/index.js";

const main = document.getElementById("main");
const nav = document.querySelector("header nav");
const tools = document.querySelector("header .tools");
let shown = null;

/** The page, its arguments and its options, as the address says. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/").map(decodeURIComponent);
  return { name: name || "jobs", rest, options: new URLSearchParams(query) };
}

/** Writes an option of the page into the address without a step in the history. */
export function setOption(name, value) {
  const { options } = place();
  if (value === null || value === "" || value === false) options.delete(name);
  else options.set(name, value === true ? "1" : value);
  const query = options.toString();
  history.replaceState(null, "", `${location.hash.split("?")[0]}${query ? `?${query}` : ""}`);
}

async function show() {
  if (location.hash === "#main") return;
  shown?.abort();
  const controller = new AbortController();
  shown = controller;
  const { name, rest, options } = place();
  const page = pages[name] ?? pages.jobs;
  for (const link of nav.querySelectorAll("a")) {
    if (link.hash === `#/${page.nav}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    const content = h("div", { class: "page" });
    document.title = `${page.title} · Braidcast`;
    main.setAttribute("aria-busy", "true");
    await page.show(content, { rest, options, setOption, signal: controller.signal });
    if (!controller.signal.aborted) replace(main, content);
  } catch (error) {
    if (controller.signal.aborted) return;
    replace(main, h("div", { class: "page" }, h("h1", {}, "This cannot be shown"), h("p", { role: "alert" }, error.message)));
  } finally {
    if (shown === controller) main.removeAttribute("aria-busy");
  }
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  document.dispatchEvent(new CustomEvent("theme"));
}

function themeSwitch() {
  const words = { "": "Theme: system", light: "Theme: light", dark: "Theme: dark" };
  const button = h("button", { class: "quiet", type: "button", onclick: () => {
    const next = { "": "dark", dark: "light", light: "" }[localStorage.getItem("theme") ?? ""];
    localStorage.setItem("theme", next);
    setTheme(next);
    button.textContent = words[next];
  } }, words[localStorage.getItem("theme") ?? ""]);
  return button;
}

async function start(session) {
  const links = [["datasets", "Datasets"], ["design", "Design"], ["jobs", "Jobs"], ["compare", "Compare"], ["models", "Models"]];
  replace(nav, links.map(([name, words]) => h("a", { href: `#/${name}` }, words)));
  replace(tools, themeSwitch(), h("button", { class: "quiet", type: "button", onclick: signOut }, `Sign out ${session.owner}`));
  await show();
}

async function signOut() {
  await ask("/v1/session", { method: "DELETE" }).catch(() => {});
  askForKey();
}

function askForKey() {
  shown?.abort();
  replace(nav);
  replace(tools, themeSwitch());
  document.title = "Sign in · Braidcast";
  replace(main, signIn(start));
}

/** The key in the address that `braidcast up` prints: taken out of it at once, and sent as a key. */
function keyInAddress() {
  const match = location.hash.match(/^#key=(bc_\w+)$/);
  if (match) history.replaceState(null, "", location.pathname);
  return match?.[1];
}

async function boot() {
  setTheme(localStorage.getItem("theme") ?? "");
  const key = keyInAddress();
  const asked = key ? { method: "POST", headers: { Authorization: `Bearer ${key}` } } : {};
  try {
    await start(await ask("/v1/session", { ...asked, waits: true }));
  } catch {
    askForKey();
  }
}

document.querySelector("[data-skip]").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => (nav.childElementCount ? show() : null));
whenSignedOut(askForKey);
boot();
