/** Why a hit matches: a picture of both photographs, in a dialog. */

import { say } from "./dom.mjs";
import { ask, inPlainWords, part } from "./page.mjs";

/** @typedef {import("./hits.mjs").Hit} Hit */
/** @typedef {import("./region.mjs").Shown} Shown */

const dialog = part("why", HTMLDialogElement);
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 700px)");

/** @param {Shown} query @param {Hit} hit @param {string} address of the picture */
export async function explain(query, hit, address) {
  const picture = dialog.querySelector("img");
  const said = dialog.querySelector("p");
  if (!picture || !said) throw new Error("the page lacks the parts of #why");
  picture.hidden = true;
  dialog.ariaBusy = "true";
  say(said, "Looking at every patch");
  say(part("why-title", HTMLElement), `${query.name} and ${hit.name}`);
  dialog.showModal();
  try {
    const drawn = await (await ask(`${address}${dark.matches ? "&dark=1" : ""}${narrow.matches ? "&narrow=1" : ""}`)).blob();
    URL.revokeObjectURL(picture.src);
    picture.src = URL.createObjectURL(drawn);
    picture.alt = `What every patch of ${query.name} and of ${hit.name} gives to their cosine of ${hit.score.toFixed(3)}`;
    picture.hidden = false;
    say(said, "");
  } catch (error) {
    say(said, inPlainWords(error));
  }
  dialog.ariaBusy = "false";
}
