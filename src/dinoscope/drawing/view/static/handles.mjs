/** Handles on a box that was drawn: its sides and corners can be moved, and the whole of it. */

import { h } from "./dom.mjs";

/** @typedef {[number, number, number, number]} Box left, top, right, bottom in [0, 1]² */

/** A box keeps at least this share of the photograph on each side. */
const LEAST = 0.02;
/** A pointer that moved less is a click. */
const DRAG_PX = 5;

/** Which sides a handle moves: left and right, top and bottom, by the place of the side in a box. */
const GRIPS = [["0", "1"], ["", "1"], ["2", "1"], ["2", ""], ["2", "3"], ["", "3"], ["0", "3"], ["0", ""]];

/**
 * Puts handles on an outline.
 * @param {Element} frame the photograph
 * @param {HTMLElement} mark the outline on it
 * @param {Box} box
 * @param {{onBox: (box: Box) => void, onPoint: (x: number, y: number) => void}} options onPoint: a click inside
 */
export function adjustable(frame, mark, box, { onBox, onPoint }) {
  mark.classList.add("adjustable");
  for (const [across, down] of GRIPS) {
    const grip = h("span", { className: "grip" });
    grip.dataset.across = across;
    grip.dataset.down = down;
    mark.append(grip);
  }
  /** @type {{id: number, x: number, y: number, sides: number[]} | null} */
  let held = null;
  let found = box;
  mark.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary || !(event.target instanceof HTMLElement)) return;
    event.stopPropagation(); // on the photograph itself another box would begin
    const { across, down } = event.target.dataset;
    const sides = event.target === mark ? [0, 1, 2, 3] : [across, down].filter(Boolean).map(Number);
    held = { id: event.pointerId, x: event.clientX, y: event.clientY, sides };
    mark.setPointerCapture(event.pointerId);
  });
  mark.addEventListener("pointermove", (event) => {
    if (held?.id !== event.pointerId) return;
    event.stopPropagation();
    const { width, height } = frame.getBoundingClientRect();
    found = moved(box, held.sides, (event.clientX - held.x) / width, (event.clientY - held.y) / height);
    place(mark, found);
  });
  mark.addEventListener("pointerup", (event) => {
    if (held?.id !== event.pointerId) return;
    event.stopPropagation();
    const far = Math.hypot(event.clientX - held.x, event.clientY - held.y) >= DRAG_PX;
    const inside = held.sides.length === 4;
    held = null;
    if (far) onBox(found);
    else {
      place(mark, box);
      const { left, top, width, height } = frame.getBoundingClientRect();
      if (inside) onPoint((event.clientX - left) / width, (event.clientY - top) / height);
    }
  });
  mark.addEventListener("pointercancel", () => {
    held = null;
    place(mark, box);
  });
}

/**
 * A box with some of its sides moved, inside the photograph; with all of them it keeps its size.
 * @param {Box} box @param {number[]} sides @param {number} across @param {number} down
 * @returns {Box}
 */
export function moved(box, sides, across, down) {
  const [left, top, right, bottom] = box;
  if (sides.length === 4) {
    const x = between(across, -left, 1 - right);
    const y = between(down, -top, 1 - bottom);
    return [left + x, top + y, right + x, bottom + y];
  }
  return [
    sides.includes(0) ? between(left + across, 0, right - LEAST) : left,
    sides.includes(1) ? between(top + down, 0, bottom - LEAST) : top,
    sides.includes(2) ? between(right + across, left + LEAST, 1) : right,
    sides.includes(3) ? between(bottom + down, top + LEAST, 1) : bottom,
  ];
}

/** @param {HTMLElement} mark @param {Box} box */
export function place(mark, [left, top, right, bottom]) {
  mark.style.left = `${100 * left}%`;
  mark.style.top = `${100 * top}%`;
  mark.style.width = `${100 * (right - left)}%`;
  mark.style.height = `${100 * (bottom - top)}%`;
}

/** @param {number} value @param {number} least @param {number} most */
const between = (value, least, most) => Math.max(least, Math.min(most, value));
