/** Which photographs a saved picture holds: a list to choose from, all at first. */

import { h } from "./dom.mjs";

/** @param {import("./payload.mjs").View} view */
export function rowsList(view) {
  const boxes = view.photographs.map(({ name }, p) => {
    const box = h("input", { type: "checkbox", checked: true, value: String(p) });
    return h("label", {}, box, name);
  });
  const set = (/** @type {boolean} */ checked) => () => {
    for (const label of boxes) /** @type {HTMLInputElement} */ (label.firstElementChild).checked = checked;
  };
  return h("fieldset", { className: "rows" }, h("legend", {}, "Photographs"),
    h("span", {}, h("button", { type: "button", onclick: set(true) }, "all"), h("button", { type: "button", onclick: set(false) }, "none")), ...boxes);
}

/**
 * The chosen photographs; null for all, and where none is chosen.
 * @param {HTMLElement} list
 * @returns {number[] | null}
 */
export function keptOf(list) {
  const boxes = [...list.querySelectorAll("input")];
  const kept = boxes.filter((box) => box.checked).map((box) => Number(box.value));
  return kept.length && kept.length < boxes.length ? kept : null;
}
