// Messages on the queue `sends` that were no valid send.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import { ago, moment } from "./words.js";

export async function show(place, { signal, fail }) {
  const rows = h("ul", { class: "rejected" });
  const more = h("button", { type: "button", hidden: true }, "Show older ones");
  let continuation = null;
  put(place, h("h1", {}, "Rejected messages"),
    h("p", { class: "lead" }, "What event sources put on the queue ", h("code", {}, "sends"),
      " that was no valid send. The messages themselves wait on ", h("code", {}, "sends-poison"), "."),
    rows, h("div", { class: "row center" }, more));

  async function next() {
    const found = await get("rejected", { top: 50, continuation }, signal);
    continuation = found.continuation;
    rows.append(...found.rejected.map(row));
    if (!rows.children.length) rows.append(h("li", { class: "empty" }, "No message was rejected."));
    more.hidden = !continuation;
  }
  more.addEventListener("click", () => next().catch(fail));
  await next();
}

function row({ rejectedAt, messageId, statusCode, reason }) {
  // One sentence about the whole, then one for each field, which begins with its pointer.
  const [whole, ...fields] = reason.split(/ (?=\/\S*: )/);
  return h("li", { class: "panel" },
    h("p", { class: "reason" }, h("span", { class: "code" }, statusCode), " ", whole),
    fields.length ? h("ul", {}, fields.map((field) => {
      const [pointer] = field.split(": ", 1);
      return h("li", {}, h("code", {}, pointer), " ", field.slice(pointer.length + 2));
    })) : null,
    h("p", { class: "help" }, h("time", { datetime: rejectedAt, title: moment(rejectedAt) }, ago(rejectedAt)),
      " · message ", h("code", {}, messageId)));
}
