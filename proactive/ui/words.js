// The words that people read for what the service says in codes.

export const STATES = {
  delivered: { word: "Delivered", code: "200" },
  notInstalled: { word: "Bot not installed", code: "100" },
  chatActive: { word: "In an active chat", code: "300" },
  failed: { word: "Failed", code: "404, 413, 502" },
  unknown: { word: "Unknown", code: "504" },
  cancelled: { word: "Cancelled", code: "409" },
  pending: { word: "Still to come", code: "" },
};
export const OPEN = ["pending", "postponed", "sending"];
export const STATE_WORDS = {
  ...Object.fromEntries(Object.entries(STATES).map(([state, { word }]) => [state, word])),
  pending: "To be sent", postponed: "Postponed", sending: "Being sent",
};
export const CODES = {
  404: "No such person", 413: "Too large", 502: "Refused by Teams",
};
export const STATUSES = {
  scheduled: "Scheduled", accepted: "Accepted", delivering: "Delivering", waiting: "Waiting for answers",
  completed: "Completed", cancelled: "Cancelled",
};
export const VERBS = { retry: "Retry", update: "Update", recall: "Recall" };

// In a retry, update or recall “delivered” means done.
export function doneWord(verb) {
  return { update: "Updated", recall: "Recalled" }[verb] || "Delivered";
}

export const REASONS = {
  notInstalled: "The bot is not installed for them, or they are not known by this name.",
  blocked: "They have blocked the bot.",
  disabledByAdmin: "An administrator has disabled the bot.",
  noPermission: "They may not use the bot.",
  chatActive: "They wrote to the bot a short while ago.",
  unknownRecipient: "Nobody has this name. Check it, or use a mail address.",
  ambiguousRecipient: "Several people have this name. Use a mail address.",
  cancelled: "The send was cancelled before it was their turn.",
  deliverWithin: "The time to deliver was over.",
  conversationLimit: "One person was sent more than Teams allows.",
  planFailed: "The recipients could not be looked up. See the log.",
  gaveUp: "The service gave up after several failures. See the log.",
  noToken: "The bot cannot sign in. The log names the setting.",
  serviceUrlNotAllowed: "The address of their Teams cloud is not among PROACTIVE_SERVICE_HOSTS.",
  InvalidBotApiHost: "They are in another Teams cloud than the bot writes to.",
  ConversationNotFound: "The chat is lost. Have them write to the bot, or install it again.",
  ActivityNotFoundInConversation: "The message is no longer there.",
  MessageSizeTooBig: "Teams found the message too large.",
  Throttled: "Teams slows the bot down.",
};

const whole = new Intl.NumberFormat("en");
export const number = (value) => whole.format(value);
export const people = (count) => (count === 1 ? "1 person" : `${number(count)} people`);

// How a text begins, in one line and without the signs of Markdown.
export function plain(text) {
  const line = text.trim().split("\n")[0].replace(/\[([^\]]+)\]\([^)]*\)/g, "$1").replace(/(\*\*|__)(.+?)\1/g, "$2")
    .replace(/(^|\s)([*_])([^*_]+)\2/g, "$1$3").replace(/^#+\s*/, "");
  return line.length > 90 ? `${line.slice(0, 90)}…` : line;
}

export function moment(text) {
  if (!text) return "";
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));
}

export function ago(text, now = Date.now()) {
  const seconds = (now - new Date(text)) / 1000;
  if (seconds < -60) return `in ${span(-seconds)}`;
  if (seconds < 60) return "just now";
  return seconds < 86_400 * 2 ? `${span(seconds)} ago` : moment(text);
}

export function span(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
