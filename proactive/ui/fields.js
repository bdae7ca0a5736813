// Fields of a form: a label, a help text, and the errors that belong to them.

import { freshId, h, put } from "./dom.js";

// `pointers` are the places in the request for whose errors this field stands.
export function field({ label, help, input, pointers, beside }) {
  const id = input.id || freshId();
  input.id = id;
  const errors = h("div", { class: "errors", id: `${id}-errors` });
  input.setAttribute("aria-describedby", `${id}-errors${help ? ` ${id}-help` : ""}`);
  const box = input.type === "checkbox";
  const name = h("label", { for: id }, box ? [input, " ", label] : label);
  const node = h("div", { class: "field" }, beside ? h("div", { class: "label-row" }, name, beside) : name, box ? null : input,
    help ? h("p", { class: "help", id: `${id}-help` }, help) : null, errors);
  return {
    node, input, pointers, label,
    has: (pointer) => pointers.some((one) => pointer === one || pointer.startsWith(`${one}/`)),
    mark(found) {
      input.setAttribute("aria-invalid", String(found.length > 0));
      put(errors, found.length ? h("ul", {}, found.map((one) => h("li", {}, one.go
        ? h("button", { type: "button", class: "link", onclick: one.go }, one.where) : null, one.go ? " " : null, one.detail))) : null);
      if (found.length) for (let up = node.closest("details"); up; up = up.parentElement.closest("details")) up.open = true;
    },
  };
}

export function select(choices, chosen) {
  const input = h("select", {}, choices.map(([value, word]) => h("option", { value }, word)));
  input.value = chosen;
  return input;
}
