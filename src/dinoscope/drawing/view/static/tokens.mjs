/** Whole-step tokens as the engines read them, and what turns their sums into cosines. */

/**
 * @typedef {object} RawTokens
 * @property {number} n patches, through all photographs
 * @property {number} nPlanes
 * @property {Int8Array} planes plane-major
 * @property {number[]} axis of each plane
 * @property {Float32Array} step of each plane
 * @property {Float32Array} mean of each axis
 * @property {Float32Array} norms of the original features
 */

/**
 * @typedef {object} Tokens
 * @property {number} n patches, through all photographs
 * @property {number} groups of eight planes
 * @property {number} coarseGroups how many of them, at the front, hold coarse planes
 * @property {Int32Array} packed group-major, then by patch, eight bytes each
 * @property {Int32Array} axis of each plane; -1 for a place left empty
 * @property {Float32Array} step of each plane
 * @property {Float32Array} mean of each axis
 * @property {Float32Array} norms of the original features
 * @property {Float64Array} inverse one over the decoded length; 0 where the norm is 0
 */

/**
 * Planes in groups of eight, the coarse ones first and in groups of their own; places left are zero.
 * @param {RawTokens} raw
 * @returns {Tokens}
 */
export function packTokens(raw) {
  const { n, nPlanes, planes, mean, norms } = raw;
  const isCoarse = (/** @type {number} */ p) => p + 1 < nPlanes && raw.axis[p] === raw.axis[p + 1];
  const all = Array.from({ length: nPlanes }, (_, p) => p);
  const coarse = all.filter(isCoarse), fine = all.filter((p) => !isCoarse(p));
  const coarseGroups = Math.ceil(coarse.length / 8);
  const groups = coarseGroups + 2 * Math.ceil(fine.length / 16);
  const bytes = new Int8Array(groups * n * 8 + 16); // vectors read past the last patch
  const axis = new Int32Array(8 * groups).fill(-1);
  const step = new Float32Array(8 * groups);
  [...coarse.entries(), ...[...fine.entries()].map(([k, p]) => [8 * coarseGroups + k, p])].forEach(([k, p]) => {
    const from = p * n, to = (k >> 3) * n * 8 + (k & 7);
    for (let i = 0; i < n; i++) bytes[to + 8 * i] = planes[from + i];
    axis[k] = raw.axis[p];
    step[k] = raw.step[p];
  });
  return { n, groups, coarseGroups, packed: new Int32Array(bytes.buffer), axis, step, mean, norms, inverse: inverseLengths(raw) };
}

/**
 * One over the length of every decoded token.
 * @param {RawTokens} tokens
 * @returns {Float64Array}
 */
function inverseLengths(tokens) {
  const { n, nPlanes, planes, axis, step, mean, norms } = tokens;
  const squares = new Float64Array(n);
  const values = new Float64Array(n);
  let plane = 0;
  for (let k = 0; k < mean.length; k++) {
    const base = mean[k];
    if (plane >= nPlanes || axis[plane] !== k) {
      for (let i = 0; i < n; i++) squares[i] += base * base;
      continue;
    }
    if (axis[plane + 1] !== k || plane + 1 === nPlanes) {
      const s = step[plane], at = plane * n;
      for (let i = 0; i < n; i++) {
        const value = base + s * planes[at + i];
        squares[i] += value * value;
      }
      plane++;
      continue;
    }
    values.fill(base);
    for (; plane < nPlanes && axis[plane] === k; plane++) {
      const s = step[plane], at = plane * n;
      for (let i = 0; i < n; i++) values[i] += s * planes[at + i];
    }
    for (let i = 0; i < n; i++) squares[i] += values[i] * values[i];
  }
  return squares.map((square, i) => (norms[i] > 0 && square > 0 ? 1 / Math.sqrt(square) : 0));
}

/**
 * Weights that turn planes into cosines: `cosine = (bias + Σ weight·plane) · inverse`.
 * @param {Tokens} tokens
 * @param {number} patch
 * @param {Float32Array | Float64Array} weights filled in
 * @returns {number} bias
 */
export function queryWeights(tokens, patch, weights) {
  const { n, packed, axis, step, mean, inverse } = tokens;
  const bytes = new Int8Array(packed.buffer, packed.byteOffset);
  const values = Float64Array.from(mean);
  for (let p = 0; p < axis.length; p++) {
    if (axis[p] >= 0) values[axis[p]] += step[p] * bytes[((p >> 3) * n + patch) * 8 + (p & 7)];
  }
  const scale = inverse[patch];
  for (let p = 0; p < axis.length; p++) weights[p] = axis[p] < 0 ? 0 : values[axis[p]] * step[p] * scale;
  let bias = 0;
  for (let k = 0; k < mean.length; k++) bias += values[k] * mean[k];
  return bias * scale;
}

/**
 * Sums to cosines, in place.
 * @param {Float32Array} sums
 * @param {Float64Array} inverse
 */
export function finish(sums, inverse) {
  for (let i = 0; i < inverse.length; i++) {
    const cosine = sums[i] * inverse[i];
    sums[i] = cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
  }
  return sums;
}
