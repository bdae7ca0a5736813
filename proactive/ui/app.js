// The frame: which view an address shows, and signing in.

import { SignInNeeded, get, key } from "./api.js";
import { h, put, say } from "./dom.js";
import { failure, notice } from "./parts.js";

const main = document.getElementById("main");
const out = document.getElementById("out");

const VIEWS = [
  [/^\/sends$/, () => import("./sends.js")],
  [/^\/sends\/([a-z2-7]{26})$/, () => import("./send.js")],
  [/^\/sends\/([a-z2-7]{26})\/update$/, () => import("./compose.js")],
  [/^\/compose$/, () => import("./compose.js")],
  [/^\/rejected$/, () => import("./rejected.js")],
  [/^\/bots$/, () => import("./bots.js")],
];

let current = new AbortController();

async function show({ first = false } = {}) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const path = location.hash.slice(1).split("?")[0] || "/sends";
  for (const link of document.querySelectorAll("nav a")) {
    const here = path.startsWith(link.getAttribute("href").slice(1));
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  out.hidden = !key.kept();
  const found = VIEWS.map(([pattern, load]) => [pattern.exec(path), load]).find(([match]) => match);
  const fail = (error) => {
    if (signal.aborted) return;
    if (error instanceof SignInNeeded) signIn();
    else main.prepend(failure(error));
  };
  const place = h("div", { class: "view" });
  try {
    if (!found) throw new Error("There is nothing at this address.");
    const view = await found[1]();
    if (signal.aborted) return;
    put(main, place);
    await view.show(place, { id: found[0][1], path, signal, fail });
  } catch (error) {
    fail(error);
  }
  if (signal.aborted) return;
  const heading = main.querySelector("h1");
  document.title = heading ? `${heading.textContent} – Proactive` : "Proactive";
  if (!first && heading && !main.contains(document.activeElement)) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function signIn(wrong = "") {
  current.abort();
  current = new AbortController();
  key.forget();
  out.hidden = true;
  const field = h("input", { id: "key", type: "password", autocomplete: "off", required: true, spellcheck: "false",
    "aria-describedby": "key-help" });
  const form = h("form", { class: "panel sign-in" },
    h("h1", {}, "Sign in"),
    wrong ? notice("bad", h("p", {}, wrong)) : null,
    h("label", { for: "key" }, "Function key of ops"), field,
    h("p", { id: "key-help", class: "help" },
      "In the Azure portal: the function app, Functions, ops, Function keys. This tab keeps it until it is closed."),
    h("button", { class: "primary", type: "submit" }, "Sign in"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    key.keep(field.value.trim());
    try {
      await get("bots");
      say("Signed in");
      show();
    } catch (error) {
      if (error instanceof SignInNeeded) signIn("This key does not open it. It has to be a key of the function ops.");
      else form.prepend(failure(error));
    }
  });
  put(main, form);
  document.title = "Sign in – Proactive";
  field.focus();
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which view is shown
  main.focus();
});
out.addEventListener("click", () => {
  key.forget();
  location.hash = "#/sends";
  show();
});
addEventListener("hashchange", () => show());
show({ first: true });
