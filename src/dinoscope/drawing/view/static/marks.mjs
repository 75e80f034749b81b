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
