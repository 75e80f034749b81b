/** The search in the page's address, behind its #: a reload and a sent link ask the same. */

import { inAddress, WHOLE } from "./region.mjs";

/** @typedef {import("./region.mjs").Region} Region */
/** @typedef {import("./region.mjs").Shown} Shown */
/** @typedef {{query: Shown | null, region: Region, more: Shown[], against: Shown[], k: number}} Asked */

/** @param {Asked} asked @returns {Record<string, string>} */
export function wordsOf({ query, region, more, against, k }) {
  const listed = (/** @type {Shown[]} */ some) => some.map(({ digest }) => digest).join(",");
  /** @type {Record<string, string>} */
  const words = { query: query?.digest ?? "", k: String(k), ...inAddress(region), more: listed(more), against: listed(against) };
  return Object.fromEntries(Object.entries(words).filter(([, value]) => value !== ""));
}

/** @param {Record<string, string>} words of the search @param {Record<string, string>} settings of the page's fields */
export function addressOf(words, settings) {
  return `#${new URLSearchParams({ ...words, ...settings })}`;
}

/** What an address says. @param {string} hash */
export const wordsIn = (hash) => new Map(new URLSearchParams(hash.replace(/^#/, "")));

/**
 * The region in an address, the whole photograph where it makes no sense.
 * @param {Map<string, string>} words
 * @returns {Region}
 */
export function regionIn(words) {
  const numbers = (/** @type {string} */ name) => (words.get(name) ?? "").split(",").filter(Boolean).map(Number);
  const box = numbers("box");
  const patch = numbers("patch");
  const inside = (/** @type {number[]} */ some) => some.every((value) => value >= 0 && value <= 1);
  if (box.length === 4 && inside(box)) return { kind: "box", at: [box[0], box[1], box[2], box[3]] };
  if (patch.length === 2 && inside(patch)) return { kind: "patch", at: [patch[0], patch[1]] };
  return WHOLE;
}
