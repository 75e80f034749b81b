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

/** @param {string} address @param {RequestInit} [request] */
export async function ask(address, request = {}) {
  const answer = await fetch(address, { signal: leaving.signal, ...request, cache: "no-store" });
  if (answer.ok) return answer;
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
