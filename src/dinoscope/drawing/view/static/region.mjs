/** A photograph on which a box can be drawn and a patch be chosen, by pointer and by keys. */

import { h } from "./dom.mjs";
import { place as placed } from "./handles.mjs";

/** @typedef {{kind: "whole"} | {kind: "box", at: [number, number, number, number]} | {kind: "patch", at: [number, number]}} Region */
/** @typedef {{taken: string, camera: string, latitude: number | null, longitude: number | null}} Shot */
/** @typedef {{digest: string, name: string, size: [number, number], source: string, shot: Shot}} Shown */
/** @typedef {[number, number]} Grid rows and columns of patches */

/** A pointer that moved less is a click. */
const DRAG_PX = 5;

/** @type {Region} */
export const WHOLE = { kind: "whole" };

/**
 * The photograph as it is, in its own proportions; where it cannot be had, its name.
 * @param {string} address @param {Shown} shown @param {string} alt
 */
export function framed(address, shown, alt) {
  const picture = h("img", { alt, draggable: false, loading: "lazy", src: address });
  const frame = h("span", { className: "frame" }, picture);
  frame.style.setProperty("--aspect", String(shown.size[0] / shown.size[1]));
  picture.addEventListener("error", () => {
    frame.classList.add("missing");
    picture.replaceWith(h("bdi", {}, shown.name), " cannot be shown");
  });
  return frame;
}

/**
 * Outlines a region on a frame; any earlier outline of the class goes.
 * @param {Element} frame @param {string} name of the outline's class
 * @param {[number, number, number, number] | null} box in [0, 1]²
 */
export function outline(frame, name, box) {
  frame.querySelector(`.${name}`)?.remove();
  if (!box) return null;
  const mark = h("span", { className: `outline ${name}` });
  placed(mark, box);
  frame.append(mark);
  return mark;
}

/**
 * The footprint of a region.
 * @param {Region} region @param {Grid | null} grid
 * @returns {[number, number, number, number] | null}
 */
export function footprint(region, grid) {
  if (region.kind === "whole") return null;
  if (region.kind === "box") return region.at;
  const [rows, columns] = grid ?? [32, 32];
  const [row, column] = patchAt(region.at, [rows, columns]);
  return [column / columns, row / rows, (column + 1) / columns, (row + 1) / rows];
}

/**
 * @param {[number, number]} place @param {Grid} grid
 * @returns {[number, number]} row and column
 */
function patchAt([x, y], [rows, columns]) {
  return [Math.min(rows - 1, Math.floor(y * rows)), Math.min(columns - 1, Math.floor(x * columns))];
}

/** @param {Region} region @param {Grid | null} grid */
export function inWords(region, grid) {
  if (region.kind === "whole") return "The whole photograph";
  if (region.kind === "box") {
    const [left, top, right, bottom] = region.at.map((value) => Math.round(100 * value));
    return `Box: ${left} to ${right} % across, ${top} to ${bottom} % down`;
  }
  if (!grid) return "One patch";
  const [row, column] = patchAt(region.at, grid);
  return `Patch in row ${row + 1} of ${grid[0]}, column ${column + 1} of ${grid[1]}`;
}

/** @param {Region} region as the server is asked */
export function inAddress(region) {
  return region.kind === "whole" ? {} : { [region.kind]: region.at.map((value) => value.toFixed(5)).join(",") };
}

/**
 * Lets a pointer draw a box.
 * @param {HTMLElement} frame
 * @param {{touch: boolean, onBox: (region: Region) => void, onPoint?: (region: Region) => void}} options
 *   touch: whether fingers draw too, rather than scroll
 */
