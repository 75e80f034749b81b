/** Numbers in the heads of the columns: position, cosine, norm, scale. */

import { say } from "./dom.mjs";
import { patchAt } from "./payload.mjs";

/** @param {number} value */
export const signed = (value) => (value < 0 ? "\u2212" : "") + Math.abs(value).toFixed(3);

/**
 * Writes the numbers of the place under the pointer into the heads of the columns.
 * @param {import("./maptable.mjs").MapTable} table
 * @param {import("./state.mjs").State} state
 * @param {import("./state.mjs").Place} cursor
 * @param {{ranges: Map<number, [number, number]>}[]} painted
 */
export function number(table, state, cursor, painted) {
  const front = state.order.find((m) => !state.hidden.includes(m)) ?? 0;
  const grid = table.view.grids[cursor.image][front];
  const { row, col } = patchAt(grid, cursor.x, cursor.y);
  const [W, H] = table.view.photographs[cursor.image].size;
  const edges = [(col * W) / grid.w, ((col + 1) * W) / grid.w, (row * H) / grid.h, ((row + 1) * H) / grid.h];
  const [left, right, top, bottom] = edges.map((edge) => Math.round(edge));
  const where = `row ${row} col ${col}`;
  for (const position of table.positions) {
    say(position, where);
    position.title = `x ${cursor.x.toFixed(3)}, y ${cursor.y.toFixed(3)}; of ${grid.h} by ${grid.w} patches; pixels ${left} to ${right} across, ${top} to ${bottom} down`;
  }
  for (const column of table.columns) {
    const model = table.view.models[column.model];
    const own = table.view.grids[cursor.image][column.model];
    const patch = patchAt(own, cursor.x, cursor.y);
    const at = own.offset + patch.row * own.w + patch.col;
    column.readout.title = `norm ${Number(model.norms[at].toPrecision(4))}`;
    const cosines = table.groups[column.group].cosines[column.model];
    const parts = [];
    if (table.asking?.way) {
      const said = table.asking.way.reads(table.asking, column.model, cursor);
      column.readout.title = said ?? "";
      if (said !== null) {
        say(column.readout, said);
        continue;
      }
    }
    if (state.mode === "pca") parts.push(colourNote(model, state.components));
    else if (cosines) {
      const first = table.groups[column.group].cosines[front];
      const own = table.view.grids[cursor.image][front];
      const there = patchAt(own, cursor.x, cursor.y);
      const apart = state.mode === "difference" && column.model !== front && first;
      parts.push(apart ? `difference ${signed(cosines[at] - first[own.offset + there.row * own.w + there.col])}` : `cos ${signed(cosines[at])}`);
    }
    if (state.mode !== "pca" && state.mode !== "difference" && column.readout.title) parts.push(column.readout.title);
    const range = painted[column.group]?.ranges.get(column.model);
    if (state.scale === "own" && range) parts.push(`own scale ${range[0].toFixed(2)} to ${range[1].toFixed(2)}`);
    say(column.readout, parts.join(", "));
  }
}

/**
 * @param {import("./payload.mjs").Model} model
 * @param {number[] | null} components
 */
export function colourNote(model, components) {
  if (components) {
    const shares = components.map((k) => {
      const ratio = model.ratios[k];
      return ratio === null || ratio === undefined ? String(k + 1) : `${k + 1} (${(100 * ratio).toFixed(1)}%)`;
    });
    return `components ${shares.join(" ")}`;
  }
  if (model.colouredBy) return model.colouredBy;
  if (model.alignedTo === null) return "reference colours";
  const left = model.residual === null ? "" : `, residual ${model.residual.toFixed(2)}`;
  return `aligned${left}`;
}

/**
 * The same numbers for who listens.
 * @param {import("./session.mjs").Session} session
 * @returns {string}
 */
export function inWords(session) {
  const { at } = session.state;
  const grid = session.view.grids[at.image][session.models[0]];
  const { row, col } = patchAt(grid, at.x, at.y);
  const norms = session.models.map((m) => {
    const model = session.view.models[m];
    return `${model.label} norm ${Number(model.norms[session.patchOf(at, m)].toPrecision(4))}`;
  });
  const pins = session.table.groups.filter((group) => group.pin).map((group) => session.models.map((m) => {
    const cosine = group.cosines[m]?.[session.patchOf(at, m)];
    return cosine === undefined ? "" : `pin ${group.pin} ${session.view.models[m].label} ${signed(cosine)}`;
  }).join(", "));
  return [`${session.view.photographs[at.image].name}, row ${row}, column ${col}`, ...norms, ...pins].join("; ");
}
