/** One map over another, with an edge between them that is moved: for two models side by side in one place. */

import { h } from "./dom.mjs";

/** @typedef {import("./session.mjs").Session} Session */
/** @typedef {import("./state.mjs").State} State */

const STEP = 0.02;

/**
 * How many columns the maps of one reference take.
 * @param {State} state
 * @param {number[]} models
 */
export const columnsOf = (state, models) => models.length - Number(wiped(state, models));

/**
 * Whether the first two models share a column.
 * @param {State} state
 * @param {number[]} models
 */
export const wiped = (state, models) => state.wipe !== null && models.length > 1;

/**
 * The column of a model among those of one reference.
 * @param {State} state
 * @param {number[]} models
 * @param {number} c place of the model
 */
export const columnOf = (state, models, c) => (wiped(state, models) ? Math.max(0, c - 1) : c);

/**
 * The edge between two maps that lie over each other, to be put into their place of the grid.
 * @param {string} names of the two models
 */
export function edge(names) {
  const tip = h("i", { "aria-hidden": "true" }, "\u2194");
  return h("div", {
    className: "edge", role: "slider", tabIndex: 0, "aria-label": `Edge between ${names}`, "aria-valuemin": "0", "aria-valuemax": "100",
  }, tip);
}

/**
 * Moves edges by pointer and by keys.
 * @param {Session} session
 */
export function listenToEdges(session) {
  const { body } = session.table;
  /** @param {Event} event */
  const edgeOf = (event) => (event.target instanceof HTMLElement ? event.target.closest(".edge") : null);
  /** @param {number} share */
  const move = (share) => {
    session.state.wipe = Math.round(1000 * Math.max(0, Math.min(1, share))) / 1000;
    showEdge(body, session.state);
    session.remember();
  };
  /** @type {HTMLElement | null} */
  let held = null;
  body.addEventListener("pointerdown", (event) => {
    const found = edgeOf(event);
    if (!(found instanceof HTMLElement)) return;
    held = found;
    found.setPointerCapture(event.pointerId);
    event.stopPropagation();
    event.preventDefault();
    found.focus({ preventScroll: true });
  }, { capture: true });
  body.addEventListener("pointermove", (event) => {
    if (!held) return;
    event.stopPropagation();
    const box = held.getBoundingClientRect();
    const left = box.left + box.width / 2 - (session.state.wipe ?? 0) * session.table.cellWidth;
    move((event.clientX - left) / session.table.cellWidth);
  }, { capture: true });
  for (const end of ["pointerup", "pointercancel"]) body.addEventListener(end, () => (held = null), { capture: true });
  body.addEventListener("keydown", (event) => {
    if (!edgeOf(event)) return;
    const now = session.state.wipe ?? 0.5;
    /** @type {Record<string, number>} */
    const places = { ArrowLeft: now - STEP, ArrowRight: now + STEP, Home: 0, End: 1 };
    if (!(event.key in places)) return;
    event.preventDefault();
    event.stopPropagation();
    move(places[event.key]);
  }, { capture: true });
}

/**
 * Puts all edges, and what they cut, where the state says.
 * @param {HTMLElement} body
 * @param {State} state
 */
export function showEdge(body, state) {
  body.style.setProperty("--wipe", String(state.wipe ?? 0));
  for (const found of body.querySelectorAll(".edge")) found.setAttribute("aria-valuenow", String(Math.round(100 * (state.wipe ?? 0))));
}
