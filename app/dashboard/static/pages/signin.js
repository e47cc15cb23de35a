// How does somebody sign in? With a key, once: the service answers with a cookie that this page cannot read.

import { ask } from "../api.js";
import { field, h } from "../dom.js";

export function signIn(onSignedIn) {
  const key = h("input", { type: "password", name: "key", autocomplete: "current-password", required: true, spellcheck: "false" });
  const said = h("p", { class: "error", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    said.textContent = "";
    try {
      onSignedIn(await ask("/v1/session", { method: "POST", headers: { Authorization: `Bearer ${key.value.trim()}` } }));
    } catch (error) {
      said.textContent = error.message;
      key.focus();
    }
  };
  return h("div", { class: "page signin" },
    h("h1", {}, "Sign in"),
    h("form", { onsubmit: submit },
      field("API key", key, "It begins with bc_."),
      h("button", { type: "submit", class: "primary" }, "Sign in"), said),
    h("p", { class: "muted" }, "On your own machine, ", h("code", {}, "braidcast up"), " keeps a key in the file ", h("code", {}, "key"),
      " of its home (", h("code", {}, "var/key"), "). Elsewhere, ", h("code", {}, "braidcast key create NAME"), " makes one."));
}
