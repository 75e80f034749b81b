/** Photographs of the store that are nearly the same, in groups whose paths can be handed on. */

import { copied } from "./card.mjs";
import { h, say } from "./dom.mjs";
import { save } from "./exported.mjs";
import { expect, tile } from "./hits.mjs";
import { ask, inPlainWords, leaving, part } from "./page.mjs";

/** @typedef {import("./region.mjs").Shown} Shown */
/** @typedef {import("./region.mjs").Region} Region */
/** @typedef {{picture: (shown: Shown) => string, onChoose: (shown: Shown, region: Region) => void, onName: (shown: Shown, button: HTMLElement) => void}} Shower */

const place = part("duplicates", HTMLElement);
const said = part("duplicates-said", HTMLElement);
const groups = part("groups", HTMLElement);
const all = part("all-paths", HTMLElement);
let turn = 0;

/** Asks for the groups and shows them. @param {string} address @param {Shower} shower */
export async function showDuplicates(address, shower) {
  const mine = (turn += 1);
  all.replaceChildren();
  say(said, "Comparing every photograph with every other");
  const waiting = h("ol", { className: "photographs" });
  expect(waiting);
  groups.replaceChildren(waiting);
  place.ariaBusy = "true";
  /** @type {Shown[][]} */
  let found = [];
  try {
    found = (await (await ask(address)).json()).groups;
  } catch (error) {
    if (mine !== turn || leaving.signal.aborted) return;
    groups.replaceChildren();
    place.ariaBusy = "false";
    say(said, inPlainWords(error));
    return;
  }
  if (mine !== turn) return;
  place.ariaBusy = "false";
  const n = found.reduce((sum, group) => sum + group.length, 0);
  say(said, found.length ? `${found.length} group${found.length === 1 ? "" : "s"} of ${n} photographs, the most alike first` : "No two photographs are that much alike");
  if (found.length) all.replaceChildren(...handing(found.flat(), "near-duplicates.txt"));
  groups.replaceChildren(...found.map((group, i) => h(
    "section",
    { className: "group", "aria-label": `Group ${i + 1}` },
    h("p", { className: "group-head" }, h("b", {}, `${group.length} photographs`), ...handing(group, `near-duplicates-${i + 1}.txt`)),
    h("ol", { className: "photographs" }, ...group.map((shown) => tile(shown, {
      picture: shower.picture(shown),
      words: `Search for ${shown.name}`,
      onChoose: (region) => shower.onChoose(shown, region),
      onName: (button) => shower.onName(shown, button),
    }))),
  )));
}

/** What hands paths on: to the clipboard, or as a file of one path a line. @param {Shown[]} group @param {string} name */
function handing(group, name) {
  const paths = `${group.map(({ source }) => source).join("\n")}\n`;
  return [
    h("button", { type: "button", onclick: () => copied(paths, groups) }, "Copy paths"),
    h("button", { type: "button", onclick: () => save(name, "text/plain", paths) }, "Save list"),
  ];
}
