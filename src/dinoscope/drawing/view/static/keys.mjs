/** Keys and zoom. */

import { patchAt } from "./payload.mjs";
import { MAX_ZOOM } from "./state.mjs";

/** @typedef {import("./session.mjs").Session} Session */
/** @typedef {import("./state.mjs").Place} Place */

/**
 * Zooms all stages at once.
 * @param {Session} session
 * @param {number} factor
 * @param {Place} at what stays where it is
 */
export function zoom(session, factor, at) {
  const old = session.state.zoom;
  const z = Math.max(1, Math.min(MAX_ZOOM, old.z * factor));
  if (z < 1.01) {
    session.set({ zoom: { z: 1, x: 0.5, y: 0.5 } });
    return;
  }
  const keep = (/** @type {number} */ place, /** @type {number} */ was) => {
    const seen = place * old.z - (old.z - 1) * was;
    return Math.max(0, Math.min(1, (place * z - seen) / (z - 1)));
  };
  session.set({ zoom: { z, x: keep(at.x, old.x), y: keep(at.y, old.y) } });
}

/**
 * What a key does on a photograph that has the focus.
 * @param {Session} session
 * @param {KeyboardEvent} event
 */
export function pressKey(session, event) {
  if (event.altKey || event.metaKey || event.ctrlKey) return;
  if (!(event.target instanceof Element) || !event.target.matches(".stage")) return;
  const { at } = session.state;
  const grid = session.view.grids[at.image][session.models[0]];
  const { row, col } = patchAt(grid, at.x, at.y);
  const by = event.shiftKey ? 5 : 1;
  const go = (/** @type {number} */ r, /** @type {number} */ c) => {
    const place = {
      image: at.image,
      x: (Math.max(0, Math.min(grid.w - 1, c)) + 0.5) / grid.w,
      y: (Math.max(0, Math.min(grid.h - 1, r)) + 0.5) / grid.h,
    };
    const { z, x, y } = session.state.zoom;
    const left = ((z - 1) / z) * x, top = ((z - 1) / z) * y;
    const inside = place.x > left && place.x < left + 1 / z && place.y > top && place.y < top + 1 / z;
    if (!inside) {
      const centre = (/** @type {number} */ v) => Math.max(0, Math.min(1, (v * z - 0.5) / (z - 1)));
      session.set({ zoom: { z, x: centre(place.x), y: centre(place.y) } });
    }
    session.point(place);
  };
  const photo = (/** @type {number} */ by) => {
    const { order } = session.table;
    const next = Math.max(0, Math.min(order.length - 1, order.indexOf(at.image) + by));
    session.table.photos[order[next]].stage.focus();
  };
  /** @type {Record<string, () => void>} */
  const keys = {
    ArrowLeft: () => go(row, col - by),
    ArrowRight: () => go(row, col + by),
    ArrowUp: () => go(row - by, col),
    ArrowDown: () => go(row + by, col),
    Home: () => go(row, 0),
    End: () => go(row, grid.w - 1),
    PageUp: () => photo(-1),
    PageDown: () => photo(1),
    Enter: () => session.click(at, !event.shiftKey),
    " ": () => session.click(at, !event.shiftKey),
    Delete: () => session.set({ pins: session.state.pins.slice(0, -1) }),
    Backspace: () => session.set({ pins: session.state.pins.slice(0, -1) }),
    "+": () => zoom(session, 1.5, at),
    "=": () => zoom(session, 1.5, at),
    "-": () => zoom(session, 1 / 1.5, at),
    0: () => zoom(session, 0, at),
    ...Object.fromEntries(session.modes.map(({ key, mode }) => [key.toLowerCase(), () => session.set({ mode })])),
    o: () => session.models.length > 1 && session.set({ wipe: session.state.wipe === null ? 0.5 : null }),
    s: () => session.set({ smooth: !session.state.smooth }),
    "?": () => session.controls.showHelp(),
  };
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}
