/** Matches: the same points of one photograph, and where each model finds them in another. */

import { opaque, TABLE } from "./colour.mjs";
import { h } from "./dom.mjs";
import { chips, choice } from "./fields.mjs";
import { dot, shown, sized } from "./over.mjs";
import { patchAt } from "./payload.mjs";
import { sequence } from "./state.mjs";

/** @typedef {import("./asking.mjs").Asking} Asking */
/** @typedef {import("./maptable.mjs").Cell} Cell */

/**
 * From which photograph to which.
 * @param {Asking} asking
 * @returns {[number, number]}
 */
function pairOf(asking) {
  const n = asking.view.photographs.length;
  const [from, to] = asking.options.pair.split(",").map(Number);
  if (asking.options.pair && from < n && to < n) return [from, to];
  const order = sequence(asking.view, asking.state.sort);
  return [order[0], order[1] ?? order[0]];
}

/** @param {Asking} asking @returns {import("./answers.mjs").Question} */
function questionOf(asking) {
  const [image, other] = pairOf(asking);
  return { way: "match", image, other, ...asking.where };
}

/**
 * The colour of a place of the first photograph: hue goes across, lightness down.
 * @param {number} x
 * @param {number} y
 * @returns {[number, number, number]}
 */
function colourAt(x, y) {
  const lightness = 0.38 + 0.34 * y, strength = 0.9 * Math.min(lightness, 1 - lightness);
  const channel = (/** @type {number} */ n) => {
    const k = (n + 11 * x) % 12;
    return Math.round(255 * (lightness - strength * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** @param {Asking} asking @param {number} m */
function foundBy(asking, m) {
  const found = asking.found(questionOf(asking), m);
  if (!found || found.facts.why) return null;
  const { facts, arrays } = found;
  const [target, cosine, mutual] = [facts.target, facts.cosine, facts.mutual].map((k) => arrays[k]);
  const kept = (/** @type {number} */ i) => asking.options.pairs === "all" || mutual[i] > 0;
  const place = (/** @type {number} */ i) => ({ x: ((i % facts.w) + 0.5) / facts.w, y: (Math.floor(i / facts.w) + 0.5) / facts.h });
  return { facts, target, cosine, mutual, kept, place };
}

/**
 * Every patch in the colour of the place of the first photograph that it goes with, or of its cosine.
 * @param {Asking} asking
 * @param {Cell} cell
 * @param {NonNullable<ReturnType<typeof foundBy>>} found
 * @param {boolean} first
 */
function paintDense(asking, cell, found, first) {
  const grid = asking.view.grids[cell.image][cell.model];
  const words = sized(cell, grid.h, grid.w);
  words.fill(0xd0202020 | 0);
  const order = [...found.cosine.keys()].filter(found.kept).sort((a, b) => found.cosine[a] - found.cosine[b]);
  for (const i of order) {
    const from = found.place(i);
    const { row, col } = first ? patchAt(grid, from.x, from.y) : patchAt(grid, found.target[2 * i], found.target[2 * i + 1]);
    const sure = TABLE[Math.max(0, Math.min(255, Math.floor(256 * found.cosine[i])))];
    words[row * grid.w + col] = asking.options.dots === "sure" ? sure : opaque(colourAt(from.x, from.y));
  }
  shown(cell);
}

/** The patch of the first photograph nearest to a place of either. @param {Asking} asking @param {number} m @param {import("./state.mjs").Place} at */
function pointAt(asking, m, at) {
  const found = foundBy(asking, m);
  if (!found) return -1;
  const [from, to] = pairOf(asking);
  if (at.image === from) {
    const { row, col } = patchAt({ h: found.facts.h, w: found.facts.w, offset: 0 }, at.x, at.y);
    return row * found.facts.w + col;
  }
  if (at.image !== to) return -1;
  let best = -1, nearest = 0.01;
  for (let i = 0; i < found.cosine.length; i++) {
    const away = (found.target[2 * i] - at.x) ** 2 + (found.target[2 * i + 1] - at.y) ** 2;
    if (found.kept(i) && away < nearest) [best, nearest] = [i, away];
  }
  return best;
}

/** @type {import("./asking.mjs").Way} */
export const MATCHES = {
  fields(asking) {
    /** @type {[string, string][]} */
    const names = asking.view.photographs.map(({ name }, p) => [String(p), name]);
    const choose = (/** @type {number} */ side) => (/** @type {string} */ value) => {
      const pair = pairOf(asking);
      pair[side] = Number(value);
      asking.choose({ pair: pair.join(",") });
    };
    const from = choice("From this photograph", names, choose(0)), to = choice("To this photograph", names, choose(1));
    const dots = chips("How matches are drawn", (value) => asking.choose({ dots: value }));
    const all = h("input", { type: "checkbox", onchange: () => asking.choose({ pairs: all.checked ? "mutual" : "all" }) });
    asking.own.match = { from, to, dots, all };
    return [h("span", { className: "field pair" }, from, "\u2192", to), dots.element,
      h("label", { title: "Only pairs in which each patch is the other\u2019s best" }, all, "Mutual")];
  },

  showFields(asking) {
    const { from, to, dots, all } = asking.own.match;
    [from.value, to.value] = pairOf(asking).map(String);
    dots.show([["points", "Points", "The same points for every model"], ["dense", "Dense", "Every patch in the colour of where it comes from"], ["sure", "Confidence", "The cosine of every pair, from 0 to 1"]], asking.options.dots);
    all.checked = asking.options.pairs === "mutual";
  },

  questions: (asking) => [questionOf(asking)],
  photographs: (asking) => [...new Set(pairOf(asking))],

  paint(asking, cell) {
    const pair = pairOf(asking);
    const found = asking.factsFor(cell, questionOf(asking)) && foundBy(asking, cell.model);
    if (found && asking.options.dots !== "points") paintDense(asking, cell, found, cell.image === pair[0]);
    else sized(cell, 1, 1).fill(0), shown(cell);
    return true;
  },

  mark(asking, cell) {
    const [from, to] = pairOf(asking);
    const m = cell.model < 0 ? asking.session.models[0] : cell.model;
    const found = foundBy(asking, m);
    if (!found || asking.options.dots !== "points" || (cell.model < 0 && cell.image !== from)) return;
    for (const i of found.facts.points) {
      if (cell.model >= 0 && !found.kept(i)) continue;
      const place = found.place(i);
      const colour = `rgb(${colourAt(place.x, place.y).join(" ")})`;
      const at = cell.image === from ? place : { x: found.target[2 * i], y: found.target[2 * i + 1] };
      const kind = cell.model >= 0 && !found.mutual[i] ? "match weak" : "match";
      dot(cell, { ...at, kind, colour });
    }
  },

  hover(asking, at) {
    const [from, to] = pairOf(asking);
    const { table } = asking.session;
    for (const cell of table.cells) for (const old of cell.plane.querySelectorAll(".dot.pointed")) old.remove();
    for (const cell of table.maps.flat()) {
      const found = foundBy(asking, cell.model);
      const i = found && at ? pointAt(asking, cell.model, at) : -1;
      if (!found || i < 0) continue;
      const place = found.place(i);
      const sure = `${found.cosine[i].toFixed(2)}${found.mutual[i] === 2 ? " tied" : found.mutual[i] ? "" : " not mutual"}`;
      if (cell.image === from) dot(cell, { ...place, kind: "pointed" });
      if (cell.image === to) dot(cell, { x: found.target[2 * i], y: found.target[2 * i + 1], kind: "pointed", text: sure });
    }
  },

  reads: (asking, m) => foundBy(asking, m)?.facts.note ?? "",
  legend: (asking) =>
    asking.options.dots === "sure" ? { low: "0", high: "1", under: false, signed: false, table: TABLE, name: "cosine of the two patches of a pair" } : "one colour, one point",
};
