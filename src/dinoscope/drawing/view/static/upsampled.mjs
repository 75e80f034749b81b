/** Colours between the patches, marked for what they are. */

import { opaque } from "./colour.mjs";
import { choice } from "./fields.mjs";
import { shown, sized } from "./over.mjs";
import { sequence } from "./state.mjs";

/** @typedef {import("./asking.mjs").Asking} Asking */

/** @type {[string, string][]} */
const HOW = [["joint", "guided by the photograph"], ["bilinear", "bilinear"], ["nearest", "nearest"]];

/** @param {Asking} asking @param {number} image @returns {import("./answers.mjs").Question} */
const questionOf = (asking, image) => ({ way: "upsampled", image, how: asking.options.how });

/**
 * Colours of an answer into a cell.
 * @param {import("./maptable.mjs").Cell} cell
 * @param {number} h
 * @param {number} w
 * @param {ArrayLike<number>} colours three bytes each
 */
export function paintColours(cell, h, w, colours) {
  const words = sized(cell, h, w);
  for (let i = 0; i < words.length; i++) words[i] = opaque([colours[3 * i], colours[3 * i + 1], colours[3 * i + 2]]);
  shown(cell);
}

/** @type {import("./asking.mjs").Way} */
export const UPSAMPLED = {
  fields(asking) {
    const how = choice("How places between the patches are filled", HOW, (value) => asking.choose({ how: value }));
    asking.own.how = how;
    return [how];
  },

  showFields(asking) {
    asking.own.how.value = asking.options.how;
  },

  questions: (asking) => sequence(asking.view, asking.state.sort).map((image) => questionOf(asking, image)),

  paint(asking, cell) {
    const found = asking.factsFor(cell, questionOf(asking, cell.image));
    if (found) paintColours(cell, found.facts.h, found.facts.w, found.arrays[found.facts.colours]);
    return true;
  },

  reads(asking, m, at) {
    const found = asking.found(questionOf(asking, at.image), m);
    return found && !found.facts.why ? `upsampled to ${found.facts.h} \u00d7 ${found.facts.w}` : "";
  },

  legend: () => "upsampled: interpolated, no features",
};
