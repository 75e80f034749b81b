/** Photographs as they are shown: hits with rank, cosine and how far they moved from another ranking. */

import { h } from "./dom.mjs";
import { drawable, framed, outline, WHOLE } from "./region.mjs";

/** @typedef {import("./region.mjs").Region} Region */
/** @typedef {import("./region.mjs").Shown} Shown */
/** @typedef {Shown & {rank: number, score: number, box?: [number, number, number, number]}} Hit */
/** @typedef {{hits: Hit[], pooling?: string, suppression: string, k_removed: number | null, fitted_on: string, notes: string[], grid: [number, number]}} Answer */

/** Of what is shown, so that neither a panorama nor a tower takes the row. */
const NARROWEST = 0.75;
const WIDEST = 2.2;
/** Places kept for hits that are on their way, by their proportions. */
const EXPECTED = [1.5, 1.5, 0.8, 1.33, 1.5, 0.8, 1.33, 1.5, 1, 1.5, 0.8, 1.5];

/** What was taken out. @param {Answer} answer */
export function inShort({ suppression, k_removed: n }) {
  if (suppression === "none") return "Vectors as they are";
  if (n === null) return "The mean of all vectors taken out";
  const count = `${n} direction${n === 1 ? "" : "s"}`;
  return suppression === "whiten" ? `${count} kept, each scaled to the same variance` : `${count} taken out`;
}

/** What it was fitted on, and the notes. @param {Answer} answer */
export function inFull({ suppression, fitted_on: fitted, notes }) {
  return [...(suppression === "none" ? [] : [`fitted on ${fitted}`]), ...notes]
    .map((note) => `${note.charAt(0).toUpperCase()}${note.slice(1).replace(/\.$/, "")}.`)
    .join(" ");
}

/**
 * A photograph with its name beneath, as wide as a row of equal heights wants it.
 * @param {Shown} shown
 * @param {{picture: string, words: string, onChoose: (region: Region) => void, onName: (button: HTMLElement) => void}} options
 *   picture: its address; words: what a press does
 * @param {...Node} facts before the name
 */
export function tile(shown, { picture, words, onChoose, onName }, ...facts) {
  const frame = framed(picture, shown, "");
  drawable(frame, { touch: false, onBox: onChoose });
  const choose = h("button", { type: "button", className: "choose", title: shown.name, "aria-label": words, onclick: () => onChoose(WHOLE) }, frame);
  const name = h("button", { type: "button", className: "name", title: shown.source || shown.name, "aria-label": `About ${shown.name}` }, h("bdi", {}, shown.name));
  name.addEventListener("click", () => onName(name));
  const item = h("li", {}, choose, ...facts, name);
  proportioned(item, shown.size[0] / shown.size[1]);
  item.dataset.digest = shown.digest;
  return item;
}

/**
 * @param {Hit} hit
 * @param {{picture: string, beside: {name: string, ranks: Map<string, number>} | null, onChoose: (region: Region) => void, onWhy: (() => void) | null, onName: (button: HTMLElement) => void, onMore: () => void, onAgainst: () => void}} options
 *   beside: the ranking that this one is compared with, and the rank of each digest in it
 */
export function hitItem(hit, { picture, beside, onChoose, onWhy, onName, onMore, onAgainst }) {
  const [mark, moved] = beside ? movement(beside.ranks.get(hit.digest), hit.rank, beside.name) : ["", ""];
  const patch = hit.box;
  /** @type {Region} */
  const found = patch ? { kind: "patch", at: [(patch[0] + patch[2]) / 2, (patch[1] + patch[3]) / 2] } : WHOLE;
  const words = `${hit.rank}: ${hit.name}, cosine ${hit.score.toFixed(3)}${moved && `, ${moved}`}. Search for ${patch ? "this patch of it" : "it"}`;
  const act = (/** @type {string} */ shown, /** @type {string} */ said, /** @type {() => void} */ done, name = "") =>
    h("button", { type: "button", className: name, title: said, "aria-label": `${said}: ${hit.name}`, onclick: done }, shown);
  const item = tile(
    hit,
    { picture, words, onName, onChoose: (part) => onChoose(part === WHOLE ? found : part) },
    h(
      "p",
      { className: "acts" },
      ...(patch ? [] : [
        act("+", "Search for it too", onMore, "more"),
        act("−", "Search against it", onAgainst, "against"),
        ...(onWhy ? [act("why", "Why it matches", onWhy, "ask")] : []),
      ]),
    ),
    h(
      "p",
      { className: "caption" },
      h("span", { className: "rank" }, String(hit.rank)),
      h("span", { className: "score", title: "cosine" }, hit.score.toFixed(3)),
      h("span", { className: `moved ${mark === "new" || mark.startsWith("▲") ? "up" : ""}`, title: moved }, mark),
    ),
  );
  const frame = item.querySelector(".frame");
  if (patch && frame) outline(frame, "chosen", patch);
  return item;
}

/** Grey places while hits are on their way. @param {Element} list */
export function expect(list) {
  list.replaceChildren(...EXPECTED.map((aspect) => {
    const item = h("li", { className: "expected", "aria-hidden": "true" }, h("span", { className: "choose" }), h("span", { className: "line" }));
    proportioned(item, aspect);
    return item;
  }));
}

/** @param {HTMLElement} item @param {number} aspect width to height */
function proportioned(item, aspect) {
  item.style.setProperty("--aspect", String(aspect));
  item.style.setProperty("--shown", String(Math.min(WIDEST, Math.max(NARROWEST, aspect))));
}

/**
 * A mark and its words.
 * @param {number | undefined} before @param {number} rank @param {string} name of the other ranking
 * @returns {[string, string]}
 */
function movement(before, rank, name) {
  if (before === undefined) return ["new", `not among the hits of ${name}`];
  const places = before - rank;
  if (places === 0) return ["=", `in the same place as in ${name}`];
  return places > 0 ? [`▲${places}`, `up ${places} from ${name}`] : [`▼${-places}`, `down ${-places} from ${name}`];
}
