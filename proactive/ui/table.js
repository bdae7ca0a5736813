// The whole table of results as a file.

import { text } from "./api.js";
import { h } from "./dom.js";

export async function table(id, state, signal) {
  const csv = await text(`sends/${id}/recipients`, { state }, "text/csv", signal);
  const url = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
  h("a", { href: url, download: `${id}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
