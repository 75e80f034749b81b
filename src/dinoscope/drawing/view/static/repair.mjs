/** High-norm patches, before and after a test-time register. */

import { paintComponents, TABLE } from "./colour.mjs";
import { chips } from "./fields.mjs";
import { shown, sized } from "./over.mjs";
import { paintColours } from "./upsampled.mjs";
import { patchAt } from "./payload.mjs";
import { sequence } from "./state.mjs";

/** @typedef {import("./asking.mjs").Asking} Asking */

/** @param {number} image @returns {import("./answers.mjs").Question} */
const questionOf = (image) => ({ way: "repair", image });

/** Thresholds up to which colours reach, so that both sides of it show. */
const TIMES = 2;

/** @type {import("./asking.mjs").Way} */
export const REPAIR = {
  fields(asking) {
    const side = chips("What of the repair", (value) => asking.choose({ norms: value }));
    asking.own.side = side;
    return [side.element];
  },

  showFields(asking) {
    asking.own.side.show([
      ["before", "Norms before", "Lengths of the last layer\u2019s patches, before the final norm"],
      ["after", "Norms after", "The same once a test-time register takes what made them long"],
      ["colours-before", "PCA before", "Components of the model as it is"],
      ["colours-after", "PCA after", "Components of the repaired model, in the same basis"],
    ], asking.options.norms);
  },

  questions: (asking) => sequence(asking.view, asking.state.sort).map(questionOf),

  paint(asking, cell) {
    const found = asking.factsFor(cell, questionOf(cell.image));
    if (!found) return true;
    const { facts, arrays } = found;
    const side = asking.options.norms;
    if (side === "colours-after") paintColours(cell, facts.h, facts.w, arrays[facts.colours]);
    else if (side === "colours-before") {
      paintComponents(asking.view.models[cell.model], asking.view.grids[cell.image][cell.model], null, sized(cell, facts.h, facts.w));
      shown(cell);
    } else {
      const norms = arrays[facts[side]];
      const words = sized(cell, facts.h, facts.w);
      for (let i = 0; i < words.length; i++) words[i] = TABLE[Math.min(255, Math.floor((256 * norms[i]) / (TIMES * facts.threshold)))];
      shown(cell);
    }
    return true;
  },

  reads(asking, m, at) {
    const found = asking.found(questionOf(at.image), m);
    if (!found || found.facts.why) return "";
    const { facts, arrays } = found;
    const { row, col } = patchAt({ h: facts.h, w: facts.w, offset: 0 }, at.x, at.y);
    const [before, after] = [facts.before, facts.after].map((k) => arrays[k][row * facts.w + col].toPrecision(3));
    return `norm ${before === after ? before : `${before} \u2192 ${after}`}; ${facts.note}`;
  },

  legend(asking) {
    if (asking.options.norms.startsWith("colours")) return "colours in one basis, before and after";
    return { low: "0", high: "2\u00d7 threshold", under: false, signed: false, table: TABLE, name: "length of a patch, each model on its own scale: the middle is where lengths begin to stand out" };
  },
};
