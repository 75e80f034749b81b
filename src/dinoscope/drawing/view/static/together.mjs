/** Photographs that are searched for, or against, together with the query. */

import { h, say } from "./dom.mjs";
import { part } from "./page.mjs";
import { framed } from "./region.mjs";

/** @typedef {import("./region.mjs").Shown} Shown */

/**
 * @param {Shown[]} more @param {Shown[]} against
 * @param {{picture: (shown: Shown) => string, onDrop: (shown: Shown) => void}} options onDrop: it is to go
 */
export function showTogether(more, against, { picture, onDrop }) {
  part("together", HTMLElement).hidden = more.length + against.length === 0;
  const chip = (/** @type {string} */ sign, /** @type {string} */ words) => (/** @type {Shown} */ shown) =>
    h(
      "li",
      { className: sign === "+" ? "plus" : "minus", title: shown.name },
      h("span", { className: "sign", "aria-hidden": "true" }, sign),
      framed(picture(shown), shown, ""),
      h("button", { type: "button", "aria-label": `No longer search ${words} ${shown.name}`, onclick: () => onDrop(shown) }, "×"),
    );
  part("together-list", HTMLElement).replaceChildren(...more.map(chip("+", "for")), ...against.map(chip("−", "against")));
  const n = 1 + more.length;
  const plus = n === 1 ? "the query's direction" : `the mean direction of ${n} photographs`;
  const minus = against.length === 0 ? "" : against.length === 1 ? " minus the direction of another" : ` minus the mean direction of ${against.length} others`;
  say(part("together-said", HTMLElement), `Searched for: ${plus}${minus}.`);
}
