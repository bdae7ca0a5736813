// The bots, and holding what they are to send.

import { get, post } from "./api.js";
import { confirm, during, h, put, say } from "./dom.js";

export async function show(place, { signal, fail }) {
  const rows = h("ul", { class: "bots" });
  put(place, h("h1", {}, "Bots"),
    h("p", { class: "lead" }, "Holding a bot stops what it is to send within about a second, on all instances. Nothing is lost, but the time to deliver goes on counting."),
    rows);

  async function draw() {
    const { bots } = await get("bots", {}, signal);
    put(rows, bots.map((bot) => h("li", { class: "panel" },
      h("h2", {}, bot.name), bot.appId ? h("p", { class: "help" }, "App id ", h("code", {}, bot.appId)) : null,
      bot.tenants.length ? h("ul", { class: "tenants" }, bot.tenants.map((tenant) => one(bot, tenant)))
        : h("p", {}, "Nobody has installed it yet."))));
  }

  function one(bot, tenant) {
    const paused = bot.paused.includes(tenant);
    const act = async () => {
      if (!paused && !(await confirm({
        title: `Hold ${bot.name}?`, yes: "Hold the bot", danger: true,
        body: h("p", {}, "Sends, retries, updates and recalls in this tenant stop until you let them go on."),
      }))) return;
      await post(paused ? "resume" : "pause", { bot: bot.name, tenant });
      say(paused ? `${bot.name} goes on` : `${bot.name} is held`);
      await draw();
      [...rows.querySelectorAll("button")].find((now) => now.dataset.tenant === bot.name + tenant)?.focus();
    };
    return h("li", {},
      h("span", {}, h("span", { class: `pill ${paused ? "is-held" : "is-completed"}` }, paused ? "Held" : "Sending"),
        " tenant ", h("code", {}, tenant)),
      h("button", { type: "button", class: paused ? "primary" : "", onclick: (event) => during(event.currentTarget, act, fail), "data-tenant": bot.name + tenant },
        paused ? "Let it go on" : "Hold"));
  }
  await draw();
}
