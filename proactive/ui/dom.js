// Elements from plain values. Text is always text: nothing here turns a string into markup.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "open", "indeterminate"]);

function fill(node, given, children) {
  for (const [name, value] of Object.entries(given || {})) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...flat(children));
  return node;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}

export function h(tag, given, ...children) {
  return fill(document.createElement(tag), given, children);
}

export function s(tag, given, ...children) {
  return fill(document.createElementNS(SVG, tag), given, children);
}

// Put these children into a node in place of what it holds.
export function put(node, ...children) {
  node.replaceChildren(...flat(children));
  return node;
}

// Tell a screen reader, without moving anything.
export function say(text) {
  document.getElementById("said").textContent = text;
}

let numbers = 0;
export function freshId() {
  numbers += 1;
  return `n${numbers}`;
}

export function later(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

// Wait until the page is looked at: a tab in the background asks for nothing.
export async function looked(signal) {
  while (document.hidden) {
    await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true, signal });
      signal.addEventListener("abort", resolve, { once: true });
    });
    signal.throwIfAborted();
  }
}

// Do what a button is for, once at a time. It keeps the focus meanwhile, which a disabled one would lose.
export async function during(button, work, failed) {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true";
  try {
    await work();
  } catch (error) {
    failed(error);
  } finally {
    button.ariaBusy = "false";
  }
}

// A dialog that asks before something is done; resolves to true when it was confirmed.
export function confirm({ title, body, yes, no = "Go back", danger = false }) {
  return new Promise((resolve) => {
    const id = freshId();
    let answer = false;
    const close = (value) => () => {
      answer = value;
      dialog.close();
    };
    const sure = h("button", { type: "button", class: danger ? "danger" : "primary", onclick: close(true) }, yes);
    const dialog = h("dialog", { "aria-labelledby": id },
      h("h2", { id }, title), body,
      h("div", { class: "row end" }, h("button", { type: "button", onclick: close(false) }, no), sure));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
    if (!danger) sure.focus();
  });
}
