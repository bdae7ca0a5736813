// One send, live: how far it is, what became of its people, and what can be done about it.

import { Problem, call, get, post } from "./api.js";
import { chart } from "./chart.js";
import { confirm, during, h, later, looked, put, say } from "./dom.js";
import { bar, failure, held, pill, title, told } from "./parts.js";
import { reasons } from "./reasons.js";
import { results } from "./results.js";
import { VERBS, ago, moment, number, people, span } from "./words.js";

const GOING_OUT = ["scheduled", "accepted", "delivering"];
const WINDOW = 6; // seconds over which the rate is measured

export async function show(place, { id, signal, fail }) {
  const [first, content, { bots }] = await Promise.all([
    get(`sends/${id}`, {}, signal), get(`sends/${id}/content`, {}, signal), get("bots", {}, signal),
  ]);
  let send = first;
  const samples = [];
  const above = h("div");
  const status = h("span");
  const actions = h("div", { class: "actions" });
  const progress = h("section", { class: "panel progress", "aria-label": "Progress" });
  const outcomes = h("div");
  const why = reasons(id, { signal, fail, pick: (reason) => list.search(reason), counted: () => drawChart() });
  const list = results(id, { signal, fail });
  const facts = h("dl", { class: "facts" });

  put(place,
    h("p", { class: "crumb" }, h("a", { href: "#/sends" }, "Sends")),
    h("div", { class: "head" }, h("h1", {}, heading(send, content)), actions),
    h("p", { class: "sub" }, status, " ", h("span", {}, send.bot), " · ",
      h("time", { datetime: send.createdAt, title: moment(send.createdAt) }, ago(send.createdAt)), " · ", h("code", {}, id),
      send.of ? [" · ", `${VERBS[send.verb]} of `, h("a", { href: `#/sends/${send.of}` }, "another send")] : null),
    above, progress,
    h("div", { class: "two" },
      h("div", { class: "stack" },
        h("section", { class: "panel", "aria-label": "Outcomes" }, h("h2", {}, "Outcomes"), outcomes), contentPanel(content, signal)),
      h("div", { class: "stack" },
        why.node, h("details", { class: "panel" }, h("summary", {}, "Details"), facts))),
    list.node);

  function drawChart() {
    put(outcomes, chart(send, why.groups()));
  }

  function draw() {
    const { counts } = send;
    const done = counts.total - counts.pending;
    put(status, pill(send.status));
    const rate = speed(samples);
    const left = rate && counts.pending ? counts.pending / rate : 0;
    const share = counts.total ? Math.floor((100 * done) / counts.total) : 0;
    put(progress,
      h("p", { class: "big" }, h("strong", {}, number(done)), ` of ${number(counts.total)}`,
        h("span", { class: "help" }, ` · ${share} %`)),
      h("div", { role: "progressbar", "aria-label": "People with a result", "aria-valuemin": 0, "aria-valuemax": counts.total,
        "aria-valuenow": done, "aria-valuetext": `${number(done)} of ${number(counts.total)}: ${told(counts, send.verb)}` },
      bar(counts, send.verb)),
      h("p", { class: "help pace" }, pace(send, rate, left)));
    put(above, GOING_OUT.includes(send.status) ? held(bots, send) : null);
    put(facts, details(send));
    drawActions();
    drawChart();
    why.update(send);
    list.update(send);
  }

  let drawn = "";
  function drawActions() {
    const { counts } = send;
    const over = !counts.pending && !GOING_OUT.includes(send.status);
    const again = counts.failed + (send.verb ? counts.cancelled : 0);
    const offered = JSON.stringify([send.status, over, again, counts.delivered]);
    if (offered === drawn) return;
    drawn = offered;
    const focused = actions.contains(document.activeElement) && document.activeElement.dataset.act;
    put(actions,
      over && again ? button("retry", `Retry ${number(again)} failed`, retry, "primary") : null,
      over && counts.delivered && send.verb !== "recall"
        ? [h("a", { class: "button", href: `#/sends/${id}/update`, "data-act": "update" }, "Update"),
          button("recall", "Recall", recall, "danger-quiet")] : null,
      [...GOING_OUT, "waiting"].includes(send.status) ? button("cancel", "Cancel", cancel, "danger-quiet") : null,
      content.message || content.card ? h("a", { class: "button", href: `#/compose?from=${id}`, "data-act": "reuse" }, "Use again") : null);
    if (focused) (actions.querySelector(`[data-act="${focused}"]`) || actions.querySelector("button, a"))?.focus();
  }

  function button(act, word, does, kind) {
    return h("button", { type: "button", class: kind, "data-act": act, onclick: (event) => during(event.currentTarget, does, (error) => {
      if (error instanceof Problem) put(above, failure(error));
      else fail(error);
    }) }, word);
  }

  async function retry() {
    const { id: made } = await post(`sends/${id}/retry`);
    say("The retry is accepted");
    location.hash = `#/sends/${made}`;
  }

  async function recall() {
    const sure = await confirm({
      title: "Recall this message?", yes: `Delete it for ${people(send.counts.delivered)}`, danger: true,
      body: [h("p", {}, `It disappears from the chats of ${people(send.counts.delivered)}. This cannot be undone.`),
        send.status === "waiting" ? h("p", {}, "The wait for answers stays open: cancel the send to end it.") : null],
    });
    if (!sure) return;
    const { id: made } = await post(`sends/${id}/recall`);
    say("The recall is accepted");
    location.hash = `#/sends/${made}`;
  }

  async function cancel() {
    const sure = await confirm({
      title: "Cancel what is left?", yes: "Cancel the send", no: "Keep sending", danger: true,
      body: h("p", {}, send.status === "waiting"
        ? "The wait ends, and the cards that nobody has answered show that they were withdrawn."
        : "Who has the message keeps it. Nobody else gets it."),
    });
    if (!sure) return;
    await call("DELETE", `sends/${id}`);
    await look();
  }

  async function look() {
    const before = send;
    send = await get(`sends/${id}`, {}, signal);
    samples.push([performance.now() / 1000, send.counts.total - send.counts.pending]);
    if (before.status !== send.status) tell();
    draw();
  }

  function tell() {
    say(`${heading(send, content)}: ${pill(send.status).textContent}. ${told(send.counts, send.verb)}`);
  }

  const live = () => send.counts.pending > 0 || [...GOING_OUT, "waiting"].includes(send.status);
  samples.push([performance.now() / 1000, send.counts.total - send.counts.pending]);
  draw();
  if (!live()) tell(); // it may be over before anybody could watch it
  (async () => {
    let trouble = 0;
    while (live()) {
      await later(Math.max(trouble, ["scheduled", "waiting"].includes(send.status) && !send.counts.pending ? 5 : 1), signal);
      await looked(signal);
      try {
        await look();
        trouble = 0;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        trouble = Math.min(60, trouble * 2 || 2);
        put(above, failure(error));
      }
    }
  })().catch((error) => {
    if (!signal.aborted) fail(error);
  });
}

