/** Hits as they are shown: the photograph, its rank and cosine, and how far it moved from the plain ranking. */

import { h } from "./dom.mjs";
import { drawable, framed, outline, WHOLE } from "./region.mjs";

/** @typedef {import("./region.mjs").Region} Region */
/** @typedef {import("./region.mjs").Shown & {rank: number, score: number, box?: [number, number, number, number]}} Hit */
/** @typedef {{hits: Hit[], suppression: string, k_removed: number | null, fitted_on: string, notes: string[], grid: [number, number]}} Answer */

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
 * @param {Hit} hit
 * @param {{picture: string, plainly: Map<string, number> | null, onChoose: (region: Region) => void, onWhy: () => void}} options
 *   picture: its address; plainly: rank of each digest in the plain ranking, where this is another
 */
export function hitItem(hit, { picture, plainly, onChoose, onWhy }) {
  const [mark, moved] = plainly ? movement(plainly.get(hit.digest), hit.rank) : ["", ""];
  const frame = framed(picture, hit, "");
  drawable(frame, { touch: false, onBox: onChoose });
  const patch = hit.box;
  if (patch) outline(frame, "chosen", patch);
  /** @type {Region} */
  const found = patch ? { kind: "patch", at: [(patch[0] + patch[2]) / 2, (patch[1] + patch[3]) / 2] } : WHOLE;
  const words = `${hit.rank}: ${hit.name}, cosine ${hit.score.toFixed(3)}${moved && `, ${moved}`}. Search for ${patch ? "this patch of it" : "it"}`;
  const item = h(
    "li",
    {},
    h("button", { type: "button", className: "choose", title: hit.name, "aria-label": words, onclick: () => onChoose(found) }, frame),
    h(
      "p",
      { className: "caption" },
      h("span", { className: "rank" }, String(hit.rank)),
      h("span", { className: "score", title: "cosine" }, hit.score.toFixed(3)),
      h("span", { className: `moved ${mark === "new" || mark.startsWith("▲") ? "up" : ""}`, title: moved }, mark),
      ...(patch ? [] : [h("button", { type: "button", className: "ask", "aria-label": `Why ${hit.name} matches`, onclick: onWhy }, "why")]),
    ),
  );
  item.dataset.digest = hit.digest;
  return item;
}

/**
 * A mark and its words.
 * @param {number | undefined} before @param {number} rank
 * @returns {[string, string]}
 */
function movement(before, rank) {
  if (before === undefined) return ["new", "not among the plain hits"];
  const places = before - rank;
  if (places === 0) return ["=", "in the same place as plainly"];
  return places > 0 ? [`▲${places}`, `up ${places} from the plain ranking`] : [`▼${-places}`, `down ${-places} from the plain ranking`];
}
