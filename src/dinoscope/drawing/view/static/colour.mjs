/** Numbers to colours. Scales are fixed; whatever stretches says so in its name. */

// The colour table viridis (public domain, CC0), every sixteenth of its 256 colours and the last.
const VIRIDIS = [
  [68, 1, 84], [72, 24, 106], [71, 45, 123], [66, 64, 134], [59, 82, 139], [51, 99, 141], [44, 114, 142],
  [38, 130, 142], [33, 145, 140], [31, 160, 136], [40, 174, 128], [63, 188, 115], [94, 201, 98],
  [132, 212, 75], [173, 220, 48], [216, 226, 25], [253, 231, 37],
];
const VIRIDIS_AT = [0, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 255];

// From 0 down to -1: out of viridis' darkest into pale pink, so that both signs grow lighter from 0.
const NEGATIVE = [[68, 1, 84], [112, 18, 104], [154, 45, 118], [196, 86, 142], [226, 138, 174], [245, 186, 208], [252, 222, 232]];
const NEGATIVE_AT = [0, 0.1, 0.25, 0.45, 0.65, 0.85, 1];

// Differences: blue below 0, red above, darkest at 0 as the cosines are.
const DIFFERENCE = [[124, 196, 255], [47, 127, 208], [20, 20, 20], [208, 67, 47], [255, 157, 124]];

/** Colour of cosines below a scale that starts at 0. */
export const BELOW = [128, 128, 128];

/** Differences of cosines are drawn from minus to plus this; beyond it colours are cut off. */
export const MOST_APART = 0.5;

/** As it lies in an ImageData. @param {number[]} rgb */
export const opaque = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r;

/** 256 colours as they lie in an ImageData. */
export const TABLE = Int32Array.from({ length: 256 }, (_, i) => {
  const k = Math.min(15, i >> 4);
  const share = (i - VIRIDIS_AT[k]) / (VIRIDIS_AT[k + 1] - VIRIDIS_AT[k]);
  return opaque(VIRIDIS[k].map((low, c) => Math.round(low + share * (VIRIDIS[k + 1][c] - low))));
});

/**
 * Between the colours around a place.
 * @param {number[][]} colours
 * @param {number[]} at ascending
 * @param {number} place
 */
export function between(colours, at, place) {
  const k = Math.max(0, Math.min(at.length - 2, at.findLastIndex((start) => start <= place)));
  const share = Math.max(0, Math.min(1, (place - at[k]) / (at[k + 1] - at[k])));
  return opaque(colours[k].map((low, c) => Math.round(low + share * (colours[k + 1][c] - low))));
}

/** 256 colours of cosines from -1 to 1: viridis above 0, its counterpart below. */
export const SIGNED = Int32Array.from({ length: 256 }, (_, i) => {
  const cosine = (i + 0.5) / 128 - 1;
  return cosine >= 0 ? TABLE[Math.floor(cosine * 256)] : between(NEGATIVE, NEGATIVE_AT, -cosine);
});

/** 256 colours of differences. */
export const APART = Int32Array.from({ length: 256 }, (_, i) => between(DIFFERENCE, [0, 63.75, 127.5, 191.25, 255], i));

const FINE = 4096;
/** @type {Map<string, Int32Array>} */
const tables = new Map();

/**
 * Colours of 4,097 equal steps of cosine from -1 to 1.
 * @param {number} low
 * @param {number} high
 */
function cosineTable(low, high) {
  const key = `${low},${high}`;
  let table = tables.get(key);
  if (!table) {
    if (tables.size > 64) tables.clear();
    table = Int32Array.from({ length: FINE + 1 }, (_, i) => {
      const cosine = (2 * i) / FINE - 1;
      if (low === 0 && cosine < 0) return opaque(BELOW);
      if (low === -1 && high === 1) return cosine < 0 ? between(NEGATIVE, NEGATIVE_AT, -cosine) : TABLE[Math.min(255, Math.floor(cosine * 256))];
      const share = (cosine - low) / (high - low || 1);
      return TABLE[Math.max(0, Math.min(255, Math.floor(share * 256)))];
    });
    tables.set(key, table);
  }
  return table;
}

