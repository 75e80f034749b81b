/** Cosines on the graphics processor: WebGL2, sixteen products for each texel read. */

import { finish, queryWeights } from "./tokens.mjs";

/** @typedef {import("./cosine.mjs").Engine} Engine */
/** @typedef {import("./tokens.mjs").Tokens} Tokens */

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
