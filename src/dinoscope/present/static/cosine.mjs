/**
 * Cosines of one patch with all patches of its model, from whole-step tokens.
 *
 * Three engines give the same numbers to about 1e-5: WebAssembly with 128-bit instructions, plain
 * JavaScript (eight planes at a time, whole numbers inside), and the graphics processor (WebGL2,
 * sixteen products for each texel read). Medians of 25 in Chromium 156 on two cores without a graphics
 * card, for 6,144 and 65,536 patches of 805 planes: WebAssembly 0.5 and 7 ms, JavaScript 4 and 40 ms,
 * WebGL2 by SwiftShader 21 and 115 ms. So WebGL2 is used only for large models with hardware behind it.
 */

import { openSimd } from "./simd.mjs";

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
 * @typedef {object} Engine
 * @property {string} name
 * @property {(patch: number) => Float32Array} cosines overwritten by the next call
 * @property {() => void} close
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
function queryWeights(tokens, patch, weights) {
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
 * Sums to cosines, in place.
 * @param {Float32Array} sums
 * @param {Float64Array} inverse
 */
function finish(sums, inverse) {
  for (let i = 0; i < inverse.length; i++) {
    const cosine = sums[i] * inverse[i];
    sums[i] = cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
  }
  return sums;
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

const VERTEX = `#version 300 es
void main() { gl_Position = vec4(vec2(gl_VertexID == 1 ? 3 : -1, gl_VertexID == 2 ? 3 : -1), 0, 1); }`;

// One texel holds four planes (bytes) of four patches (channels); one fragment sums four patches.
const FRAGMENT = `#version 300 es
precision highp float; precision highp int; precision highp isampler2D; precision highp sampler2D;
uniform isampler2D tokens; uniform sampler2D weights; uniform int groups; uniform int rows; uniform float bias;
out vec4 sums;
void main() {
  ivec2 at = ivec2(gl_FragCoord.xy);
  vec4 sum = vec4(bias);
  for (int g = 0; g < groups; g++, at.y += rows) {
    ivec4 four = texelFetch(tokens, at, 0);
    vec4 w = texelFetch(weights, ivec2(g, 0), 0);
    sum += w.x * vec4((four << 24) >> 24) + w.y * vec4((four << 16) >> 24)
         + w.z * vec4((four << 8) >> 24) + w.w * vec4(four >> 24);
  }
  sums = sum;
}`;

/** One WebGL2 context for all models of a view. */
export class GlContext {
  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.gl = gl;
    const program = gl.createProgram();
    for (const [type, source] of /** @type {[number, string][]} */ ([
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ])) {
      const shader = gl.createShader(type);
      if (!shader) throw new Error("no shader");
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(String(gl.getProgramInfoLog(program)));
    this.program = program;
    gl.useProgram(program);
    this.place = {
      tokens: gl.getUniformLocation(program, "tokens"),
      weights: gl.getUniformLocation(program, "weights"),
      groups: gl.getUniformLocation(program, "groups"),
      rows: gl.getUniformLocation(program, "rows"),
      bias: gl.getUniformLocation(program, "bias"),
    };
    gl.uniform1i(this.place.tokens, 0);
    gl.uniform1i(this.place.weights, 1);
    gl.bindVertexArray(gl.createVertexArray());
  }

  /**
   * A context that can draw 32-bit floats, or null.
   * @returns {GlContext | null}
   */
  static open() {
    const gl = document.createElement("canvas").getContext("webgl2", { antialias: false, depth: false });
    if (!gl || !gl.getExtension("EXT_color_buffer_float")) return null;
    try {
      return new GlContext(gl);
    } catch {
      return null; // a driver that does not compile this is as good as none
    }
  }

  /** What draws, in the driver's words. */
  get renderer() {
    const info = this.gl.getExtension("WEBGL_debug_renderer_info");
    return String(this.gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : this.gl.RENDERER));
  }

  /** Whether the drawing is done by the processor after all. */
  get software() {
    return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(this.renderer);
  }

  close() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/**
 * @param {number} internal
 * @param {number} width
 * @param {number} height
 * @param {WebGL2RenderingContext} gl
 */
function texture(gl, internal, width, height) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texStorage2D(gl.TEXTURE_2D, 1, internal, width, height);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  return made;
}

/**
 * @param {GlContext} context
 * @param {Tokens} tokens
 * @returns {Engine | null} null where the tokens do not fit the largest texture
 */
export function glEngine(context, tokens) {
  const { gl, program, place } = context;
  const { n, packed, inverse } = tokens;
  const largest = gl.getParameter(gl.MAX_TEXTURE_SIZE);
  const groups = Math.max(1, 2 * tokens.groups);
  const quads = Math.ceil(n / 4);
  const width = Math.min(quads, 2048, largest);
  const rows = Math.ceil(quads / width);
  if (groups > largest || rows * groups > largest) return null;

  gl.activeTexture(gl.TEXTURE0);
  const tokenTexture = texture(gl, gl.RGBA32I, width, rows * groups);
  const bytes = new Int8Array(width * rows * 16);
  const from = new Int8Array(packed.buffer, packed.byteOffset);
  for (let g = 0; g < groups; g++) {
    bytes.fill(0);
    for (let part = 0; part < 4 && g < 2 * tokens.groups; part++) {
      const p = 4 * g + part, at = (p >> 3) * n * 8 + (p & 7);
      for (let i = 0; i < n; i++) bytes[4 * i + part] = from[at + 8 * i];
    }
    gl.texSubImage2D(
      gl.TEXTURE_2D, 0, 0, g * rows, width, rows, gl.RGBA_INTEGER, gl.INT, new Int32Array(bytes.buffer),
    );
  }
  gl.activeTexture(gl.TEXTURE1);
  const weightTexture = texture(gl, gl.RGBA32F, groups, 1);
  const target = texture(gl, gl.RGBA32F, width, rows);
  const frame = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, target, 0);
  if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE || gl.getError()) return null;

  const weights = new Float32Array(8 * tokens.groups || 4);
  const sums = new Float32Array(4 * width * rows);
  const out = new Float32Array(n);
  return {
    name: "webgl2",
    cosines(patch) {
      gl.useProgram(program);
      const bias = queryWeights(tokens, patch, weights);
      gl.activeTexture(gl.TEXTURE0);
      gl.bindTexture(gl.TEXTURE_2D, tokenTexture);
      gl.activeTexture(gl.TEXTURE1);
      gl.bindTexture(gl.TEXTURE_2D, weightTexture);
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, groups, 1, gl.RGBA, gl.FLOAT, weights);
      gl.uniform1i(place.groups, groups);
      gl.uniform1i(place.rows, rows);
      gl.uniform1f(place.bias, bias);
      gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
      gl.viewport(0, 0, width, rows);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
      gl.readPixels(0, 0, width, rows, gl.RGBA, gl.FLOAT, sums);
      out.set(n === sums.length ? sums : sums.subarray(0, n));
      return finish(out, inverse);
    },
    close() {
      gl.deleteTexture(tokenTexture);
      gl.deleteTexture(weightTexture);
      gl.deleteTexture(target);
      gl.deleteFramebuffer(frame);
    },
  };
}
