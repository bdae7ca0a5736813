// Why people did not get it, grouped by reason. The results are walked page by page, at most some at a time.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import { REASONS, STATES, number } from "./words.js";

const NOT_REACHED = ["failed", "notInstalled", "chatActive", "unknown"];
const PAGE = 1000;
const PAGES = 10; // walked without being asked to
const PAUSE = 5; // seconds between two counts while the send goes on

export function reasons(id, { signal, fail, pick, counted }) {
  const body = h("div");
  const node = h("section", { class: "panel", "aria-label": "Why" }, h("h2", {}, "Why some did not get it"), body);
  let groups = new Map();
  let place = null;
  let complete = false;
  let seen = 0;
  let of = "";
  let busy = false;
  let last = 0;
  let total = 0;
  let latest = null;

  async function walk(pages) {
    busy = true;
    try {
      for (let page = 0; page < pages && !complete; page += 1) {
        const found = await get(`sends/${id}/recipients`, { state: NOT_REACHED.join(","), top: PAGE, continuation: place }, signal);
        for (const { state, statusCode, reason } of found.results) {
          const key = `${statusCode} ${reason}`;
          const group = groups.get(key) || { state, code: statusCode, reason: reason || "", count: 0 };
          group.count += 1;
          groups.set(key, group);
        }
        seen += found.results.length;
        place = found.continuation;
        complete = !place;
      }
      draw();
      counted();
    } finally {
      busy = false;
    }
    update(latest); // what came meanwhile
  }

  function draw() {
    const sorted = [...groups.values()].sort((a, b) => b.count - a.count);
    const more = () => walk(PAGES * 10).catch(fail);
    put(body,
      h("ul", { class: "reasons" }, sorted.map(({ state, code, reason, count }) => h("li", {},
        h("span", { class: `dot fill-${state}` }),
        h("span", { class: "why" }, h("strong", {}, number(count)), " ", h("span", { class: "code" }, code), " ",
          REASONS[reason] || (reason ? `Teams refused it: ${reason}.` : STATES[state].word), reason ? h("code", {}, reason) : null),
        h("button", { type: "button", class: "quiet", onclick: () => pick(reason, state),
          "aria-label": `Show whom: ${reason || STATES[state].word}` }, "Show")))),
      complete || !seen ? null : h("p", { class: "help" }, `Of the first ${number(seen)} of ${number(total)}. `,
        h("button", { type: "button", class: "quiet", onclick: more }, "Count on")));
    if (!sorted.length) put(body, h("p", { class: "help" }, total ? "Counting…" : "Nobody so far."));
  }

  function update(send) {
    latest = send;
    const { counts } = send;
    total = NOT_REACHED.reduce((sum, state) => sum + counts[state], 0);
    const now = NOT_REACHED.map((state) => counts[state]).join();
    if (!total) draw();
    if (!total || now === of || busy || (counts.pending && performance.now() / 1000 - last < PAUSE)) return;
    of = now;
    last = performance.now() / 1000;
    groups = new Map();
    place = null;
    seen = 0;
    complete = false;
    walk(PAGES).catch(fail);
  }

  return { node, update, groups: () => (complete ? [...groups.values()] : null) };
}
