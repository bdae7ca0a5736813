// Recent sends, newest first.

import { get } from "./api.js";
import { h, later, looked, put } from "./dom.js";
import { bar, failure, held, pill, title } from "./parts.js";
import { ago, moment, number } from "./words.js";

const TOP = 25;
const RUNNING = ["scheduled", "accepted", "delivering", "waiting"];
const FILTERS = [["", "All"], [RUNNING.join(","), "Running"], ["completed", "Completed"], ["cancelled", "Cancelled"]];

export async function show(place, { signal, fail }) {
  const rows = h("ul", { class: "sends" });
  const more = h("button", { type: "button", hidden: true }, "Show older ones");
  const above = h("div");
  let chosen = "";
  let continuation = null;
  let shown = [];
  let pages = 0;

  const from = h("input", { type: "date", id: "from" });
  const to = h("input", { type: "date", id: "to" });
  const chips = FILTERS.map(([value, word]) => h("button", {
    type: "button", class: "chip", "aria-pressed": String(value === chosen), onclick: (event) => {
      chosen = value;
      for (const chip of chips) chip.setAttribute("aria-pressed", String(chip === event.currentTarget));
      fresh();
    },
  }, word));
  for (const field of [from, to]) field.addEventListener("change", () => fresh());
  more.addEventListener("click", () => next().catch(fail));

  put(place,
    h("h1", {}, "Sends"), above,
    h("div", { class: "filters" },
      h("div", { class: "chips", role: "group", "aria-label": "Status" }, chips),
      h("div", { class: "dates" },
        h("label", { for: "from" }, "From"), from, h("label", { for: "to" }, "to"), to)),
    rows, h("div", { class: "row center" }, more));

  async function page(after) {
    const day = to.value ? new Date(`${to.value}T00:00`) : null;
    if (day) day.setDate(day.getDate() + 1);
    return get("sends", {
      top: TOP, status: chosen, continuation: after,
      from: from.value ? new Date(`${from.value}T00:00`).toISOString() : "", to: day ? day.toISOString() : "",
    }, signal);
  }

  function draw() {
    put(rows, shown.length ? shown.map(row) : h("li", { class: "empty" }, chosen || from.value || to.value
      ? "No send fits." : ["Nothing has been sent yet. ", h("a", { href: "#/compose" }, "Send something")]));
    more.hidden = !continuation;
  }

  let asked = 0;
  async function load(after) {
    asked += 1;
    const mine = asked;
    // A page that is filtered may be empty while there is more behind it.
    let found;
    const sends = [];
    do {
      found = await page(after);
      sends.push(...found.sends);
      after = found.continuation;
    } while (!sends.length && after && mine === asked);
    return mine === asked ? { sends, continuation: after } : null;
  }

  async function next() {
    const found = await load(continuation);
    if (!found) return;
    shown.push(...found.sends);
    continuation = found.continuation;
    pages += 1;
    draw();
  }

  async function again() {
    const found = await load(null);
    if (!found) return;
    shown = found.sends;
    continuation = found.continuation;
    pages = 1;
    const focused = document.activeElement?.getAttribute?.("href");
    draw();
    if (focused) rows.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  function fresh() {
    again().catch(fail);
  }

  const [{ bots }] = await Promise.all([get("bots", {}, signal), again()]);
  put(above, held(bots));

  (async () => {
    while (true) {
      await later(shown.some((send) => ["accepted", "delivering"].includes(send.status)) ? 2 : 10, signal);
      await looked(signal);
      if (pages === 1 && !rows.contains(document.activeElement)) await again().catch((error) => put(above, failure(error)));
    }
  })().catch(() => {});
}

function row(send) {
  const { counts } = send;
  return h("li", {},
    h("a", { class: "send", href: `#/sends/${send.id}` },
      h("span", { class: "about" }, title(send)),
      h("span", { class: "when" }, h("time", { datetime: send.createdAt, title: moment(send.createdAt) }, ago(send.createdAt)),
        ` · ${send.bot}`, send.sendAt && send.status === "scheduled" ? ` · goes out ${ago(send.sendAt)}` : ""),
      h("span", { class: "state" }, pill(send.status)),
      h("span", { class: "done" }, bar(counts, send.verb),
        h("span", { class: "figure" }, `${number(counts.delivered)} of ${number(counts.total)}`,
          counts.failed ? h("span", { class: "bad-text" }, ` · ${number(counts.failed)} failed`) : null))));
}

