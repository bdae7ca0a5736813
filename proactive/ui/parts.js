// Pieces that several views show.

import { h, s } from "./dom.js";
import { STATES, STATUSES, VERBS, doneWord, number, plain } from "./words.js";

export const ORDER = ["delivered", "notInstalled", "chatActive", "failed", "unknown", "cancelled"];

export function pill(status) {
  return h("span", { class: `pill is-${status}` }, STATUSES[status] || status);
}

// A bar of all the people of a send, by what became of them.
export function bar(counts, verb) {
  const total = Math.max(1, counts.total);
  let at = 0;
  const parts = ORDER.filter((state) => counts[state]).map((state) => {
    const share = (100 * counts[state]) / total;
    const part = s("rect", { class: `fill-${state}`, x: `${at}%`, width: `${share}%`, height: "100%" });
    at += share;
    return part;
  });
  return s("svg", { class: "bar", role: "img", "aria-label": told(counts, verb) },
    s("rect", { class: "track", width: "100%", height: "100%" }), parts);
}

export function told(counts, verb) {
  const words = [...ORDER, "pending"].filter((state) => counts[state]).map((state) => {
    const word = state === "delivered" ? doneWord(verb) : STATES[state].word;
    return `${number(counts[state])} ${word.toLowerCase()}`;
  });
  return words.join(", ") || "nobody yet";
}

export function title(send) {
  const about = plain(send.about || "");
  return send.verb ? `${VERBS[send.verb]}${about ? `: ${about}` : ""}` : about || "Card without a summary";
}

export function notice(kind, ...children) {
  return h("div", { class: `notice ${kind}`, role: kind === "bad" ? "alert" : null }, children);
}

export function failure(error) {
  const errors = error.errors || [];
  return notice("bad", h("p", {}, error.message), errors.length
    ? h("ul", {}, errors.map((one) => h("li", {}, one.pointer ? h("code", {}, one.pointer) : null, " ", one.detail))) : null);
}

// Where a bot is held: nothing goes out, and that must not be a riddle.
export function held(bots, of = null) {
  return bots.filter((bot) => bot.paused?.length && (!of || (bot.name === of.bot && bot.paused.includes(of.tenant))))
    .map((bot) => notice("warn", h("p", {}, "The bot ", h("strong", {}, bot.name), " is held: nothing it is to send goes out. ",
      h("a", { href: "#/bots" }, "See the bots"))));
}