/**
 * @param {Float32Array} cosines
 * @param {Int32Array} out
 * @param {number} low
 * @param {number} high
 */
export function paintCosines(cosines, out, low, high) {
  const table = cosineTable(low, high);
  for (let i = 0; i < out.length; i++) out[i] = table[(cosines[i] * 2048 + 2048.5) | 0];
}

/**
 * Rank among the patches of one photograph: 0 the least similar, 1 the most.
 * @param {Float32Array} cosines
 * @param {Int32Array} out
 */
export function paintRanks(cosines, out) {
  const counts = new Uint32Array(2 * FINE + 2);
  for (let i = 0; i < out.length; i++) counts[((cosines[i] + 1) * FINE) | 0]++;
  let below = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    const here = counts[bin];
    counts[bin] = Math.min(255, Math.floor((256 * (below + here / 2)) / out.length));
    below += here;
  }
  for (let i = 0; i < out.length; i++) out[i] = TABLE[counts[((cosines[i] + 1) * FINE) | 0]];
}

/**
 * One model's cosines minus another's, whose grid may be another.
 * @param {Float32Array} cosines
 * @param {import("./payload.mjs").Grid} grid
 * @param {Float32Array} first
 * @param {import("./payload.mjs").Grid} firstGrid
 * @param {Int32Array} out
 */
export function paintDifference(cosines, grid, first, firstGrid, out) {
  for (let row = 0, i = 0; row < grid.h; row++) {
    const line = Math.floor(((row + 0.5) * firstGrid.h) / grid.h) * firstGrid.w;
    for (let col = 0; col < grid.w; col++, i++) {
      const apart = cosines[i] - first[line + Math.floor(((col + 0.5) * firstGrid.w) / grid.w)];
      out[i] = APART[Math.max(0, Math.min(255, Math.floor(128 * (1 + apart / MOST_APART))))];
    }
  }
}

/**
 * Patches at or above a threshold clear, the others dark.
 * @param {Float32Array} cosines
 * @param {Int32Array} out
 * @param {number} threshold
 * @returns {number} share of patches at or above it
 */
export function paintThreshold(cosines, out, threshold) {
  let above = 0;
  for (let i = 0; i < out.length; i++) {
    const over = cosines[i] >= threshold;
    out[i] = over ? 0 : 255 << 24;
    if (over) above++;
  }
  return above / out.length;
}

/**
 * @param {import("./payload.mjs").Model} model
 * @param {import("./payload.mjs").Grid} grid
 * @param {number[] | null} components null: the colours as they were aligned
 * @param {Int32Array} out
 */
export function paintComponents(model, grid, components, out) {
  const { n } = model;
  for (let i = 0; i < out.length; i++) {
    const at = grid.offset + i;
    if (components) {
      const [r, g, b] = components.map((k) => model.scores[Math.min(k, model.nScores - 1) * n + at]);
      out[i] = opaque([r, g, b]);
    } else {
      out[i] = opaque([model.colours[3 * at], model.colours[3 * at + 1], model.colours[3 * at + 2]]);
    }
  }
}

/**
 * 1% and 99% quantile, to 1/4096, widened to be a range.
 * @param {Float32Array} cosines
 * @returns {[number, number]}
 */
export function ownRange(cosines) {
  const counts = new Uint32Array(2 * FINE + 2);
  for (const cosine of cosines) counts[((cosine + 1) * FINE) | 0]++;
  const edge = cosines.length / 100;
  let low = 0, high = 2 * FINE;
  for (let seen = counts[0]; seen <= edge && low < 2 * FINE; seen += counts[++low]);
  for (let seen = counts[high]; seen <= edge && high > 0; seen += counts[--high]);
  const range = [low / FINE - 1, Math.max(high, low + 8) / FINE - 1].map((v) => Math.round(v * 1000) / 1000);
  return [range[0], range[1]];
}
