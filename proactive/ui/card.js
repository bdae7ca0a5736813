// A card as Microsoft's renderer shows it. The renderer is loaded when a card is first shown.

import { h, put } from "./dom.js";
import { html } from "./markdown.js";

const ADDRESS = new URL("vendor/adaptivecards.min.js", import.meta.url).href;
const policy = globalThis.trustedTypes?.createPolicy("renderer", { createScriptURL: () => ADDRESS });
// The page asks nobody but the service for anything, so a picture from elsewhere is shown as a frame.
const FRAME = `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" width="160" height="90" viewBox="0 0 160 90"><rect x="1" y="1" width="158" height="88" rx="6" fill="#8886" stroke="#8888"/><path d="M50 64l22-26 16 18 8-9 16 17z" fill="#888"/><circle cx="102" cy="34" r="6" fill="#888"/></svg>')}`;
const PICTURES = new Set(["url", "iconUrl", "backgroundImage", "poster"]);

let loading = null;

function renderer() {
  loading ||= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = policy ? policy.createScriptURL("") : ADDRESS;
    script.onload = () => resolve(prepared(globalThis.AdaptiveCards));
    script.onerror = () => {
      loading = null;
      reject(new Error("The renderer could not be loaded. Load the page again."));
    };
    document.head.append(script);
  });
  return loading;
}

function prepared(cards) {
  cards.AdaptiveCard.onProcessMarkdown = (text, result) => {
    result.outputHtml = html(text);
    result.didProcess = true;
  };
  return cards;
}

// Show a card in `frame`. Throws what the renderer says of a card that it cannot read.
export async function draw(frame, card, signal) {
  const { AdaptiveCard, HostConfig } = await renderer();
  if (signal?.aborted) return;
  const shown = new AdaptiveCard();
  shown.hostConfig = new HostConfig(LOOK);
  shown.onExecuteAction = () => {};
  shown.parse(alone(card));
  put(frame, shown.render() || h("p", { class: "help" }, "There is nothing to be seen in this card."));
}

// A copy of a card that leads nowhere else: pictures become frames, media their names. The pages of a carousel stand one
// below the other: what turns them would need leave to make markup of any text.
export function alone(part) {
  if (Array.isArray(part)) return part.map(alone);
  if (!part || typeof part !== "object") return part;
  if (part.type === "Media") return { type: "TextBlock", text: `▶ ${part.altText || "Media"}`, isSubtle: true };
  if (part.type === "Carousel" && Array.isArray(part.pages)) {
    return { type: "Container", items: part.pages.map((page) => alone({ ...page, type: "Container", separator: true })) };
  }
  const action = typeof part.type === "string" && part.type.startsWith("Action.");
  return Object.fromEntries(Object.entries(part).map(([name, value]) => {
    const picture = typeof value === "string" && PICTURES.has(name) && !(action && name === "url");
    return [name, picture && !value.startsWith("data:image/") ? FRAME : alone(value)];
  }));
}

const color = (name, subtle = name) => ({ default: `var(--card-${name})`, subtle: `var(--card-${subtle})` });
const COLORS = {
  default: color("text", "subtle"), dark: color("text", "subtle"), light: color("subtle"), accent: color("accent"),
  good: color("good"), warning: color("warning"), attention: color("attention"),
};
const box = (back) => ({ backgroundColor: `var(--card-${back})`, borderColor: "var(--card-line)", foregroundColors: COLORS });

const LOOK = {
  fontFamily: "inherit",
  supportsInteractivity: true,
  spacing: { small: 8, default: 12, medium: 16, large: 20, extraLarge: 24, padding: 16 },
  separator: { lineThickness: 1, lineColor: "var(--card-line)" },
  fontSizes: { small: 12, default: 14, medium: 16, large: 18, extraLarge: 24 },
  fontWeights: { lighter: 300, default: 400, bolder: 600 },
  imageSizes: { small: 32, medium: 52, large: 100 },
  containerStyles: {
    default: box("back"), emphasis: box("emphasis"), accent: box("emphasis"), good: box("emphasis"),
    attention: box("emphasis"), warning: box("emphasis"),
  },
  actions: { maxActions: 6, spacing: "default", buttonSpacing: 8, actionsOrientation: "horizontal", actionAlignment: "left",
    showCard: { actionMode: "inline", inlineTopMargin: 16, style: "emphasis" } },
  adaptiveCard: { allowCustomStyle: false },
  textStyles: { heading: { size: "large", weight: "bolder", color: "default", isSubtle: false, fontType: "default" } },
  factSet: { title: { weight: "bolder", wrap: true, maxWidth: 150 }, value: { wrap: true }, spacing: 12 },
};
