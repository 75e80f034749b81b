/** What both served pages need: their parts, and a server that answers or says why not. */

import { say } from "./dom.mjs";

/** Aborted when the page is left. */
export const leaving = new AbortController();
addEventListener("pagehide", () => leaving.abort());
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

/** What the server would not do, in its words. */
export class Refused extends Error {}

/**
 * An element the page must have.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function part(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page lacks #${id}`);
  return found;
}

/** How often a busy server is asked. */
const TIMES = 10;

/** @param {string} address @param {RequestInit} [request] @param {number} [left] times to ask again */
export async function ask(address, request = {}, left = TIMES - 1) {
  const answer = await fetch(address, { signal: leaving.signal, ...request, cache: "no-store" });
  if (answer.ok) return answer;
  const againS = Number(answer.headers.get("retry-after"));
  if (answer.status === 503 && againS && left) {
    say(status, "dinoscope is busy; asking again");
    await new Promise((resolve) => setTimeout(resolve, 1000 * againS));
    return ask(address, request, left - 1);
  }
  const text = await answer.text();
  let reason = text;
  try {
    reason = JSON.parse(text).reason;
  } catch {
    // a refusal in plain words
  }
  throw new Refused(reason);
}

/** What is going on. */
export const status = part("status", HTMLElement);

/** @param {string} text */
export function complain(text) {
  const alarm = part("error", HTMLElement);
  alarm.hidden = text === "";
  say(alarm, text);
}

/** @param {unknown} error */
export function inPlainWords(error) {
  return error instanceof Refused ? error.message : "dinoscope does not answer: it has been stopped, or the connection was lost.";
}

/** @param {unknown} error */
export function report(error) {
  if (leaving.signal.aborted) return;
  say(status, "");
  complain(inPlainWords(error));
}
