/**
 * Cosines of one patch with all patches of its model, on the processor.
 *
 * Three engines give the same numbers to about 1e-5: WebAssembly with 128-bit instructions, plain
 * JavaScript (eight planes at a time, whole numbers inside), and the graphics processor (`webgl.mjs`).
 * Medians of 25 in Chromium 156 on two cores without a graphics card, for 6,144 and 65,536 patches of 805
 * planes: WebAssembly 0.5 and 7 ms, JavaScript 4 and 40 ms, WebGL2 by SwiftShader 21 and 115 ms. So WebGL2
 * is used only for large models with hardware behind it.
 */

import { openSimd } from "./simd.mjs";
import { finish, queryWeights } from "./tokens.mjs";

/** @typedef {import("./tokens.mjs").Tokens} Tokens */

/**
 * @typedef {object} Engine
 * @property {string} name
 * @property {(patch: number) => Float32Array} cosines overwritten by the next call
 * @property {() => void} close
 */

/**
 * `bias + Σ weight·plane` for every patch. Eight products are added as whole numbers, with weights of
 * 20 bits and a sign (8 * 128 * 2^20 < 2^31), and scaled once.
 * @param {Int32Array} packed
 * @param {number} n
 * @param {Float64Array} weights of the first planes, a multiple of 8
 * @param {number} bias
 * @param {Float32Array} out
 */
function addUp(packed, n, weights, bias, out) {
  const tile = 4096, full = 1048575;
  const sums = new Float64Array(tile);
  for (let start = 0; start < n; start += tile) {
    const size = Math.min(tile, n - start);
    sums.fill(bias);
    for (let p = 0; p < weights.length; p += 8) {
      let largest = 0;
      for (let k = p; k < p + 8; k++) largest = Math.max(largest, Math.abs(weights[k]));
      if (largest === 0) continue;
      const scale = largest / full, up = full / largest;
      const a = Math.round(weights[p] * up) | 0, b = Math.round(weights[p + 1] * up) | 0;
      const c = Math.round(weights[p + 2] * up) | 0, d = Math.round(weights[p + 3] * up) | 0;
      const e = Math.round(weights[p + 4] * up) | 0, f = Math.round(weights[p + 5] * up) | 0;
      const g = Math.round(weights[p + 6] * up) | 0, h = Math.round(weights[p + 7] * up) | 0;
      let at = (p >> 2) * n + 2 * start;
      for (let i = 0; i < size; i++, at = (at + 2) | 0) {
        const x = packed[at], y = packed[(at + 1) | 0];
        sums[i] += scale * (
          ((Math.imul(a, (x << 24) >> 24) + Math.imul(b, (x << 16) >> 24)) | 0) +
          ((Math.imul(c, (x << 8) >> 24) + Math.imul(d, x >> 24)) | 0) +
          ((Math.imul(e, (y << 24) >> 24) + Math.imul(f, (y << 16) >> 24)) | 0) +
          ((Math.imul(g, (y << 8) >> 24) + Math.imul(h, y >> 24)) | 0) | 0);
      }
    }
    out.set(size === tile ? sums : sums.subarray(0, size), start);
  }
}

/**
 * @param {Tokens} tokens
 * @returns {Engine}
 */
export function scriptEngine(tokens) {
  const weights = new Float64Array(8 * tokens.groups);
  const out = new Float32Array(tokens.n);
  return {
    name: "script",
    cosines(patch) {
      const bias = queryWeights(tokens, patch, weights);
      addUp(tokens.packed, tokens.n, weights, bias, out);
      return finish(out, tokens.inverse);
    },
    close() {},
  };
}

const TILE = 1024;

/**
 * Null where there is no WebAssembly. The packed planes move into its memory.
 * @param {Tokens} tokens
 * @returns {Engine | null}
 */
export function simdEngine(tokens) {
  const { n, groups, coarseGroups, inverse } = tokens;
  const fineGroups = groups - coarseGroups;
  const weightsAt = 4 * tokens.packed.length, sumsAt = weightsAt + 16 * groups;
  const simd = openSimd(sumsAt + 32 * TILE);
  if (!simd) return null;
  const { buffer } = simd.memory;
  const packed = new Int32Array(buffer, 0, tokens.packed.length);
  packed.set(tokens.packed);
  tokens.packed = packed;
  const short = new Int16Array(buffer, weightsAt, 8 * fineGroups);
  const sums = new Int32Array(buffer, sumsAt, 8 * TILE);
  const weights = new Float64Array(8 * groups);
  const coarse = weights.subarray(0, 8 * coarseGroups), fine = weights.subarray(8 * coarseGroups);
  const out = new Float32Array(n);
  return {
    name: "simd",
    cosines(patch) {
      // Coarse planes, few and heavy, in JavaScript; fine ones with 15 bits and a sign, such that no
      // sum passes 2^31.
      addUp(packed, n, coarse, queryWeights(tokens, patch, weights), out);
      let largest = 0, total = 0;
      for (const weight of fine) {
        largest = Math.max(largest, Math.abs(weight));
        total += Math.abs(weight);
      }
      if (largest > 0) {
        const up = Math.min(32767 / largest, 0x7f000000 / (128 * total + largest));
        for (let k = 0; k < fine.length; k++) short[k] = Math.round(fine[k] * up);
        for (let start = 0; start < n; start += 2 * TILE) {
          const size = Math.min(2 * TILE, n - start);
          sums.fill(0);
          simd.addUp(8 * (coarseGroups * n + start), 8 * n, (size + 1) >> 1, fineGroups, weightsAt, sumsAt);
          for (let i = 0, k = 0; i < size; i++, k += 4) {
            out[start + i] += (sums[k] + sums[k + 1] + sums[k + 2] + sums[k + 3]) / up;
          }
        }
      }
      return finish(out, inverse);
    },
    close() {},
  };
}
