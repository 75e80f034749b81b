/** A mask from a few clicks, in every model at once. */

import { h } from "./dom.mjs";
import { button, chips, choice } from "./fields.mjs";
import { cleared, dot, outlined, shown, sized } from "./over.mjs";
import { patchAt } from "./payload.mjs";

/** @typedef {import("./asking.mjs").Asking} Asking */
/** @typedef {import("./state.mjs").Place} Place */
/** @typedef {Place & {belongs: boolean}} Click */

const DIM = 0xa6000000 | 0;
/** The longer side of a mask's file, at most. */
const WIDEST = 8192;

/** @param {Asking} asking @returns {Click[]} */
export function clicksOf(asking) {
  const said = asking.options.clicks.split(";").filter(Boolean).map((text) => text.split(",").map(Number));
  return said.map(([image, x, y, belongs]) => ({ image, x, y, belongs: belongs === 1 }))
    .filter(({ image, x, y }) => image < asking.view.photographs.length && x <= 1 && y <= 1);
}

/** @param {Asking} asking @param {Click[]} clicks */
function keep(asking, clicks) {
  const short = (/** @type {number} */ v) => String(Math.round(v * 1e4) / 1e4);
  asking.choose({ clicks: clicks.map(({ image, x, y, belongs }) => `${image},${short(x)},${short(y)},${Number(belongs)}`).join(";") });
}

/** @param {Asking} asking @param {number} image @returns {import("./answers.mjs").Question | undefined} */
function questionOf(asking, image) {
  const clicks = clicksOf(asking).filter((click) => click.image === image);
  if (!clicks.length) return undefined;
  return { way: "segment", image, ...asking.where, how: asking.options.by, clicks: clicks.map(({ x, y, belongs }) => [x, y, belongs]) };
}

/** @param {Asking} asking @param {number} image @param {number} m */
function maskOf(asking, image, m) {
  const found = asking.found(questionOf(asking, image), m);
  return found && !found.facts.why ? { h: found.facts.h, w: found.facts.w, mask: /** @type {Uint8Array} */ (found.arrays[found.facts.mask]) } : null;
}

/**
 * Its border as a path in [0, 1]², along the edges of patches.
 * @param {{h: number, w: number, mask: Uint8Array}} found
 */
function border({ h, w, mask }) {
  const at = (/** @type {number} */ row, /** @type {number} */ col) => row >= 0 && row < h && col >= 0 && col < w && mask[row * w + col] > 0;
  let path = "";
  for (let row = 0; row <= h; row++) {
    for (let col = 0; col <= w; col++) {
      if (at(row, col) !== at(row - 1, col)) path += `M${col / w} ${row / h}h${1 / w}`;
      if (at(row, col) !== at(row, col - 1)) path += `M${col / w} ${row / h}v${1 / h}`;
    }
  }
  return path;
}

/**
 * A mask as a PNG file of the photograph's own size: white belongs.
 * @param {Asking} asking
 * @param {number} image
 * @param {number} m
 * @returns {Promise<Blob | null>}
 */
export function maskPng(asking, image, m) {
  const found = maskOf(asking, image, m);
  if (!found) return Promise.resolve(null);
  const { h: rows, w: cols, mask } = found;
  const [W, H] = asking.view.photographs[image].size;
  const scale = Math.min(1, WIDEST / Math.max(W, H));
  const small = h("canvas", { width: cols, height: rows }), large = h("canvas", { width: Math.round(W * scale), height: Math.round(H * scale) });
  const pixels = new ImageData(cols, rows);
  new Int32Array(pixels.data.buffer).set(Int32Array.from(mask, (belongs) => (belongs ? -1 : 0xff000000 | 0)));
  small.getContext("2d")?.putImageData(pixels, 0, 0);
  const context = large.getContext("2d");
  if (context) context.imageSmoothingEnabled = false;
  context?.drawImage(small, 0, 0, large.width, large.height);
  return new Promise((resolve) => large.toBlob(resolve));
}

/** @param {Asking} asking @param {number} m */
async function save(asking, m) {
  const image = clicksOf(asking).at(-1)?.image;
  const blob = image === undefined ? null : await maskPng(asking, image, m);
  if (!blob || image === undefined) return;
  const href = URL.createObjectURL(blob);
  const name = `${asking.view.photographs[image].name.replace(/\.\w+$/, "")}-${asking.view.models[m].label}-mask.png`;
  h("a", { href, download: name.replace(/[^\w.-]+/g, "_") }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}

/** @type {import("./asking.mjs").Way} */
export const CLICKS = {
  fields(asking) {
    const sign = chips("What the next click says", (value) => {
      asking.own.minus = value === "0";
      CLICKS.showFields?.(asking);
    });
    const by = choice("How the mask follows from the clicks", [["nearest", "nearest clicks"], ["linear", "linear readout"]], (value) => asking.choose({ by: value }));
    const files = h("ul", {}, ...asking.view.models.map((model, m) =>
      h("li", {}, h("button", { type: "button", onclick: () => save(asking, m) }, `${model.label}: mask as PNG`))));
    const masks = h("details", {}, h("summary", {}, "Masks"), h("div", { className: "panel" }, files));
    asking.own.clicks = { sign, by, masks };
    const undo = () => keep(asking, clicksOf(asking).slice(0, -1));
    return [sign.element, by, button("Undo", "Take the last click back", undo), button("Clear", "Take all clicks back", () => keep(asking, [])), masks];
  },

  showFields(asking) {
    const { sign, by, masks } = asking.own.clicks;
    sign.show([["1", "+", "The next click belongs"], ["0", "\u2212", "The next click does not belong; so does one with Shift"]], asking.own.minus ? "0" : "1");
    by.value = asking.options.by;
    by.hidden = asking.local;
    masks.hidden = !asking.options.clicks;
  },

  questions: (asking) => [...new Set(clicksOf(asking).map(({ image }) => image))].reverse().flatMap((image) => questionOf(asking, image) ?? []),

  paint(asking, cell) {
    const found = asking.factsFor(cell, questionOf(asking, cell.image)) && maskOf(asking, cell.image, cell.model);
    if (!found) {
      cleared(cell);
      return true;
    }
    const words = sized(cell, found.h, found.w);
    for (let i = 0; i < words.length; i++) words[i] = found.mask[i] ? 0 : DIM;
    shown(cell);
    return true;
  },

  mark(asking, cell) {
    const found = cell.model < 0 ? null : maskOf(asking, cell.image, cell.model);
    if (found) outlined(cell, border(found));
    for (const { image, x, y, belongs } of clicksOf(asking)) {
      if (image === cell.image) dot(cell, { x, y, kind: belongs ? "plus" : "minus", text: belongs ? "+" : "\u2212" });
    }
  },

  reads(asking, m, at) {
    const found = maskOf(asking, at.image, m);
    if (!found) return "";
    const { row, col } = patchAt({ h: found.h, w: found.w, offset: 0 }, at.x, at.y);
    const share = found.mask.reduce((sum, one) => sum + one, 0) / found.mask.length;
    return `${(100 * share).toFixed(0)}% of the photograph; ${found.mask[row * found.w + col] ? "inside" : "outside"} here`;
  },

  legend: (asking) => (asking.options.clicks ? "" : "click what belongs; with Shift what does not"),

  click(asking, at, belongs) {
    keep(asking, [...clicksOf(asking), { ...at, belongs: belongs && !asking.own.minus }]);
  },
};