function heading(send, content) {
  const about = content.summary || content.message?.text || firstText(content.card);
  return title({ ...send, about });
}

function firstText(part) {
  if (Array.isArray(part)) {
    for (const one of part) {
      const found = firstText(one);
      if (found) return found;
    }
    return "";
  }
  if (!part || typeof part !== "object") return "";
  return part.type === "TextBlock" && typeof part.text === "string" ? part.text : firstText(Object.values(part));
}

function speed(samples) {
  const now = samples.at(-1)[0];
  while (samples.length > 2 && now - samples[1][0] > WINDOW) samples.shift();
  const [[since, before], [until, after]] = [samples[0], samples.at(-1)];
  return until - since > 0.5 ? Math.max(0, (after - before) / (until - since)) : 0;
}

function pace(send, rate, left) {
  if (send.status === "scheduled") return `Goes out ${ago(send.sendAt)}, on ${moment(send.sendAt)}.`;
  if (send.counts.pending) {
    if (!rate) return send.status === "accepted" ? "About to begin." : "Nobody was reached in the last seconds; the rest waits for another attempt.";
    return `${number(Math.round(rate))} a second · about ${span(left)} left`;
  }
  if (send.status === "waiting") return `${number(send.counts.responded)} answered. The wait ends on ${moment(send.waitUntil)}.`;
  const end = send.completedAt || send.cancelledAt;
  if (!end) return "";
  const took = (new Date(end) - new Date(send.sendAt > send.createdAt ? send.sendAt : send.createdAt)) / 1000;
  return `${send.status === "cancelled" ? "Cancelled" : "Over"} on ${moment(end)}, after ${span(took)}.`;
}

function contentPanel(content, signal) {
  const panel = h("section", { class: "panel", "aria-label": "Content" }, h("h2", {}, "Content"));
  if (content.summary) panel.append(h("p", { class: "help" }, "Summary: ", content.summary));
  if (content.message) panel.append(h("pre", { class: "text" }, content.message.text));
  else if (content.card) {
    const frame = h("div", { class: "card-frame" });
    panel.append(frame);
    import("./card.js").then((card) => card.draw(frame, content.card, signal)).catch((error) => put(frame, failure(error)));
  } else panel.append(h("p", {}, "The messages are deleted."));
  return panel;
}

function details(send) {
  const { options } = send;
  const rows = [
    ["Accepted", moment(send.createdAt)], ["Send at", moment(send.sendAt)], ["Over", moment(send.completedAt)],
    ["Cancelled", moment(send.cancelledAt)], ["Tries until", moment(send.deliverUntil)], ["Waits until", moment(send.waitUntil)],
    ["Answers", send.waitUntil ? number(send.counts.responded) : ""], ["Bot", send.bot], ["Tenant", send.tenant],
    ["If chat is active", options.ifChatIsActive], ["If bot is not installed", options.ifBotNotInstalled],
    ["If nobody can tell", options.ifOutcomeUnknown], ["Label as notification", options.labelAsNotification ? "yes" : "no"],
    ["In parallel", options.parallelism],
    ["Callback", send.callback ? `${send.callback.state}, ${send.callback.attempts.length} attempts` : ""],
  ];
  return rows.filter(([, value]) => value !== "" && value !== undefined).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

