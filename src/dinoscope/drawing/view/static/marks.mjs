/** Frames over the photographs and maps: the patch under the pointer, pins, best matches. */

import { h, say } from "./dom.mjs";
import { patchAt } from "./payload.mjs";

/**
 * @typedef {object} Match
 * @property {number} row
 * @property {number} col
 * @property {number} cosine
 */

const TINY_PX = 4.5;
const LABEL = { width: 38, height: 16, gap: 4 };
const RING_PX = 12;
/** What the share of a threshold takes of a map's lower left corner. */
const SHARE = { width: 44, height: 20 };
/** A pin's number beside its ring. */
const NUMBER_PX = 18;

/**
 * The most similar patch of a photograph, outside a neighbourhood where that is the reference's own.
 * @param {Float32Array} cosines of that photograph
 * @param {import("./payload.mjs").Grid} grid
 * @param {{row: number, col: number} | null} around
 * @param {number} radius in patches, on both axes
 * @returns {Match | null}
 */
export function bestMatch(cosines, grid, around, radius) {
  let best = -1, cosine = -2;
  for (let row = 0, i = 0; row < grid.h; row++) {
    const near = around !== null && Math.abs(row - around.row) <= radius;
    for (let col = 0; col < grid.w; col++, i++) {
      if (cosines[i] > cosine && !(near && around && Math.abs(col - around.col) <= radius)) {
        best = i;
        cosine = cosines[i];
      }
    }
  }
  return best < 0 ? null : { row: Math.floor(best / grid.w), col: best % grid.w, cosine };
}

/**
 * Frames of the references and of the patch under the pointer.
 * @param {import("./maptable.mjs").MapTable} table
 * @param {import("./state.mjs").State} state
 * @param {import("./state.mjs").Place} cursor
 */
export function frame(table, state, cursor) {
  const front = state.order.find((m) => !state.hidden.includes(m)) ?? 0;
  const cells = [...table.photos, ...table.maps.flat()];
  for (const cell of cells) {
    const model = cell.model < 0 ? front : cell.model;
    const grid = table.view.grids[cell.image][model];
    const here = cell.image === cursor.image;
    cell.cursor.hidden = !here;
    if (here) {
      place(cell.cursor, grid, patchAt(grid, cursor.x, cursor.y));
      cell.cursor.classList.toggle("tiny", table.cellWidth * state.zoom.z < TINY_PX * grid.w);
    }
  }
  const show = (/** @type {import("./maptable.mjs").Cell} */ cell, /** @type {import("./maptable.mjs").Group[]} */ groups) => {
    const grid = table.view.grids[cell.image][cell.model < 0 ? front : cell.model];
    const pins = groups.filter((group) => group.pin > 0 && group.at.image === cell.image);
    while (cell.references.length > pins.length) cell.references.pop()?.remove();
    pins.forEach((group, i) => {
      cell.references[i] ??= cell.plane.appendChild(h("div", { className: "mark reference" }, h("span", {})));
      const mark = cell.references[i];
      place(mark, grid, patchAt(grid, group.at.x, group.at.y));
      mark.classList.toggle("tiny", table.cellWidth * state.zoom.z < TINY_PX * grid.w);
      say(/** @type {Element} */ (mark.firstElementChild), String(group.pin));
    });
  };
  for (const cell of table.photos) show(cell, table.groups);
  table.maps.forEach((row, g) => row.forEach((cell) => show(cell, [table.groups[g]])));
}

/**
 * Puts a best match's frame and label: the label on the first side where it covers neither an edge of the map nor the
 * reference's ring and number.
 * @param {import("./maptable.mjs").Cell} cell
 * @param {import("./payload.mjs").Grid} grid
 * @param {Match} match
 * @param {{row: number, col: number} | null} here the reference, where it lies in this photograph
 * @param {[number, number]} patch its width and height on the screen
 */
export function label(cell, grid, match, here, patch) {
  place(cell.best, grid, match);
  say(cell.label, match.cosine.toFixed(2));
  const [w, t] = patch;
  const { width, height, gap } = LABEL;
  const x = (match.col + 0.5) * w, y = (match.row + 0.5) * t;
  const along = Math.max(0, Math.min(grid.w * w - width, x - width / 2)), down = Math.max(0, Math.min(grid.h * t - height, y - height / 2));
  /** @type {Record<string, [number, number]>} */
  const corners = {
    right: [x + w / 2 + gap, down], left: [x - w / 2 - gap - width, down],
    above: [along, y - t / 2 - gap - height], below: [along, y + t / 2 + gap],
  };
  const free = (/** @type {[number, number]} */ [left, top]) => {
    if (left < 0 || top < 0 || left + width > grid.w * w || top + height > grid.h * t) return false;
    if (!cell.share.hidden && left < SHARE.width && top + height > grid.h * t - SHARE.height) return false;
    if (!here) return true;
    const cx = (here.col + 0.5) * w, cy = (here.row + 0.5) * t;
    const [across, up] = [w, t].map((side) => Math.max(RING_PX, side / 2 + 4));
    return left > cx + across + NUMBER_PX || left + width < cx - across || top > cy + up || top + height < cy - up;
  };
  const side = Object.keys(corners).find((one) => free(corners[one])) ?? "right";
  cell.best.dataset.side = side;
  const moved = side === "right" || side === "left" ? down - y + height / 2 : along - x + width / 2;
  cell.best.style.setProperty("--moved", `${moved.toFixed(1)}px`);
}

/**
 * @param {HTMLElement} mark
 * @param {import("./payload.mjs").Grid} grid
 * @param {{row: number, col: number}} patch
 */
export function place(mark, grid, patch) {
  const style = mark.style;
  style.left = `${(100 * patch.col) / grid.w}%`;
  style.top = `${(100 * patch.row) / grid.h}%`;
  style.width = `${100 / grid.w}%`;
  style.height = `${100 / grid.h}%`;
}