export function drawable(frame, { touch, onBox, onPoint }) {
  /** @type {{id: number, x: number, y: number, clientX: number, clientY: number} | null} */
  let start = null;
  let dragging = false;
  const place = (/** @type {PointerEvent} */ event) => {
    const box = frame.getBoundingClientRect();
    const share = (/** @type {number} */ value) => Math.min(1, Math.max(0, value));
    return { x: share((event.clientX - box.left) / box.width), y: share((event.clientY - box.top) / box.height) };
  };
  /** @param {PointerEvent} event @returns {[number, number, number, number]} */
  const drawn = (event) => {
    const from = start ?? place(event);
    const to = place(event);
    return [Math.min(from.x, to.x), Math.min(from.y, to.y), Math.max(from.x, to.x), Math.max(from.y, to.y)];
  };
  const stop = () => {
    start = null;
    dragging = false;
    outline(frame, "drawing", null);
  };
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary || (event.pointerType === "touch" && !touch)) return;
    start = { id: event.pointerId, ...place(event), clientX: event.clientX, clientY: event.clientY };
  });
  frame.addEventListener("pointermove", (event) => {
    if (start?.id !== event.pointerId) return;
    if (!dragging && Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) >= DRAG_PX) {
      dragging = true;
      frame.setPointerCapture(event.pointerId);
    }
    if (dragging) outline(frame, "drawing", drawn(event));
  });
  frame.addEventListener("pointerup", (event) => {
    if (start?.id !== event.pointerId) return;
    const at = drawn(event);
    const wasDragging = dragging;
    const { x, y } = place(event);
    stop();
    if (!wasDragging) onPoint?.({ kind: "patch", at: [x, y] });
    else {
      addEventListener("click", swallow, { capture: true, once: true }); // a drag over a button is no click
      setTimeout(() => removeEventListener("click", swallow, { capture: true }));
      if (at[0] < at[2] && at[1] < at[3]) onBox({ kind: "box", at });
    }
  });
  frame.addEventListener("pointercancel", stop);
}

/** @param {Event} event */
function swallow(event) {
  event.preventDefault();
  event.stopPropagation();
}

/**
 * Lets keys do the same on the grid of patches.
 * @param {HTMLElement} stage
 * @param {{grid: () => Grid | null, region: () => Region, onRegion: (region: Region) => void, onCursor: (words: string, box: [number, number, number, number] | null) => void}} options
 */
export function keyed(stage, { grid, region, onRegion, onCursor }) {
  /** @type {[number, number] | null} row and column */
  let cursor = null;
  /** @type {[number, number] | null} where a box began */
  let anchor = null;
  const leave = () => {
    cursor = anchor = null;
    onCursor("", null);
  };
  stage.addEventListener("blur", leave);
  stage.addEventListener("keydown", (event) => {
    const size = grid();
    if (!size || event.ctrlKey || event.metaKey || event.altKey) return;
    const [rows, columns] = size;
    const now = region();
    const step = STEPS[event.key];
    if (step) {
      const from = cursor ?? (now.kind === "patch" ? patchAt(now.at, size) : patchAt([0.5, 0.5], size));
      if (!event.shiftKey) anchor = null;
      else anchor ??= from;
      const first = cursor === null && !event.shiftKey && now.kind !== "patch";
      cursor = first ? from : [clamp(from[0] + step[0], rows), clamp(from[1] + step[1], columns)];
      const end = anchor ?? cursor;
      const top = Math.min(end[0], cursor[0]);
      const left = Math.min(end[1], cursor[1]);
      const bottom = Math.max(end[0], cursor[0]) + 1;
      const right = Math.max(end[1], cursor[1]) + 1;
      onCursor(`Row ${cursor[0] + 1} of ${rows}, column ${cursor[1] + 1} of ${columns}`, [left / columns, top / rows, right / columns, bottom / rows]);
      if (anchor) onRegion({ kind: "box", at: [left / columns, top / rows, right / columns, bottom / rows] });
    } else if ((event.key === "Enter" || event.key === " ") && cursor) {
      onRegion({ kind: "patch", at: [(cursor[1] + 0.5) / columns, (cursor[0] + 0.5) / rows] });
    } else if (event.key === "Escape") {
      leave();
      onRegion(WHOLE);
    } else return;
    event.preventDefault();
  });
}

/** @type {Record<string, [number, number] | undefined>} */
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @param {number} value @param {number} count */
const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));
