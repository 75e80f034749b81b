/** What the ways of looking that ask the server can be told, and how that stands in the address. */

/** Each option: what it is at first, and what else it may be. @type {Record<string, [string, RegExp]>} */
export const OPTIONS = {
  asked: ["", /^\d+,[\d.]+,[\d.]+$/],
  head: ["mean", /^(\d{1,3}|rollout)$/],
  query: ["patch", /^cls$/],
  facet: ["key", /^(token|query|value)$/],
  k: ["0", /^\d{1,2}$/],
  how: ["joint", /^(bilinear|nearest)$/],
  norms: ["before", /^(after|colours-before|colours-after)$/],
  clicks: ["", /^(\d+,[\d.]+,[\d.]+,[01];?)+$/],
  by: ["nearest", /^linear$/],
  pair: ["", /^\d+,\d+$/],
  pairs: ["mutual", /^all$/],
  dots: ["points", /^(dense|sure)$/],
  words: ["", /^.{1,300}$/],
  word: ["0", /^\d{1,2}$/],
};

/** @returns {Record<string, string>} */
export const firstOptions = () => Object.fromEntries(Object.entries(OPTIONS).map(([name, [first]]) => [name, first]));

/**
 * Parts of an address: what differs from the first.
 * @param {Record<string, string>} options
 */
export const optionParts = (options) =>
  Object.entries(OPTIONS).flatMap(([name, [first]]) => (options[name] === first ? [] : [`${name}=${encodeURIComponent(options[name])}`]));

/**
 * Options of an address; what may not be is left at its first.
 * @param {URLSearchParams} given
 */
export function optionsFrom(given) {
  const options = firstOptions();
  for (const [name, [, allowed]] of Object.entries(OPTIONS)) {
    const text = given.get(name);
    if (text !== null && allowed.test(text)) options[name] = text;
  }
  return options;
}

/** @param {number} v */
const short = (v) => String(Math.round(v * 1e4) / 1e4);

/** @param {import("./state.mjs").Place} at */
export const placeWords = (at) => `${at.image},${short(at.x)},${short(at.y)}`;

/**
 * @param {string} text
 * @param {number} photographs how many there are
 * @returns {import("./state.mjs").Place | null}
 */
export function placeFrom(text, photographs) {
  const [image, x, y] = text.split(",").map(Number);
  return text && image < photographs && x <= 1 && y <= 1 ? { image, x, y } : null;
}
