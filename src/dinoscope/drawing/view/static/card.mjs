/** What is known of one photograph: where it lies, when and where it was taken; opened and copied from here. */

import { h, say } from "./dom.mjs";
import { part, status } from "./page.mjs";

/** @typedef {import("./region.mjs").Shown} Shown */

const card = part("card", HTMLElement);

/**
 * Shows the card beside what was pressed.
 * @param {Shown} shown @param {string} picture the address of the whole photograph @param {HTMLElement} beside
 */
export function about(shown, picture, beside) {
  const path = h("p", { className: "path" }, h("bdi", {}, shown.source || "dropped on this page"));
  const copy = h("button", { type: "button", onclick: () => copied(shown.source, path) }, "Copy path");
  copy.hidden = shown.source === "";
  card.replaceChildren(
    h("h2", { id: "card-title" }, h("bdi", {}, shown.name)),
    path,
    h("p", { className: "facts" }, facts(shown)),
    h("p", { className: "card-acts" }, h("a", { href: picture, target: "_blank", rel: "noopener" }, "Open photograph"), copy),
  );
  card.showPopover();
  const { left, bottom, top } = beside.getBoundingClientRect();
  const { width, height } = card.getBoundingClientRect();
  card.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  card.style.top = `${bottom + height + 8 < innerHeight ? bottom + 4 : Math.max(8, top - height - 4)}px`;
}

/** @param {Shown} shown */
function facts({ size, shot }) {
  const degrees = (/** @type {number} */ value, /** @type {string} */ ways) => `${Math.abs(value).toFixed(4)}° ${ways[value < 0 ? 1 : 0]}`;
  const { latitude, longitude } = shot;
  const place = latitude === null || longitude === null ? "" : `${degrees(latitude, "NS")}, ${degrees(longitude, "EW")}`;
  return [`${size[0]} × ${size[1]} pixels`, shot.taken.replace("T", " "), shot.camera, place].filter(Boolean).join(" · ");
}

/**
 * Paths to the clipboard; where the browser keeps it closed, what is shown is selected.
 * @param {string} text @param {HTMLElement} shown
 */
export async function copied(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    say(status, text.includes("\n") ? `${text.trim().split("\n").length} paths copied` : "Path copied");
  } catch {
    getSelection()?.selectAllChildren(shown);
    say(status, "Selected: copy it with the keyboard");
  }
}
