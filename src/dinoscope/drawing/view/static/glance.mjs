/** The patch asked for, in its surroundings, where it stays in sight. */

import { h } from "./dom.mjs";
import { patchAt } from "./payload.mjs";

const SIDE_PX = 40;
/** Patches across. */
const SPAN = 5;

export const glance = () =>
  h("canvas", { className: "glance", width: 2 * SIDE_PX, height: 2 * SIDE_PX, title: "the patch asked for, in the middle" });

/**
 * @param {import("./maptable.mjs").MapTable} table
 * @param {import("./state.mjs").State} state
 */
export function showGlance(table, state) {
  const { glance } = table;
  glance.hidden = state.mode === "pca" || Boolean(table.asking?.way && state.mode !== "facet");
  const photo = table.photos[state.at.image].plane.querySelector("img");
  const context = glance.getContext("2d");
  if (!photo || !context || !photo.naturalWidth || glance.hidden) return;
  const grid = table.view.grids[state.at.image][state.order[0]];
  const { row, col } = patchAt(grid, state.at.x, state.at.y);
  const [w, t] = [photo.naturalWidth / grid.w, photo.naturalHeight / grid.h];
  const side = 2 * SIDE_PX;
  context.clearRect(0, 0, side, side);
  context.drawImage(photo, (col + 0.5 - SPAN / 2) * w, (row + 0.5 - SPAN / 2) * t, SPAN * w, SPAN * t, 0, 0, side, side);
  const corner = (side * (SPAN - 1)) / 2 / SPAN;
  for (const [colour, width] of [["#fff", 6], ["#111", 3]]) {
    context.strokeStyle = String(colour);
    context.lineWidth = Number(width);
    context.strokeRect(corner, corner, side / SPAN, side / SPAN);
  }
}
