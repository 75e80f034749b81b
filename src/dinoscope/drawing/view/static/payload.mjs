/** The payload: the same table as in Python's `drawing/view/payload.py`, and its decoding. */

import { packTokens } from "./tokens.mjs";

export const PAYLOAD_VERSION = 4;

/** Every field of the header, by kind of record. @type {Record<string, string[]>} */
export const FIELDS = {
  "header": ["version", "photographs", "models", "grids", "points", "components", "colours", "made_by", "blobs"],
  "photograph": ["name", "size", "notes", "disagreement", "image_blob"],
  "model": [
    "label", "name", "digest", "layer", "layer_of", "dtype", "dim", "patch_size", "kind", "aligned_to",
    "residual", "coloured_by", "explained_variance_ratio", "tokens", "n_scores", "scores_blob", "colours_blob"
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
 * @property {string} digest of its weights; empty without any
 * @property {number} layer
 * @property {number | null} layerOf the model, by its place, that this is another layer of
 * @property {string} dtype
 * @property {number} dim
 * @property {number} patchSize
 * @property {"" | "control" | "toy"} kind what is said beside its name
 * @property {string | null} alignedTo
 * @property {number | null} residual
 * @property {string} colouredBy what its colours show; empty for principal components
 * @property {(number | null)[]} ratios
 * @property {number} nScores
 * @property {Uint8Array} scores component-major
 * @property {Uint8Array} colours three for each patch
 * @property {number} n patches, through all photographs
 * @property {number} nPlanes
 * @property {Float32Array} norms of the original features
 * @property {() => Promise<import("./tokens.mjs").Tokens>} tokens inflated and packed when they are first asked for
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
 * @property {string} colours what the models' colours are: pca, spectral or clusters
 * @property {string} madeBy
 */

/**
 * @typedef {object} Source where bytes come from
 * @property {number} length in bytes
 * @property {(from: number, count: number) => Uint8Array<ArrayBuffer>} read
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
 * @param {Source} data
 * @returns {Promise<View>}
 */
export async function decodePayload(headerText, data) {
  const header = JSON.parse(headerText);
  if (header.version !== PAYLOAD_VERSION) {
    throw new Error(`the data are of version ${header.version}, this view reads version ${PAYLOAD_VERSION}`);
  }
  check(header, "header");
  /** @type {{from: number, length: number, deflated: boolean}[]} */
  const blobs = [];
  let at = 0;
  for (const record of header.blobs) {
    check(record, "blob");
    blobs.push({ from: at, length: record.length, deflated: record.deflated });
    at += record.length;
  }
  if (at !== data.length) throw new Error(`the view's data are cut short: ${data.length} bytes of ${at}`);
  const read = (/** @type {number} */ index) => data.read(blobs[index].from, blobs[index].length);
  /** @param {number} index */
  const buffer = async (index) => (blobs[index].deflated ? inflate(read(index)) : read(index).slice().buffer);

  /** @type {Photograph[]} */
  const photographs = header.photographs.map((/** @type {any} */ record) => {
    check(record, "photograph");
    const image = new Blob([read(record.image_blob)], { type: "image/jpeg" });
    return { name: String(record.name), size: record.size, notes: record.notes.map(String), disagreement: record.disagreement, image };
  });
  /** @type {Model[]} */
  const models = await Promise.all(header.models.map(async (/** @type {any} */ record) => {
    check(record, "model");
    check(record.tokens, "tokens");
    const coded = record.tokens;
    const [lengths, scores, colours] = await Promise.all([coded.norms_blob, record.scores_blob, record.colours_blob].map(buffer));
    const norms = new Float32Array(lengths);
    const tokens = async () => {
      const [step, mean, planes] = await Promise.all([coded.step_blob, coded.mean_blob, coded.planes_blob].map(buffer));
      return packTokens({
        n: coded.n,
        nPlanes: coded.n_planes,
        planes: new Int8Array(planes),
        axis: coded.axis,
        step: new Float32Array(step),
        mean: new Float32Array(mean),
        norms,
      });
    };
    return {
      label: String(record.label),
      name: String(record.name),
      digest: String(record.digest),
      layer: record.layer,
      layerOf: record.layer_of,
      dtype: String(record.dtype),
      dim: record.dim,
      patchSize: record.patch_size,
      kind: record.kind,
      alignedTo: record.aligned_to,
      residual: record.residual,
      colouredBy: String(record.coloured_by),
      ratios: record.explained_variance_ratio,
      nScores: record.n_scores,
      scores: new Uint8Array(scores),
      colours: new Uint8Array(colours),
      n: coded.n,
      nPlanes: coded.n_planes,
      norms,
      tokens: once(tokens),
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
  const { points, components, colours } = header;
  return { photographs, models, grids, points, components, colours: String(colours), madeBy: String(header.made_by) };
}

/**
 * @template T
 * @param {() => T} make
 * @returns {() => T} the same for everyone who asks
 */
function once(make) {
  /** @type {{made: T} | null} */
  let kept = null;
  return () => (kept ??= { made: make() }).made;
}

/** @param {Uint8Array<ArrayBuffer>} data @returns {Source} */
export const bytesIn = (data) => ({ length: data.length, read: (from, count) => data.subarray(from, from + count) });

/**
 * Bytes from text: 13 bits in two of the 91 printable ASCII characters other than <, > and &; the inverse
 * of Python's dinoscope.drawing.view.text91. Only what is read is decoded.
 * @param {string} text
 * @param {number} length in bytes
 * @returns {Source}
 */
export function bytesOf(text, length) {
  const digit = new Uint8Array(128);
  let n = 0;
  for (let code = 33; code < 127; code++) if (code !== 38 && code !== 60 && code !== 62) digit[code] = n++;
  /** @param {number} from @param {number} count */
  const read = (from, count) => {
    const bytes = new Uint8Array(count);
    const pair = Math.floor((8 * from) / 13);
    let at = 0;
    let bits = 13 * pair - 8 * from; // below zero by what belongs to the byte before
    let held = 0;
    for (let i = 2 * pair; at < count && i + 1 < text.length; i += 2) {
      held = (held << 13) | (digit[text.charCodeAt(i)] * 91 + digit[text.charCodeAt(i + 1)]);
      bits += 13;
      while (bits >= 8 && at < count) {
        bits -= 8;
        bytes[at++] = held >>> bits;
      }
      held &= (1 << bits) - 1;
    }
    return bytes;
  };
  return { length, read };
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
