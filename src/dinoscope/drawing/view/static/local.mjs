/** Answers that need no model and no server: masks from clicks and matches, out of the cosines that a page has. */

import { patchAt } from "./payload.mjs";

/** @typedef {import("./session.mjs").Session} Session */
/** @typedef {import("./answers.mjs").Answer} Answer */
/** @typedef {import("./answers.mjs").Question} Question */

/** Modes that can be answered here. */
export const LOCAL = new Set(["segment", "match"]);

const BINS = 256;
const N_POINTS = 64;
/** Cosines that differ by less are taken for equal: they are coded to a thousandth anyway. */
const TIE = 1e-6;
/** The page stays awake: after so long others have their turn. */
const BREATH_MS = 30;

/**
 * Otsu's threshold of a histogram between the least and the largest value, as Python's `maths/foreground.py`.
 * @param {Float32Array} values
 */
export function otsu(values) {
  const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
  const width = (high - low || 1) / BINS;
  const counts = new Float64Array(BINS);
  for (const value of values) counts[Math.min(BINS - 1, Math.floor((value - low) / width))]++;
  const total = counts.reduce((sum, count, k) => sum + count * (low + (k + 0.5) * width), 0);
  let below = 0, sum = 0, most = -1;
  const between = Array.from(counts, (count, k) => {
    below += count;
    sum += count * (low + (k + 0.5) * width);
    const above = values.length - below;
    const spread = below && above ? below * above * (sum / below - (total - sum) / above) ** 2 : 0;
    most = Math.max(most, spread);
    return spread;
  });
  const best = [...between.keys()].filter((k) => between[k] >= most * (1 - 1e-12));
  return low + (1 + best.reduce((a, b) => a + b, 0) / best.length) * width;
}

/**
 * @param {Session} session
 * @param {number} m
 * @param {number} image
 * @param {[number, number, boolean][]} clicks
 */
async function mask(session, m, image, clicks) {
  const engine = await session.engines.make(m);
  const grid = session.view.grids[image][m];
  const n = grid.h * grid.w;
  const said = new Map(clicks.map(([x, y, belongs]) => {
    const { row, col } = patchAt(grid, x, y);
    return [row * grid.w + col, belongs];
  }));
  /** @param {boolean} kind */
  const largest = (kind) => {
    const near = new Float32Array(n).fill(-2);
    for (const [patch, belongs] of said) {
      if (belongs !== kind) continue;
      const cosines = engine.cosines(grid.offset + patch);
      for (let i = 0; i < n; i++) near[i] = Math.max(near[i], cosines[grid.offset + i]);
    }
    return near;
  };
  const inside = largest(true);
  if (inside[0] === -2) return null;
  const outside = [...said.values()].includes(false) ? largest(false) : new Float32Array(n).fill(otsu(inside));
  const found = Uint8Array.from(inside, (near, i) => Number(near > outside[i]));
  for (const [patch, belongs] of said) found[patch] = Number(belongs);
  return { h: grid.h, w: grid.w, found };
}

/**
 * Both ways in one go over the rows: the best patch there of every patch here, and the best here of every one there.
 * @param {Session} session
 * @param {number} m
 * @param {number} image
 * @param {number} other
 */
async function pairs(session, m, image, other) {
  const engine = await session.engines.make(m);
  const f = session.view.grids[image][m], g = session.view.grids[other][m];
  const n = f.h * f.w, k = g.h * g.w;
  const middle = (/** @type {import("./payload.mjs").Grid} */ grid, /** @type {number} */ i) =>
    [((i % grid.w) + 0.5) / grid.w, (Math.floor(i / grid.w) + 0.5) / grid.h];
  const away = (/** @type {number} */ i, /** @type {number} */ j) => {
    const [x, y] = middle(f, i), [u, v] = middle(g, j);
    return (x - u) ** 2 + (y - v) ** 2;
  };
  const forth = new Int32Array(n), back = new Int32Array(k).fill(-1);
  const cosine = new Float32Array(n).fill(-2), theirs = new Float32Array(k).fill(-2);
  const tied = new Uint8Array(n);
  let since = performance.now();
  for (let i = 0; i < n; i++) {
    const all = engine.cosines(f.offset + i);
    for (let j = 0; j < k; j++) {
      const value = all[g.offset + j];
      if (value > cosine[i] + TIE) [forth[i], cosine[i], tied[i]] = [j, value, 0];
      else if (value > cosine[i] - TIE) {
        tied[i] = 1;
        if (away(i, j) < away(i, forth[i])) forth[i] = j;
      }
      if (value > theirs[j] + TIE || (value > theirs[j] - TIE && away(i, j) < away(back[j], j))) [back[j], theirs[j]] = [i, value];
    }
    if (performance.now() - since > BREATH_MS) {
      await new Promise((resolve) => setTimeout(resolve));
      since = performance.now();
    }
  }
  const mutual = Uint8Array.from(forth, (j, i) => (back[j] === i ? 1 + tied[i] : 0));
  return { f, forth: Float32Array.from({ length: 2 * n }, (_, i) => middle(g, forth[i >> 1])[i & 1]), cosine, mutual };
}

/** Patches nearest to the places of a Fibonacci lattice, as Python's `fixed_places`. @param {import("./payload.mjs").Grid} grid */
function points(grid) {
  const golden = (Math.sqrt(5) - 1) / 2;
  const patches = Array.from({ length: N_POINTS }, (_, i) => {
    const { row, col } = patchAt(grid, (0.5 + i * golden) % 1, (i + 0.5) / N_POINTS);
    return row * grid.w + col;
  });
  return [...new Set(patches)].sort((a, b) => a - b);
}

/**
 * Who answers where there is no server.
 * @param {Session} session
 * @returns {import("./answers.mjs").Ask}
 */
export function localAsk(session) {
  return async (question) => {
    /** @type {Answer} */
    const answer = { models: session.view.models.map(() => ({ why: "", h: 0, w: 0 })), arrays: [] };
    const send = (/** @type {Float32Array | Uint8Array} */ array) => answer.arrays.push(array) - 1;
    for (const m of /** @type {number[]} */ (question.models)) {
      const image = Number(question.image);
      if (question.way === "segment") {
        const made = await mask(session, m, image, /** @type {[number, number, boolean][]} */ (question.clicks));
        answer.models[m] = made ? { h: made.h, w: made.w, mask: send(made.found) } : { why: "no click says what belongs", h: 0, w: 0 };
      } else {
        const { f, forth, cosine, mutual } = await pairs(session, m, image, Number(question.other));
        const kept = cosine.filter((_, i) => mutual[i] > 0);
        const mean = kept.length ? `, mean cosine ${(kept.reduce((a, b) => a + b, 0) / kept.length).toFixed(2)}` : "";
        answer.models[m] = {
          h: f.h, w: f.w, note: `${Math.round((100 * kept.length) / cosine.length)}% of patches mutual${mean}`,
          points: points(f), target: send(forth), cosine: send(cosine), mutual: send(mutual),
        };
      }
    }
    return answer;
  };
}
