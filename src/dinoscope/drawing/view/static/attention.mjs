/** Attention: the row of the clicked patch, or of the class token, a head at a time or all of them. */

import { between, opaque } from "./colour.mjs";
import { chips } from "./fields.mjs";
import { dot, shown, sized } from "./over.mjs";
import { placeFrom, placeWords } from "./options.mjs";
import { patchAt } from "./payload.mjs";
import { sequence } from "./state.mjs";

/** @typedef {import("./asking.mjs").Asking} Asking */
/** @typedef {import("./answers.mjs").Question} Question */

// The colour table magma (public domain, CC0), nine of its colours.
const MAGMA = [[0, 0, 4], [28, 16, 68], [79, 18, 123], [129, 37, 129], [181, 54, 122], [229, 80, 100], [251, 135, 97], [254, 194, 135], [252, 253, 191]];
const TABLE = Int32Array.from({ length: 256 }, (_, i) => between(MAGMA, [0, 32, 64, 96, 128, 160, 192, 224, 255], i));
/** Multiples of an even share between which colours lie, on a logarithmic scale. */
const [LEAST, MOST] = [1 / 4, 16];

/** Share of an even one to a place in the colour table. @param {number} times */
const colourOf = (times) => TABLE[Math.max(0, Math.min(255, Math.floor((256 * Math.log(times / LEAST)) / Math.log(MOST / LEAST))))] ?? opaque(MAGMA[0]);

/**
 * The place that was clicked; the middle of the first photograph before any click.
 * @param {Asking} asking
 */
export const clicked = (asking) =>
  placeFrom(asking.options.asked, asking.view.photographs.length) ?? { image: sequence(asking.view, asking.state.sort)[0], x: 0.5, y: 0.5 };

/** @param {Asking} asking @param {number} image @returns {Question | undefined} */
function questionOf(asking, image) {
  const how = asking.options.head === "rollout" ? { how: "rollout" } : {};
  if (asking.options.query === "cls") return { way: "attention", image, at: "cls", ...how };
  const at = clicked(asking);
  if (at.image !== image) return undefined;
  const grid = asking.view.grids[image][0];
  const { row, col } = patchAt(grid, at.x, at.y);
  return { way: "attention", image, at: [(col + 0.5) / grid.w, (row + 0.5) / grid.h], ...how };
}

/**
 * A head's weights, or the mean of all; prefix first.
 * @param {import("./answers.mjs").ModelFacts} facts
 * @param {Float32Array} weights
 * @param {string} head
 */
function row(facts, weights, head) {
  const n = weights.length / facts.heads;
  if (head === "rollout") return weights;
  if (head !== "mean") return weights.subarray(Number(head) * n, (Number(head) + 1) * n);
  const mean = new Float32Array(n);
  for (let i = 0; i < weights.length; i++) mean[i % n] += weights[i] / facts.heads;
  return mean;
}

/** @param {Asking} asking @param {number} image @param {number} m */
function rowOf(asking, image, m) {
  const found = asking.found(questionOf(asking, image), m);
  if (!found || found.facts.why) return null;
  const { head } = asking.options;
  if (head !== "mean" && Number(head) >= found.facts.heads) return null;
  return { facts: found.facts, row: row(found.facts, /** @type {Float32Array} */ (found.arrays[found.facts.weights]), head) };
}

/** @param {number} share */
const percent = (share) => (share < 0.001 ? "<0.1%" : `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)}%`);

/** @type {import("./asking.mjs").Way} */
export const ATTENTION = {
  fields(asking) {
    const query = chips("Who looks", (value) => asking.choose({ query: value }));
    const heads = chips("Head", (value) => asking.choose({ head: value }));
    heads.element.classList.add("many");
    asking.own.attention = { query, heads };
    return [query.element, heads.element];
  },

  showFields(asking) {
    const { query, heads } = asking.own.attention;
    query.show([["patch", "Patch", "What the clicked patch attends to"], ["cls", "Class token", "What the class token attends to"]], asking.options.query);
    const n = Math.max(asking.own.heads ?? 0, ...asking.view.models.map((_, m) => asking.found(questionOf(asking, clicked(asking).image), m)?.facts.heads ?? 0));
    const each = Array.from({ length: n }, (_, k) => [String(k), String(k), `Head ${k} alone`]);
    if (asking.options.head !== "rollout") asking.own.heads = n;
    const shown = asking.options.head === "rollout" ? each.slice(0, asking.own.heads ?? 0) : each;
    heads.show([["mean", "Mean", "The mean over all heads"], ...shown,
      ["rollout", "Rollout", "A heuristic: the product of all blocks\u2019 attentions, which ignores values and MLPs; a pass each click"]], asking.options.head);
  },

  questions(asking) {
    const first = clicked(asking).image;
    const others = asking.options.query === "cls" ? asking.view.photographs.map((_, p) => p).filter((p) => p !== first) : [];
    return [first, ...others].flatMap((image) => questionOf(asking, image) ?? []);
  },

  paint(asking, cell) {
    const facts = asking.factsFor(cell, questionOf(asking, cell.image))?.facts;
    if (!facts) return true;
    const found = rowOf(asking, cell.image, cell.model);
    const words = sized(cell, facts.h, facts.w);
    if (!found) {
      words.fill(0);
    } else {
      const even = found.row.length;
      for (let i = 0; i < words.length; i++) words[i] = colourOf(found.row[facts.n_prefix + i] * even);
    }
    shown(cell);
    return true;
  },

  mark(asking, cell) {
    const at = clicked(asking);
    if (asking.options.query === "cls" || cell.image !== at.image) return;
    const grid = asking.view.grids[at.image][Math.max(0, cell.model)];
    const { row, col } = patchAt(grid, at.x, at.y);
    dot(cell, { x: (col + 0.5) / grid.w, y: (row + 0.5) / grid.h, kind: "ring" });
  },

  reads(asking, m, at) {
    const asked = asking.options.query === "cls" ? at.image : clicked(asking).image;
    const found = rowOf(asking, asked, m);
    if (!found) return "";
    const { facts, row } = found;
    const prefix = row.subarray(0, facts.n_prefix);
    const sum = (/** @type {Float32Array} */ part) => part.reduce((total, one) => total + one, 0);
    const parts = facts.n_cls ? [`class token ${percent(prefix[0])}`] : [];
    if (facts.n_prefix > facts.n_cls) parts.push(`registers ${percent(sum(prefix.subarray(facts.n_cls)))}`);
    const patch = patchAt(asking.view.grids[at.image][m], at.x, at.y);
    const here = at.image === asked ? `${(row[facts.n_prefix + patch.row * facts.w + patch.col] * row.length).toFixed(1)}\u00d7 here; ` : "";
    return `${asking.options.head === "rollout" ? "heuristic; " : ""}${here}to ${parts.join(", ") || "patches alone"}`;
  },

  legend: () => ({ low: "\u00bc\u00d7", high: "16\u00d7", under: false, signed: false, table: TABLE, name: "attention, as a multiple of an even share over all tokens; logarithmic" }),

  click(asking, at) {
    asking.choose({ asked: placeWords(at), query: "patch" });
  },
};
