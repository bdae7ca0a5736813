// What Teams shows of Markdown in a card: bold, italic, links and lists. All else is text.

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function inline(text) {
  return text
    .replace(/[&<>"']/g, (sign) => ESCAPES[sign])
    .replace(/\[([^\]\n]+)\]\((https?:\/\/[^\s)]+|mailto:[^\s)]+)\)/g, '<a href="$2" rel="noopener noreferrer" target="_blank">$1</a>')
    .replace(/\*\*([^*\n]+)\*\*|__([^_\n]+)__/g, (_, a, b) => `<strong>${a ?? b}</strong>`)
    .replace(/(^|[\s(])(?:\*([^*\n]+)\*|_([^_\n]+)_)(?=$|[\s).,;:!?])/g, (_, before, a, b) => `${before}<em>${a ?? b}</em>`);
}

export function html(text) {
  const out = [];
  let list = "";
  for (const line of text.split(/\r?\n/)) {
    const [, mark, item] = /^\s*([-*+]|\d+[.)])\s+(.*)$/.exec(line) || [];
    const kind = mark ? (/\d/.test(mark) ? "ol" : "ul") : "";
    if (kind !== list) out.push(list ? `</${list}>` : "", kind ? `<${kind}>` : "");
    else if (!kind && out.length) out.push("<br>");
    out.push(kind ? `<li>${inline(item)}</li>` : inline(line));
    list = kind;
  }
  if (list) out.push(`</${list}>`);
  return out.join("");
}
