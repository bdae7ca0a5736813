// The options of a send in the words that makers of flows know.

import { h } from "./dom.js";
import { field, select } from "./fields.js";

const duration = (value) => h("input", { type: "text", value, spellcheck: "false", autocapitalize: "off", maxlength: 20 });

export function options() {
  const all = {
    labelAsNotification: field({
      label: "Label as notification", pointers: ["/options/labelAsNotification"], input: h("input", { type: "checkbox" }),
    }),
    ifChatIsActive: field({
      label: "If chat is active", pointers: ["/options/ifChatIsActive"], input: select([
        ["send", "Send"], ["dontSendAndSucceed", "Do not send and succeed with status code"],
        ["dontSendAndFail", "Do not send and fail"], ["postpone", "Postpone until the chat is idle"]], "send"),
    }),
    ifBotNotInstalled: field({
      label: "If bot is not installed", pointers: ["/options/ifBotNotInstalled"], input: select([
        ["fail", "Fail"], ["succeedWithStatusCode", "Succeed with status code"], ["install", "Install it, then send"]], "fail"),
    }),
    ifOutcomeUnknown: field({
      label: "If nobody can tell whether it arrived", pointers: ["/options/ifOutcomeUnknown"], input: select([
        ["resend", "Send again: at least once"], ["leave", "Leave it: at most once"]], "resend"),
    }),
    parallelism: field({
      label: "Degree of parallelism", pointers: ["/options/parallelism"], help: "1 to 50 messages in flight",
      input: h("input", { type: "number", min: 1, max: 50, value: 20 }),
    }),
    deliverWithin: field({
      label: "Keep trying for", pointers: ["/options/deliverWithin"], help: "From PT1M (a minute) to P7D (a week)", input: duration("PT24H"),
    }),
  };
  const defaults = read();

  function read() {
    return Object.fromEntries(Object.entries(all).map(([name, { input }]) => {
      if (input.type === "checkbox") return [name, input.checked];
      return [name, input.type === "number" ? Number(input.value) : input.value.trim()];
    }));
  }

  return {
    fields: Object.values(all),
    node: h("details", { class: "panel" }, h("summary", {}, "Options"), h("div", { class: "grid" }, Object.values(all).map(({ node }) => node))),
    read: () => Object.fromEntries(Object.entries(read()).filter(([name, value]) => value !== defaults[name])),
  };
}

export function waiting() {
  const wanted = field({
    label: "Wait for a response", pointers: ["/wait"], input: h("input", { type: "checkbox" }),
    help: "The card is a question: its buttons answer, and each person's answer is kept.",
  });
  const update = field({ label: "Update message", pointers: ["/wait/updateMessage"], help: "What the card becomes once somebody has answered",
    input: h("input", { type: "text", value: "Thanks for your response!" }) });
  const timeout = field({ label: "Wait for at most", pointers: ["/wait/timeout"], help: "From PT1M (a minute) to P30D (30 days)", input: duration("P30D") });
  const when = field({ label: "It is over", pointers: ["/wait/completeWhen"], input: select([
    ["first", "with the first answer"], ["all", "when everybody reached has answered"]], "first") });
  const inner = h("div", { class: "grid", hidden: true }, update.node, timeout.node, when.node);
  wanted.input.addEventListener("change", () => {
    inner.hidden = !wanted.input.checked;
  });
  return {
    fields: [update, timeout, when, wanted],
    node: h("div", {}, wanted.node, inner),
    read: () => (wanted.input.checked ? {
      updateMessage: update.input.value, timeout: timeout.input.value.trim(), completeWhen: when.input.value } : undefined),
  };
}
