/** The photographs of a table, some at a time. */

import { expect, tile } from "./hits.mjs";
import { ask, part, report } from "./page.mjs";

/** @typedef {import("./region.mjs").Shown} Shown */
/** @typedef {import("./region.mjs").Region} Region */
/** @typedef {import("./tables.mjs").Table} Table */
/** @typedef {{address: (words: Record<string, number>) => string, picture: (shown: Shown) => string, onChoose: (shown: Shown, region: Region) => void, onName: (shown: Shown, button: HTMLElement) => void}} Listing */

/** Shown at a time. */
const LISTED = 48;

const place = part("photographs", HTMLOListElement);
const more = part("more", HTMLButtonElement);
let turn = 0;
let next = () => {};
more.addEventListener("click", () => next());

/** Shows the first photographs of a table; a button shows the next. @param {Table} table @param {Listing} listing */
export async function listAnew(table, listing) {
  turn += 1;
  let first = 0;
  const mine = turn;
  const some = async () => {
    /** @type {Shown[]} */
    const found = (await (await ask(listing.address({ first, n: LISTED }))).json()).photographs;
    if (mine !== turn) return;
    if (first === 0) place.replaceChildren();
    first += found.length;
    place.append(...found.map((shown) => tile(shown, {
      picture: listing.picture(shown),
      words: `Search for ${shown.name}`,
      onChoose: (part) => listing.onChoose(shown, part),
      onName: (button) => listing.onName(shown, button),
    })));
    more.hidden = first >= table.n || found.length === 0;
  };
  next = () => some().catch(report);
  expect(place);
  await some();
}
