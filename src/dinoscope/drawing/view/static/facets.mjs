/** Facets: cosines of keys, queries or values, computed here like those of tokens. */

import { scriptEngine, simdEngine } from "./cosine.mjs";
import { chips } from "./fields.mjs";
import { packTokens } from "./tokens.mjs";

/** @typedef {import("./asking.mjs").Asking} Asking */
/** @typedef {import("./cosine.mjs").Engine} Engine */

/** @param {Asking} asking @returns {import("./answers.mjs").Question} */
const questionOf = (asking) => ({ way: "facet", facet: asking.options.facet });

/**
 * What computes cosines of keys, queries or values; null where there is nothing, or nothing yet.
 * @param {Asking} asking
 * @param {number} m
 * @returns {Engine | null}
 */
export function facetEngine(asking, m) {
  const answer = asking.answer(questionOf(asking));
  if (!answer) return null;
  /** @type {WeakMap<object, (Engine | null)[]>} */
  const engines = (asking.own.engines ??= new WeakMap());
  let made = engines.get(answer);
  if (!made) {
    made = answer.models.map((facts) => {
      if (facts.why) return null;
      const [step, mean, planes, norms] = [facts.step, facts.mean, facts.planes, facts.norms].map((k) => answer.arrays[k]);
      const tokens = packTokens({
        n: facts.n, nPlanes: facts.n_planes, axis: facts.axis, planes: /** @type {Int8Array} */ (planes),
        step: /** @type {Float32Array} */ (step), mean: /** @type {Float32Array} */ (mean), norms: /** @type {Float32Array} */ (norms),
      });
      return simdEngine(tokens) ?? scriptEngine(tokens);
    });
    engines.set(answer, made);
  }
  return made[m];
}

/** @type {import("./asking.mjs").Way} */
export const FACETS = {
  fields(asking) {
    const facet = chips("Facet", (value) => asking.choose({ facet: value }));
    asking.own.facet = facet;
    return [facet.element];
  },

  showFields(asking) {
    asking.own.facet.show([
      ["token", "Token", "What the block gives on"], ["key", "Key", "What a patch is found by, before rotary positions"],
      ["query", "Query", "What a patch looks for, before rotary positions"], ["value", "Value", "What a patch tells those who look at it"],
    ], asking.options.facet);
  },

  questions(asking) {
    if (asking.options.facet === "token") return [];
    return [...asking.view.photographs.map((_, image) => ({ way: "pass", image })), questionOf(asking)];
  },

  paint(asking, cell) {
    return asking.options.facet !== "token" && !asking.factsFor(cell, questionOf(asking));
  },

  reads: () => null,

  legend: () => "",
};
