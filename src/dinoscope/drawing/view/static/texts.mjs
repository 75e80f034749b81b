/** Words: where they are, by models that read, beside the others' cosines with the patch that was found. */

import { ownRange, paintCosines, TABLE } from "./colour.mjs";
import { h } from "./dom.mjs";
import { chips } from "./fields.mjs";
import { dot, shown, sized } from "./over.mjs";
import { patchAt } from "./payload.mjs";
import { signed } from "./readout.mjs";
import { sequence } from "./state.mjs";

/** @typedef {import("./asking.mjs").Asking} Asking */

/** @param {Asking} asking */
const textsOf = (asking) => asking.options.words.split(",").map((text) => text.trim()).filter(Boolean);

/** @param {Asking} asking */
const wordOf = (asking) => Math.min(Number(asking.options.word), textsOf(asking).length - 1);

/** @param {Asking} asking @param {number} image @returns {import("./answers.mjs").Question | undefined} */
function questionOf(asking, image) {
  const texts = textsOf(asking);
  return texts.length ? { way: "text", image, texts } : undefined;
}

/** Cosines of the word that is shown. @param {Asking} asking @param {number} image @param {number} m */
function valuesOf(asking, image, m) {
  const found = asking.found(questionOf(asking, image), m);
  if (!found || found.facts.why) return null;
  const { facts, arrays } = found;
  const n = facts.h * facts.w, word = wordOf(asking);
  return { facts, values: /** @type {Float32Array} */ (arrays[facts.values]).subarray(word * n, (word + 1) * n), best: facts.best[word] };
}

/** @type {import("./asking.mjs").Way} */
export const WORDS = {
  fields(asking) {
    const field = h("input", {
      type: "text", placeholder: "a cat, grass", maxLength: 300, size: 24, "aria-label": "Words to look for, separated by commas",
      onchange: () => asking.choose({ words: field.value.trim(), word: "0" }),
    });
    const words = chips("Which of the words", (value) => asking.choose({ word: value }));
    asking.own.words = { field, words };
    return [h("label", {}, "Words ", field), words.element];
  },

  showFields(asking) {
    const { field, words } = asking.own.words;
    if (document.activeElement !== field) field.value = asking.options.words;
    const texts = textsOf(asking);
    words.show(texts.length > 1 ? texts.map((text, k) => [String(k), text]) : [], String(wordOf(asking)));
  },

  questions: (asking) => sequence(asking.view, asking.state.sort).flatMap((image) => questionOf(asking, image) ?? []),

  paint(asking, cell) {
    const found = asking.factsFor(cell, questionOf(asking, cell.image)) && valuesOf(asking, cell.image, cell.model);
    if (!found) return true;
    const [low, high] = found.facts.reads ? ownRange(found.values) : [-1, 1];
    paintCosines(found.values, sized(cell, found.facts.h, found.facts.w), low, high);
    shown(cell);
    return true;
  },

  mark(asking, cell) {
    const m = cell.model < 0 ? asking.session.models[0] : cell.model;
    const found = valuesOf(asking, cell.image, m);
    if (found) dot(cell, { x: found.best[0], y: found.best[1], kind: "ring" });
  },

  reads(asking, m, at) {
    const found = valuesOf(asking, at.image, m);
    if (!found) return "";
    const { row, col } = patchAt({ h: found.facts.h, w: found.facts.w, offset: 0 }, at.x, at.y);
    return `cos ${signed(found.values[row * found.facts.w + col])} ${found.facts.reads ? "with the words" : "with the ringed patch"}; ${found.facts.note}`;
  },

  legend: (asking) =>
    textsOf(asking).length
      ? { low: "1%", high: "99%", under: false, signed: false, table: TABLE, name: "words: each map\u2019s own 1% to 99%; models that read none: cosines from -1 to 1, with the patch that was found" }
      : "type words; models that read them show where they are",
};
