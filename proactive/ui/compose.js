// Writing a send, or what replaces the content of one.

import { Problem, call, get, post } from "./api.js";
import { confirm, during, h, put, say } from "./dom.js";
import { field, select } from "./fields.js";
import { JsonError, parse, placeOf, position } from "./json.js";
import { options, waiting } from "./options.js";
import { failure, held, notice } from "./parts.js";
import { REASONS, number, people, span } from "./words.js";

const ME = "proactive.me";
const EXAMPLE = {
  type: "AdaptiveCard", version: "1.5",
  body: [
    { type: "TextBlock", text: "Order 4711 is ready", wrap: true, style: "heading" },
    { type: "FactSet", facts: [{ title: "Table", value: "12" }, { title: "Guest", value: "Ada Allen" }] },
    { type: "Input.Text", id: "note", label: "A note for the kitchen" },
  ],
  actions: [{ type: "Action.Submit", title: "On its way", data: { order: 4711 } }, { type: "Action.Submit", title: "Not yet" }],
};

export async function show(place, { id, path, signal, fail }) {
  const updating = path.endsWith("/update");
  const from = updating ? id : new URLSearchParams(location.hash.split("?")[1]).get("from");
  const [{ bots }, content] = await Promise.all([
    get("bots", {}, signal), from ? get(`sends/${encodeURIComponent(from)}/content`, {}, signal) : {},
  ]);

  const bot = field({ label: "Bot", pointers: ["/bot"], input: select(bots.map(({ name }) => [name, name]), bots[0].name) });
  const tenant = field({ label: "Tenant", pointers: ["/tenant"], input: select([["", ""]], "") });
  const recipients = field({
    label: "Recipients", pointers: ["/recipients"],
    help: "Mail addresses, user principal names, object ids or display names, with “;” or a line break between.",
    input: h("textarea", { rows: 3, spellcheck: "false", autocapitalize: "off", placeholder: "ada@contoso.com; alan@contoso.com" }),
  });
  const everyone = field({ label: "Everyone who has the bot", pointers: [], input: h("input", { type: "checkbox" }) });
  const message = field({
    label: "Message", pointers: ["/message"], help: "Markdown: *italic*, **bold**, [links](https://…)", input: h("textarea", { rows: 6 }),
  });
  const format = field({ label: "Format", pointers: ["/message/format"], input: select([
    ["markdown", "Markdown"], ["plain", "Plain text"], ["xml", "XML"]], "markdown") });
  const example = h("button", { type: "button", class: "quiet" }, "Insert an example");
  const card = field({ label: "Card", pointers: ["/card"], beside: example, help: "Adaptive Card as JSON, up to version 1.5",
    input: h("textarea", { rows: 16, class: "json", spellcheck: "false", autocapitalize: "off", autocorrect: "off" }) });
  const summary = field({ label: "Summary", pointers: ["/summary"], help: "What the toast and the activity feed show for a card",
    input: h("input", { type: "text", maxlength: 1024 }) });
  const sendAt = field({ label: "Send at", pointers: ["/sendAt"], help: "In your time zone; empty means now", input: h("input", { type: "datetime-local" }) });
  const wait = waiting();
  const choices = options();
  const me = field({ label: "Your own address", pointers: [], help: "Your mail address, as the bot knows you",
    input: h("input", { type: "text", autocomplete: "email", spellcheck: "false", autocapitalize: "off", value: localStorage.getItem(ME) || "" }) });
  const fields = [bot, tenant, recipients, format, message, card, summary, sendAt, ...wait.fields, ...choices.fields];

  let kind = content.card ? "card" : "message";
  const whole = h("div", { tabindex: -1 });
  const tested = h("div", { role: "status" });
  const preview = h("div", { class: "card-frame" });
  const kinds = [["message", "Message"], ["card", "Card"]].map(([value, word]) => {
    const radio = h("input", { type: "radio", name: "kind", value, checked: value === kind, onchange: () => turn(value) });
    return h("label", { class: "chip" }, radio, word);
  });
  const asMessage = h("div", {}, message.node, format.node);
  const asCard = h("div", {}, card.node, summary.node, updating ? null : wait.node);
  const test = h("button", { type: "button" }, "Send a test to me");
  const check = h("button", { type: "button" }, "Check");
  const send = h("button", { type: "submit", class: "primary" }, updating ? "Replace…" : "Send…");
  const shown = h("section", { class: "panel", "aria-label": "Preview" }, h("h2", {}, "Preview"), preview);
  const form = h("form", { class: "compose", novalidate: true },
    h("div", { class: "column" },
      whole,
      updating ? null : h("section", { class: "panel", "aria-label": "Who" },
        h("div", { class: "grid" }, bot.node, tenant.node), recipients.node, everyone.node),
      h("section", { class: "panel", "aria-label": "What" },
        h("div", { class: "chips", role: "radiogroup", "aria-label": "Message or card" }, kinds), asMessage, asCard),
      updating ? null : h("section", { class: "panel", "aria-label": "When" }, sendAt.node),
      updating ? null : choices.node,
      h("div", { class: "row send-row" }, send, updating ? null : check)),
    h("div", { class: "column side" }, shown,
      updating ? null : h("section", { class: "panel", "aria-label": "Test" }, h("h2", {}, "Try it first"), me.node, h("div", { class: "row" }, test), tested)));

  put(place,
    updating ? h("p", { class: "crumb" }, h("a", { href: `#/sends/${id}` }, "Back to the send")) : null,
    h("h1", {}, updating ? "Update what was sent" : "New send"),
    updating ? h("p", { class: "lead" }, "Whoever got the message sees the new content in its place.") : held(bots),
    form);

  if (content.card) card.input.value = JSON.stringify(content.card, null, 2);
  if (content.message) {
    message.input.value = content.message.text;
    format.input.value = content.message.format;
  }
  summary.input.value = content.summary || "";

  // The tenants of the chosen bot: asked for only where there are several.
  function tenants() {
    const { tenants: known } = bots.find(({ name }) => name === bot.input.value);
    put(tenant.input, known.map((one) => h("option", { value: one }, one)));
    tenant.node.hidden = known.length < 2;
    bot.node.hidden = bots.length < 2;
    bot.node.parentElement.hidden = bot.node.hidden && tenant.node.hidden;
  }
  if (!updating) {
    tenants();
    bot.input.addEventListener("change", tenants);
  }

  function turn(to) {
    kind = to;
    asMessage.hidden = kind !== "message";
    asCard.hidden = kind !== "card";
    shown.hidden = kind !== "card";
    if (kind === "card") draw();
  }

  let drawn = 0;
  async function draw() {
    drawn += 1;
    const mine = drawn;
    if (!card.input.value.trim()) {
      put(preview, h("p", { class: "help" }, "The card appears here as you write it."));
      return;
    }
    try {
      const { value } = parse(card.input.value);
      card.mark([]);
      const { draw: render } = await import("./card.js");
      if (mine === drawn) await render(preview, value, signal);
    } catch (error) {
      if (mine !== drawn) return;
      if (error instanceof JsonError) card.mark([broken(error)]);
      else put(preview, notice("warn", h("p", {}, "This card cannot be shown: ", error.message)));
    }
  }
  let typing = 0;
  card.input.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(draw, 300);
  });
  example.addEventListener("click", () => {
    card.input.value = JSON.stringify(EXAMPLE, null, 2);
    draw();
    card.input.focus();
  });
  everyone.input.addEventListener("change", () => {
    recipients.node.hidden = everyone.input.checked;
  });
  turn(kind);

  function broken(error) {
    return { where: "Show", detail: error.message, go: () => point(error.at, error.at + 1) };
  }

  function point(start, end) {
    card.input.focus();
    card.input.setSelectionRange(start, end);
    const { line } = position(card.input.value, start);
    card.input.scrollTop = Math.max(0, (line - 4) * parseFloat(getComputedStyle(card.input).lineHeight));
  }

  function whom() {
    if (everyone.input.checked) return [{ everyone: true }];
    const text = recipients.input.value.trim();
    if (text.startsWith("[")) return parse(text).value;
    return text.split(/[;\n]/).map((one) => one.trim()).filter(Boolean);
  }

  // What the service is asked, or null where the page already sees that it cannot be.
  function read() {
    clear();
    const body = {};
    const wrong = (where, error) => {
      if (!(error instanceof JsonError)) throw error;
      where.mark([where === card ? broken(error) : { detail: error.message }]);
      where.input.focus();
      return null;
    };
    if (kind === "card") {
      try {
        body.card = card.input.value.trim() ? parse(card.input.value).value : null;
      } catch (error) {
        return wrong(card, error);
      }
      if (summary.input.value.trim()) body.summary = summary.input.value.trim();
    } else body.message = { text: message.input.value, format: format.input.value };
    if (updating) return body;
    try {
      body.recipients = whom();
    } catch (error) {
      return wrong(recipients, error);
    }
    if (bots.length > 1) body.bot = bot.input.value;
    if (tenant.input.value) body.tenant = tenant.input.value;
    if (sendAt.input.value) body.sendAt = new Date(sendAt.input.value).toISOString();
    if (kind === "card") body.wait = wait.read();
    body.options = choices.read();
    return body;
  }

  function clear() {
    put(whole);
    put(tested);
    for (const one of fields) one.mark([]);
  }

  // Show each error at the field that it is about; what has none stands above.
  function explain(error) {
    if (!(error instanceof Problem)) {
      fail(error);
      return;
    }
    const rest = [];
    const found = new Map();
    for (const one of error.errors) {
      const of = fields.filter((some) => some.has(one.pointer) && some.node.isConnected && !some.node.closest("[hidden]"))
        .sort((a, b) => longest(b, one.pointer) - longest(a, one.pointer))[0];
      if (of) found.set(of, [...(found.get(of) || []), at(of, one)]);
      else rest.push(one);
    }
    for (const [of, errors] of found) of.mark(errors);
    put(whole, notice("bad", h("p", {}, error.message),
      h("ul", {}, [...found.keys()].map((of) => h("li", {}, h("button", { type: "button", class: "link", onclick: () => of.input.focus() }, of.label))),
        rest.map((one) => h("li", {}, h("code", {}, one.pointer), " ", one.detail)))));
    whole.focus();
  }

  const longest = (some, pointer) => Math.max(...some.pointers.filter((one) => pointer.startsWith(one)).map((one) => one.length));

  function at(of, { pointer, detail }) {
    const inside = pointer.slice(of.pointers[0].length);
    if (of === card) {
      const [start, end] = placeOf(parse(card.input.value).places, inside);
      const { line } = position(card.input.value, start);
      return { where: inside ? `Line ${line}` : "The card", detail: inside ? `${inside}: ${detail}` : detail, go: () => point(start, end) };
    }
    const [, entry] = /^\/(\d+)/.exec(inside) || [];
    const named = of === recipients && entry !== undefined ? whom()[Number(entry)] : undefined;
    return { detail: named === undefined ? detail : `${typeof named === "string" ? named : `Entry ${Number(entry) + 1}`}: ${detail}` };
  }

  async function trial(body) {
    const found = await post("sends", { ...body, dryRun: true });
    const { counts } = found;
    const left = [["notInstalled", "without the bot"], ["chatActive", "in an active chat"], ["postponed", "waiting until their chat is idle"],
      ["failed", "not found"]].filter(([state]) => counts[state]);
    return { found, view: h("div", {},
      h("p", { class: "big" }, h("strong", {}, number(counts.wouldSend)), ` of ${people(counts.total)} would get it`,
        found.complete ? "" : " among the first ones looked at"),
      left.length ? h("ul", {}, left.map(([state, words]) => h("li", {}, `${number(counts[state])} ${words}`))) : null,
      found.recipients.some(({ state }) => state !== "wouldSend") ? h("ul", { class: "few" }, found.recipients
        .filter(({ state }) => state !== "wouldSend").slice(0, 5)
        .map(({ recipient, reason }) => h("li", {}, recipient, h("span", { class: "help" }, ` ${REASONS[reason] || reason || ""}`)))) : null,
      h("p", { class: "help" }, `It takes ${found.seconds < 1 ? "" : "about "}${span(found.seconds)} by itself. `,
        `Teams counts ${number(found.message.bytes)} of ${number(found.message.most)} bytes.`,
        found.inTime ? "" : " That is longer than it may be tried for.")) };
  }

  // The same content twice is one send, however often the button is pressed or the line breaks.
  let keyed = ["", ""];
  function keyOf(body) {
    const text = JSON.stringify(body);
    if (keyed[0] !== text) keyed = [text, `page-${crypto.randomUUID()}`];
    return { "Idempotency-Key": keyed[1] };
  }

  check.addEventListener("click", () => {
    const body = read();
    if (body) {
      during(check, async () => {
        const { view } = await trial(body);
        put(whole, notice("good", view));
        whole.focus();
      }, explain);
    }
  });

  test.addEventListener("click", () => {
    const address = me.input.value.trim();
    me.mark(address ? [] : [{ detail: "Say to whom the test goes: to yourself." }]);
    if (!address) {
      me.input.focus();
      return;
    }
    localStorage.setItem(ME, address);
    const body = read();
    if (!body) return;
    delete body.sendAt;
    during(test, async () => {
      put(tested, h("p", { class: "help" }, "On its way…"));
      const wanted = { ...body, recipients: [address], wait: body.wait && { ...body.wait, timeout: "PT1H" } };
      // Held for the outcome; a question would be held for its answer.
      const { id: made, results } = await call("POST", "sends", { body: wanted, headers: { Prefer: `wait=${body.wait ? 1 : 20}` } });
      const [one] = results || [];
      put(tested, one && one.state !== "delivered"
        ? notice("bad", h("p", {}, h("span", { class: "code" }, one.statusCode), " ", REASONS[one.reason] || one.reason))
        : notice("good", h("p", {}, one ? `Delivered to ${address}. ` : `On its way to ${address}. `, h("a", { href: `#/sends/${made}` }, "See it"))));
    }, explain).finally(() => {
      if (!tested.querySelector(".notice")) put(tested);
    });
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const body = read();
    if (!body) return;
    during(send, async () => {
      if (updating) {
        const sure = await confirm({ title: "Replace what was sent?", yes: "Replace it",
          body: h("p", {}, "Everybody who got the message sees the new content.") });
        if (sure) done(await post(`sends/${id}/update`, body, keyOf(body)));
        return;
      }
      const { found: { counts }, view } = await trial(body);
      const whomTo = counts.wouldSend ? ` to ${people(counts.wouldSend)}` : " all the same";
      if (await confirm({ title: sendAt.input.value ? "Send it later?" : "Send it now?", body: view, yes: `Send${whomTo}` })) {
        done(await post("sends", body, keyOf(body)));
      }
    }, explain);
  });

  function done({ id: made }) {
    say("Accepted");
    location.hash = `#/sends/${made}`;
  }
}
