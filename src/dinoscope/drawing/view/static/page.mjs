/** What both served pages need: their parts, and a server that answers or says why not. */

/** Aborted when the page is left. */
export const leaving = new AbortController();

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
