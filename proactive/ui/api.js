// All that the page knows comes from `/api/ops`, beside the page's own address.

const KEY = "proactive.key";
const OPS = new URL("ops/", new URL(".", location.href));

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The service answered ${status}.`);
    this.status = status;
    this.errors = body.errors || [];
  }
}

export class SignInNeeded extends Error {}

export const key = {
  kept: () => Boolean(sessionStorage.getItem(KEY)),
  keep: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

async function ask(method, path, { query, body, headers, signal, kind = "application/json" }) {
  const url = new URL(path, OPS);
  for (const [name, value] of Object.entries(query || {})) if (value) url.searchParams.set(name, value);
  const sent = { Accept: kind, "X-Requested-With": "XMLHttpRequest", ...headers };
  if (key.kept()) sent["x-functions-key"] = sessionStorage.getItem(KEY);
  if (body !== undefined) sent["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(url, {
      method, headers: sent, signal, cache: "no-store", redirect: "error",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    signal?.throwIfAborted();
    throw new Problem(0, { detail: "The service cannot be reached. If you signed in a while ago, load the page again." });
  }
  if (answer.status === 401) throw new SignInNeeded();
  // 424 is the outcome of a send that failed, not a request that did.
  if (answer.ok || answer.status === 424) return answer;
  throw new Problem(answer.status, await read(answer));
}

async function read(answer) {
  const body = await answer.text();
  return /json/.test(answer.headers.get("Content-Type") || "") && body ? JSON.parse(body) : {};
}

export async function call(method, path, more = {}) {
  return read(await ask(method, path, more));
}

export async function text(path, query, kind, signal) {
  return (await ask("GET", path, { query, kind, signal })).text();
}

export const get = (path, query, signal) => call("GET", path, { query, signal });
export const post = (path, body, headers) => call("POST", path, { body, headers });
