// JSON with the place of every value, so that what is wrong can be shown where it stands.

export class JsonError extends Error {
  constructor(detail, text, at) {
    const { line, column } = position(text, at);
    super(`Line ${line}, column ${column}: ${detail}`);
    this.at = at;
  }
}

export function position(text, at) {
  const before = text.slice(0, at).split("\n");
  return { line: before.length, column: before.at(-1).length + 1 };
}

// Return `value`, and in `places` where it begins and ends by its JSON pointer. Throws JsonError.
export function parse(text) {
  const places = new Map();
  let at = 0;

  const fail = (detail, where = at) => {
    throw new JsonError(detail, text, where);
  };
  const blank = () => {
    while (" \t\r\n".includes(text[at]) && at < text.length) at += 1;
  };
  const found = () => (at < text.length ? `“${text[at]}”` : "the end");

  function string() {
    const match = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
    match.lastIndex = at;
    const [whole] = match.exec(text) || [];
    if (whole === undefined) fail("This text does not end, or has a sign that must be escaped.");
    at += whole.length;
    return JSON.parse(whole);
  }

  function plain() {
    const match = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
    match.lastIndex = at;
    const [whole] = match.exec(text) || [];
    if (!whole) fail(`A value is expected here, not ${found()}.`);
    at += whole.length;
    return JSON.parse(whole);
  }

  function members(close, one) {
    at += 1;
    blank();
    if (text[at] === close) {
      at += 1;
      return;
    }
    for (let count = 0; ; count += 1) {
      one(count);
      blank();
      if (text[at] === close) {
        at += 1;
        return;
      }
      if (text[at] !== ",") fail(`“,” or “${close}” is expected here, not ${found()}.`);
      at += 1;
      blank();
      if (text[at] === close) fail("Nothing follows this comma.", text.lastIndexOf(",", at));
    }
  }

  function value(pointer) {
    blank();
    const from = at;
    let read;
    if (text[at] === "{") {
      read = {};
      members("}", () => {
        blank();
        if (text[at] !== '"') fail(`A name in quotes is expected here, not ${found()}.`);
        const name = string();
        blank();
        if (text[at] !== ":") fail(`“:” is expected here, not ${found()}.`);
        at += 1;
        const inside = value(`${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
        Object.defineProperty(read, name, { value: inside, enumerable: true, writable: true, configurable: true });
      });
    } else if (text[at] === "[") {
      read = [];
      members("]", (count) => read.push(value(`${pointer}/${count}`)));
    } else read = text[at] === '"' ? string() : plain();
    places.set(pointer, [from, at]);
    return read;
  }

  const whole = value("");
  blank();
  if (at < text.length) fail(`Nothing more is expected here, but there is ${found()}.`);
  return { value: whole, places };
}

// Return where a pointer leads, or the nearest thing around it that is there.
export function placeOf(places, pointer) {
  for (let path = pointer; ; path = path.slice(0, path.lastIndexOf("/"))) {
    if (places.has(path)) return places.get(path);
    if (!path) return [0, 0];
  }
}
