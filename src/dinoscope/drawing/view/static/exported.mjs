/** Lists as files: hits as CSV and JSON, paths one a line. */

import { h } from "./dom.mjs";

/** @typedef {import("./hits.mjs").Answer} Answer */
/** @typedef {{table: string, model: string, answer: Answer}} Ranking */

const COLUMNS = ["model", "table", "suppression", "rank", "cosine", "name", "source", "digest", "width", "height", "taken", "camera", "latitude", "longitude"];

/** A line for each hit of each ranking. @param {Ranking[]} rankings */
export function asCsv(rankings) {
  const rows = rankings.flatMap(({ table, model, answer }) => answer.hits.map(({ rank, score, name, source, digest, size, shot }) => [
    model, table, answer.suppression, rank, score, name, source, digest, ...size, shot.taken, shot.camera, shot.latitude ?? "", shot.longitude ?? "",
  ]));
  return [COLUMNS, ...rows].map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}

/** With what was asked. @param {Record<string, string>} asked @param {Ranking[]} rankings */
export function asJson(asked, rankings) {
  return `${JSON.stringify({ asked, rankings: rankings.map(({ table, model, answer }) => ({ table, model, ...answer })) }, null, 2)}\n`;
}

/** @param {string} name @param {string} kind @param {string} text */
export function save(name, kind, text) {
  const address = URL.createObjectURL(new Blob([text], { type: kind }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Source: RFC 4180, section 2. @param {string | number} value */
function quoted(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
