/** One ranking on the page: asked for, shown with what must be read beside it, or why it cannot be had. */

import { say } from "./dom.mjs";
import { expect, inFull, inShort } from "./hits.mjs";
import { ask, inPlainWords, leaving, part } from "./page.mjs";

/** @typedef {import("./hits.mjs").Hit} Hit */
/** @typedef {import("./hits.mjs").Answer} Answer */

/** @param {string} id */
function parts(id) {
  const place = part(id, HTMLElement);
  const found = ["h2", "details", "summary", "details p", ".bad", "ol"].map((name) => {
    const one = place.querySelector(name);
    if (!(one instanceof HTMLElement)) throw new Error(`#${id} lacks its ${name}`);
    return one;
  });
  const [title, note, summary, words, bad, list] = /** @type {[HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement, HTMLElement]} */ (found);
  return { place, title, note, summary, words, bad, list };
}

/** Shows or hides it, under a title; grey places where its photographs are of another question. @param {string} id @param {string} named @param {boolean} anew */
export function prepare(id, named, anew) {
  const { place, title, note, bad, list } = parts(id);
  place.hidden = named === "";
  say(title, named);
  if (named !== "" && (anew || list.children.length === 0)) {
    expect(list);
    note.hidden = bad.hidden = true;
  }
}

/**
 * Asks for one ranking and shows it; what cannot be had says why in its place. None where it came too late.
 * @param {string} id
 * @param {string} address
 * @param {AbortSignal} signal
 * @param {() => boolean} wanted whether it is still asked for
 * @param {(hit: Hit) => HTMLElement} item
 * @returns {Promise<Answer | null>}
 */
export async function rank(id, address, signal, wanted, item) {
  const { note, summary, words, bad, list } = parts(id);
  /** @type {Answer} */
  let answer;
  try {
    answer = await (await ask(address, { signal })).json();
  } catch (error) {
    if (!wanted() || leaving.signal.aborted) return null;
    list.replaceChildren();
    note.hidden = true;
    bad.hidden = false;
    say(bad, inPlainWords(error));
    return null;
  }
  if (!wanted()) return null;
  bad.hidden = true;
  note.hidden = false;
  say(summary, inShort(answer));
  say(words, inFull(answer));
  list.replaceChildren(...answer.hits.map(item));
  return answer;
}

/** How many photographs two rankings share, in words. @param {Answer[]} answers */
export function inBoth(answers) {
  if (answers.length < 2) return "";
  const [left, right] = answers.map(({ hits }) => new Set(hits.map(({ digest }) => digest)));
  return `${[...left].filter((digest) => right.has(digest)).length} of ${Math.min(left.size, right.size)} hits are in both`;
}

/** Points out the same photograph in the other ranking. @param {HTMLElement} rankings */
export function pointOut(rankings) {
  /** @param {Event} event */
  const point = (event) => {
    const item = event.target instanceof Element ? event.target.closest("li") : null;
    for (const other of rankings.querySelectorAll("li")) {
      other.classList.toggle("twin", event.type !== "pointerleave" && item !== null && other.dataset.digest === item.dataset.digest);
    }
  };
  for (const kind of ["pointerover", "pointerleave", "focusin"]) rankings.addEventListener(kind, point);
}
