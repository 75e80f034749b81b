/** Filters on the columns of a table: fields for what it knows, and a condition for all else. */

import { h, say } from "./dom.mjs";
import { part } from "./page.mjs";

/** @typedef {{first: string, last: string, cameras: string[], n_placed: number}} Shots */

const panel = part("filters", HTMLDetailsElement);
const NAMES = ["path", "since", "until", "camera", "near", "where"];

/** @param {string} name */
const field = (name) => /** @type {HTMLInputElement | HTMLSelectElement} */ (part(`filter-${name}`, HTMLElement));

/** What is filled in, by name. @returns {Record<string, string>} */
export function filters() {
  const given = NAMES.map((name) => [name, field(name).value.trim()]).filter(([, value]) => value !== "");
  say(part("filters-said", HTMLElement), given.length ? `Filter (${given.length})` : "Filter");
  panel.classList.toggle("active", given.length > 0);
  return Object.fromEntries(given);
}

/** @param {Map<string, string>} words of an address */
export function fillFilters(words) {
  for (const name of NAMES) field(name).value = words.get(name) ?? "";
  if (NAMES.some((name) => words.has(name))) filters();
}

/** Shows the fields of what a table knows. @param {Shots} shots */
export function offerFilters({ first, last, cameras, n_placed: placed }) {
  const kept = field("camera").value;
  field("camera").replaceChildren(h("option", { value: "" }, "any"), ...cameras.map((name) => h("option", { value: name }, name)));
  field("camera").value = cameras.includes(kept) ? kept : "";
  part("filter-when", HTMLElement).hidden = first === "";
  part("filter-with", HTMLElement).hidden = cameras.length === 0;
  part("filter-places", HTMLElement).hidden = placed === 0;
  for (const name of ["since", "until"]) {
    field(name).setAttribute("min", first.slice(0, 10));
    field(name).setAttribute("max", last.slice(0, 10));
  }
}

/** @param {() => void} changed */
export function onFilters(changed) {
  for (const name of NAMES) field(name).addEventListener("change", changed);
  addEventListener("pointerdown", ({ target }) => {
    if (target instanceof Node && !panel.contains(target)) panel.open = false;
  });
  part("filters-clear", HTMLButtonElement).addEventListener("click", () => {
    fillFilters(new Map());
    filters();
    changed();
  });
}
