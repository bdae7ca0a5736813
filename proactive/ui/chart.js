// What became of everybody, by code, as bars.

import { h, s } from "./dom.js";
import { ORDER } from "./parts.js";
import { CODES, STATES, doneWord, number } from "./words.js";

const ROW = 46;

// `groups`: the failed by code and reason, or null while they are not all counted.
export function chart({ counts, verb }, groups) {
  const rows = [];
  for (const state of [...ORDER, "pending"]) {
    const count = counts[state];
    const failed = groups?.filter((group) => group.state === state) || [];
    if (state === "failed" && count && failed.reduce((sum, group) => sum + group.count, 0) === count) {
      const codes = new Map();
      for (const group of failed) codes.set(group.code, (codes.get(group.code) || 0) + group.count);
      for (const [code, some] of [...codes].sort(([a], [b]) => a - b)) rows.push({ state, code, count: some, word: CODES[code] });
    } else if (count || state === "delivered") {
      rows.push({ state, count, code: STATES[state].code, word: state === "delivered" ? doneWord(verb) : STATES[state].word });
    }
  }
  const most = Math.max(1, ...rows.map((row) => row.count));
  const label = rows.map((row) => `${row.code} ${row.word}: ${number(row.count)}`).join("; ");
  const picture = s("svg", { class: "chart", role: "img", "aria-label": label, height: rows.length * ROW },
    rows.map(({ state, code, count, word }, place) => {
      const y = place * ROW;
      return s("g", {},
        s("text", { class: "chart-word", x: 0, y: y + 16 }, s("tspan", { class: "chart-code" }, code), code ? "  " : "", word),
        s("text", { class: "chart-count", x: "100%", y: y + 16, "text-anchor": "end" }, number(count)),
        s("rect", { class: "track", x: 0, y: y + 24, width: "100%", height: 8, rx: 4 }),
        count ? s("rect", { class: `fill-${state}`, x: 0, y: y + 24, width: `${Math.max(1, (100 * count) / most)}%`, height: 8, rx: 4 }) : null);
    }));
  return h("figure", {}, picture);
}
