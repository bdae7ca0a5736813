// The results of a send: a page at a time, however many there are.

import { get } from "./api.js";
import { during, h, put, say } from "./dom.js";
import { OPEN, REASONS, STATES, STATE_WORDS, moment, number } from "./words.js";

const TOP = 50;
const STRIDE = 1000; // results that one step of a search looks at
const PAUSE = 3; // seconds between two looks while the send goes on

export function results(id, { signal, fail }) {
  const chips = h("div", { class: "chips", role: "group", "aria-label": "State" });
  const field = h("input", { type: "search", id: "search", placeholder: "Name, address, id or reason", maxlength: 256, spellcheck: "false" });
  const told = h("p", { class: "help", role: "status" });
  const body = h("tbody");
  const table = h("table", {}, h("caption", { class: "unseen" }, "Results"),
    h("thead", {}, h("tr", {}, ["Recipient", "What became of it", "Attempts", "Delivered"].map((word, place) =>
      h("th", { scope: "col", class: place > 1 ? "wide" : null }, word)))), body);
  const back = h("button", { type: "button", disabled: true }, "Previous");
  const on = h("button", { type: "button", disabled: true }, "Next");
  const stop = h("button", { type: "button", class: "quiet", hidden: true }, "Stop");
  const form = h("form", { class: "search", role: "search" }, h("label", { for: "search", class: "unseen" }, "Search the results"),
    field, h("button", { type: "submit" }, "Search"));
  const save = h("button", { type: "button", class: "quiet" }, "Save as CSV");
  const node = h("section", { class: "panel results", "aria-label": "Results" },
    h("div", { class: "head" }, h("h2", {}, "Results"), save), chips, form,
    h("div", { class: "row" }, told, stop), table, h("nav", { class: "row end", "aria-label": "Pages" }, back, on));

  let send = null;
  let state = "";
  let wanted = "";
  let trail = [null]; // where each page began, up to the one that is shown
  let following = null;
  let turn = 0;
  let last = 0;
  let of = "";
  let pressed = "";

  const states = () => (state === "pending" ? OPEN.join(",") : state);
  const page = (top, continuation) => get(`sends/${id}/recipients`, { state: states(), top, continuation }, signal);

  async function load() {
    turn += 1;
    const mine = turn;
    last = performance.now() / 1000;
    const found = wanted ? await search(mine) : await page(TOP, trail.at(-1));
    if (mine !== turn || !found) return;
    following = found.continuation;
    draw(found.results);
  }

  // Look through the results from where the page begins until it is full, or stopped, or there are no more.
  async function search(mine) {
    const found = [];
    let looked = 0;
    let place = trail.at(-1);
    const word = wanted.toLowerCase();
    let stopped = false;
    stop.onclick = () => {
      stopped = true;
    };
    stop.hidden = false;
    const whole = state ? send.counts[state] : send.counts.total;
    try {
      do {
        const part = await page(STRIDE, place);
        if (mine !== turn) return null;
        looked += part.results.length;
        place = part.continuation;
        found.push(...part.results.filter((one) => matches(one, word)));
        told.textContent = `${number(found.length)} found in ${number(looked)} of ${number(whole)}`;
      } while (place && found.length < TOP && !stopped);
    } finally {
      if (mine === turn) stop.hidden = true;
    }
    return { results: found, continuation: place };
  }

  function draw(rows) {
    put(body, rows.length ? rows.map(row) : h("tr", {}, h("td", { colspan: 4, class: "empty" },
      send.counts.pending && !send.counts.delivered ? "Nobody yet." : "Nobody fits.")));
    const paging = [back, on].find((one) => one === document.activeElement);
    back.disabled = trail.length < 2;
    on.disabled = !following;
    if (paging?.disabled) (paging === back ? on : back).focus();
    if (!wanted) told.textContent = following || trail.length > 1 ? `Page ${number(trail.length)}` : "";
  }

  function row({ recipient, userId, state: became, statusCode, reason, attempts, deliveredAt, response }) {
    const shown = OPEN.includes(became) ? "pending" : became;
    return h("tr", {},
      h("td", {}, h("span", { class: "name" }, recipient), userId && userId !== recipient ? h("code", {}, userId) : null),
      h("td", {}, h("span", { class: `dot fill-${shown}` }), h("span", {}, word(became)),
        statusCode ? h("span", { class: "code" }, statusCode) : null,
        reason ? h("span", { class: "why" }, REASONS[reason] || reason) : null,
        response ? h("span", { class: "why" }, "Answered: ", h("strong", {}, response.submitActionId)) : null),
      h("td", { class: "wide" }, attempts),
      h("td", { class: "wide" }, moment(deliveredAt)));
  }

  const word = (became) => (became === "delivered" && send.verb ? { update: "Updated", recall: "Recalled" }[send.verb] : null) || STATE_WORDS[became];

  function chosen(next) {
    state = next;
    trail = [null];
    drawChips(true);
    load().catch(fail);
  }

  function drawChips(force = false) {
    const here = ["", ...Object.keys(STATES)].filter((one) => !one || send.counts[one] || one === state);
    const now = JSON.stringify(here.map((one) => [one, one ? send.counts[one] : send.counts.total]));
    if (now === pressed && !force) return;
    pressed = now;
    const focused = chips.contains(document.activeElement) ? document.activeElement.dataset.state : null;
    put(chips, here.map((one) => h("button", { type: "button", class: "chip", "data-state": one, "aria-pressed": String(one === state),
      onclick: () => chosen(one) }, one ? (one === "delivered" ? word(one) : STATES[one].word) : "All",
    h("span", { class: "count" }, number(one ? send.counts[one] : send.counts.total)))));
    if (focused !== null) chips.querySelector(`[data-state="${focused}"]`)?.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    wanted = field.value.trim();
    trail = [null];
    load().catch(fail);
  });
  field.addEventListener("search", () => {
    if (!field.value && wanted) form.requestSubmit();
  });
  on.addEventListener("click", () => {
    trail.push(following);
    load().then(() => say(`Page ${trail.length}`)).catch(fail);
  });
  back.addEventListener("click", () => {
    trail.pop();
    load().then(() => say(`Page ${trail.length}`)).catch(fail);
  });
  save.addEventListener("click", () => during(save, async () => {
    const { table: read } = await import("./table.js");
    await read(id, states(), signal);
  }, fail));

  return {
    node,
    search(reason, from = "") {
      field.value = reason;
      wanted = reason;
      chosen(from || state);
      node.scrollIntoView({ block: "start" });
      field.focus({ preventScroll: true });
    },
    update(now) {
      const before = send;
      send = now;
      drawChips();
      const counts = JSON.stringify(send.counts);
      const soon = send.counts.pending && performance.now() / 1000 - last < PAUSE;
      // What somebody pages or searches through stays as it is.
      if (counts === of || soon || (before && (wanted || trail.length > 1))) return;
      of = counts;
      load().catch(fail);
    },
  };
}

function matches({ recipient, userId, reason, messageId, statusCode, response }, word) {
  return [recipient, userId, reason, messageId, String(statusCode ?? ""), response?.submitActionId, response?.responder?.displayName]
    .some((text) => text && text.toLowerCase().includes(word));
}
