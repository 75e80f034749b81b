/** The payload: the same table as in Python's `drawing/view/payload.py`, and its decoding. */

import { packTokens } from "./tokens.mjs";

export const PAYLOAD_VERSION = 2;

/** Every field of the header, by kind of record. @type {Record<string, string[]>} */
export const FIELDS = {
  "header": ["version", "photographs", "models", "grids", "points", "components", "blobs"],
  "photograph": ["name", "size", "notes", "disagreement", "image_blob"],
  "model": [
    "label", "name", "layer", "dtype", "dim", "patch_size", "control", "aligned_to", "residual",
    "explained_variance_ratio", "tokens", "n_scores", "scores_blob", "colours_blob"
  ],
  "tokens": [
    "n", "n_planes", "axis", "step_blob", "mean_blob", "planes_blob", "norms_blob", "tolerance",
    "largest_error", "pairs", "all_pairs"
  ],
  "grid": ["h", "w"],
  "blob": ["length", "type", "deflated"]
};

/**
 * @typedef {object} Grid
 * @property {number} h
 * @property {number} w
 * @property {number} offset of its first patch among all patches of the model
 */

/**
 * @typedef {object} Photograph
 * @property {string} name
 * @property {[number, number]} size (W, H) of the original, in pixels
 * @property {string[]} notes
 * @property {number | null} disagreement 0 where the models agree on every pair of patches
 * @property {Blob} image
 */

/**
 * @typedef {object} Model
 * @property {string} label
 * @property {string} name
 * @property {number} layer
 * @property {string} dtype
 * @property {number} dim
 * @property {number} patchSize
 * @property {boolean} control
 * @property {string | null} alignedTo
 * @property {number | null} residual
 * @property {(number | null)[]} ratios
 * @property {number} nScores
 * @property {Uint8Array} scores component-major
 * @property {Uint8Array} colours three for each patch
 * @property {import("./tokens.mjs").Tokens} tokens
 * @property {number} largestError
 * @property {number} pairs
 * @property {boolean} allPairs
 */

/**
 * @typedef {object} View
 * @property {Photograph[]} photographs
 * @property {Model[]} models
 * @property {Grid[][]} grids by photograph, then by model
 * @property {[number, number][]} points
 * @property {[number, number, number]} components
 */

/**
 * @param {any} record
 * @param {string} kind
 */
function check(record, kind) {
  for (const field of FIELDS[kind]) {
    if (!(field in record)) throw new Error(`the view's data lack the field ${kind}.${field}`);
  }
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<ArrayBuffer>}
 */
async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/**
 * @param {string} headerText
 * @param {Uint8Array<ArrayBuffer>} data
 * @returns {Promise<View>}
 */
export async function decodePayload(headerText, data) {
  const header = JSON.parse(headerText);
  if (header.version !== PAYLOAD_VERSION) {
    throw new Error(`the data are of version ${header.version}, this view reads version ${PAYLOAD_VERSION}`);
  }
  check(header, "header");
  /** @type {{bytes: Uint8Array<ArrayBuffer>, deflated: boolean}[]} */
  const blobs = [];
  let at = 0;
  for (const record of header.blobs) {
    check(record, "blob");
    blobs.push({ bytes: data.subarray(at, at + record.length), deflated: record.deflated });
    at += record.length;
  }
  if (at !== data.length) throw new Error(`the view's data are cut short: ${data.length} bytes of ${at}`);
  /** @param {number} index */
  const buffer = async (index) => {
    const { bytes, deflated } = blobs[index];
    return deflated ? inflate(bytes) : bytes.slice().buffer;
  };

  /** @type {Photograph[]} */
  const photographs = header.photographs.map((/** @type {any} */ record) => {
    check(record, "photograph");
    const image = new Blob([blobs[record.image_blob].bytes], { type: "image/jpeg" });
    return { name: String(record.name), size: record.size, notes: record.notes.map(String), disagreement: record.disagreement, image };
  });
  /** @type {Model[]} */
  const models = await Promise.all(header.models.map(async (/** @type {any} */ record) => {
    check(record, "model");
    check(record.tokens, "tokens");
    const coded = record.tokens;
    const [step, mean, planes, norms, scores, colours] = await Promise.all(
      [coded.step_blob, coded.mean_blob, coded.planes_blob, coded.norms_blob, record.scores_blob, record.colours_blob]
        .map(buffer),
    );
    return {
      label: String(record.label),
      name: String(record.name),
      layer: record.layer,
      dtype: String(record.dtype),
      dim: record.dim,
      patchSize: record.patch_size,
      control: record.control,
      alignedTo: record.aligned_to,
      residual: record.residual,
      ratios: record.explained_variance_ratio,
      nScores: record.n_scores,
      scores: new Uint8Array(scores),
      colours: new Uint8Array(colours),
      tokens: packTokens({
        n: coded.n,
        nPlanes: coded.n_planes,
        planes: new Int8Array(planes),
        axis: coded.axis,
        step: new Float32Array(step),
        mean: new Float32Array(mean),
        norms: new Float32Array(norms),
      }),
      largestError: coded.largest_error,
      pairs: coded.pairs,
      allPairs: coded.all_pairs,
    };
  }));
  const offsets = models.map(() => 0);
  /** @type {Grid[][]} */
  const grids = header.grids.map((/** @type {any[]} */ row) =>
    row.map((grid, m) => {
      check(grid, "grid");
      const offset = offsets[m];
      offsets[m] += grid.h * grid.w;
      return { h: grid.h, w: grid.w, offset };
    }),
  );
  return { photographs, models, grids, points: header.points, components: header.components };
}

/**
 * Bytes from text: 13 bits in two of the 91 printable ASCII characters other than <, > and &; the inverse
 * of Python's dinoscope.drawing.view.text91.
 * @param {string} text
 * @param {number} length in bytes
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function bytesOf(text, length) {
  const digit = new Uint8Array(128);
  let n = 0;
  for (let code = 33; code < 127; code++) if (code !== 38 && code !== 60 && code !== 62) digit[code] = n++;
  const bytes = new Uint8Array(length);
  let at = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; i + 1 < text.length; i += 2) {
    held = (held << 13) | (digit[text.charCodeAt(i)] * 91 + digit[text.charCodeAt(i + 1)]);
    bits += 13;
    while (bits >= 8 && at < length) {
      bits -= 8;
      bytes[at++] = held >>> bits;
    }
    held &= (1 << bits) - 1;
  }
  return bytes;
}

/**
 * The patch of a grid that covers a place; the far edges belong to the last patch.
 * @param {Grid} grid
 * @param {number} x
 * @param {number} y
 */
export function patchAt(grid, x, y) {
  const row = Math.min(Math.floor(y * grid.h), grid.h - 1);
  const col = Math.min(Math.floor(x * grid.w), grid.w - 1);
  return { row: Math.max(0, row), col: Math.max(0, col) };
}
