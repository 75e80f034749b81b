/** Which patches belong together over all photographs: clusters, and colours of the normalised cut. */

import { opaque } from "./colour.mjs";
import { h } from "./dom.mjs";
import { shown, sized } from "./over.mjs";

/** @typedef {import("./asking.mjs").Asking} Asking */
/** @typedef {import("./answers.mjs").Question} Question */

// Twenty colours apart from each other: Paul Tol's "bright" and "muted" schemes and ColorBrewer's "Set3" (Apache-2.0).
const PALETTE = [
  [68, 119, 170], [238, 102, 119], [34, 136, 51], [204, 187, 68], [102, 204, 238], [170, 51, 119], [187, 187, 187],
  [253, 180, 98], [51, 34, 136], [136, 204, 238], [17, 119, 51], [153, 153, 51], [204, 102, 119], [136, 34, 85],
  [68, 170, 153], [221, 204, 119], [179, 222, 105], [252, 205, 229], [128, 177, 211], [190, 186, 218],
].map(opaque);
const DIM = [...PALETTE].map((colour) => {
  const channel = (/** @type {number} */ shift) => 0.35 * ((colour >> shift) & 255) + 0.65 * 28;
  return opaque([channel(0), channel(8), channel(16)].map(Math.round));
});

/** @param {Asking} asking @returns {Question} */
const clustersOf = (asking) => ({ way: "clusters", k: Number(asking.options.k) });

/**
 * The cluster under the pointer, by the first model that is shown.
 * @param {Asking} asking
 * @param {number} m
 * @param {import("./state.mjs").Place} at
 */
function labelAt(asking, m, at) {
  const found = asking.found(clustersOf(asking), m);
  if (!found || found.facts.why) return null;
  return { label: found.arrays[found.facts.labels][asking.session.patchOf(at, m)], note: found.facts.note ?? "" };
}

/** @type {import("./asking.mjs").Way} */
export const CLUSTERS = {
  fields(asking) {
    const k = h("input", {
      type: "number", min: "0", max: "64", step: "1", title: "0: as many as each model\u2019s spectrum speaks for",
      "aria-label": "Number of clusters; 0 for as many as each model's spectrum speaks for",
      onchange: () => asking.choose({ k: String(Math.max(0, Math.min(64, Math.round(Number(k.value) || 0)))) }),
    });
    asking.own.k = k;
    return [h("label", {}, "Clusters ", k), h("span", { className: "note" }, "0: counted")];
  },

  showFields(asking) {
    asking.own.k.value = asking.options.k;
  },

  questions: (asking) => [clustersOf(asking)],

  paint(asking, cell) {
    const found = asking.factsFor(cell, clustersOf(asking));
    if (!found) return true;
    const { h, w, offset } = asking.view.grids[cell.image][cell.model];
    const labels = found.arrays[found.facts.labels];
    const words = sized(cell, h, w);
    const chosen = asking.own.cluster ?? null;
    for (let i = 0; i < words.length; i++) {
      const label = labels[offset + i];
      words[i] = (chosen === null || chosen === label ? PALETTE : DIM)[label % PALETTE.length];
    }
    shown(cell);
    return true;
  },

  hover(asking, at) {
    const here = at && (labelAt(asking, asking.session.models[0], at)?.label ?? null);
    if (here === (asking.own.cluster ?? null)) return;
    asking.own.cluster = here;
    for (const cell of asking.session.table.maps.flat()) CLUSTERS.paint(asking, cell);
  },

  reads(asking, m, at) {
    const here = labelAt(asking, m, at);
    return here ? `cluster ${here.label + 1} of ${here.note}` : "";
  },

  legend: () => "the pointer\u2019s cluster stays bright",
};

/** @type {Question} */
const CUT = { way: "spectral" };

/** @type {import("./asking.mjs").Way} */
export const SPECTRAL = {
  fields: () => [],
  questions: () => [CUT],

  paint(asking, cell) {
    const found = asking.factsFor(cell, CUT);
    if (!found) return true;
    const { h, w, offset } = asking.view.grids[cell.image][cell.model];
    const colours = found.arrays[found.facts.colours];
    const words = sized(cell, h, w);
    for (let i = 0; i < words.length; i++) {
      const at = 3 * (offset + i);
      words[i] = opaque([colours[at], colours[at + 1], colours[at + 2]]);
    }
    shown(cell);
    return true;
  },

  reads: (asking, m) => asking.found(CUT, m)?.facts.note ?? "",
  legend: () => "colours turned to the first model\u2019s",
};
