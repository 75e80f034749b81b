/** What computes cosines of a page's models: an engine is made when something first asks of its model. */

import { scriptEngine, simdEngine } from "./cosine.mjs";
import { GlContext, glEngine } from "./webgl.mjs";

/** @typedef {import("./cosine.mjs").Engine} Engine */

/** Tokens of a model from which on a graphics card is worth its start. */
const LARGE = 8_000_000;

/**
 * @param {import("./payload.mjs").View} view
 * @param {string | null} wanted
 */
function openContext(view, wanted) {
  const large = view.models.some(({ n, nPlanes }) => n * nPlanes > LARGE);
  if (wanted === "2d" || (wanted !== "webgl2" && !large)) return null;
  const context = GlContext.open();
  if (context && wanted !== "webgl2" && context.software) {
    context.close();
    return null;
  }
  return context;
}

export class Engines {
  /** @type {(Promise<Engine> | null)[]} */
  #making;

  /**
   * @param {import("./payload.mjs").View} view
   * @param {string | null} wanted renderer: `2d`, `webgl2`, or null for the quicker one
   * @param {() => void} made called when those that were asked for are there
   * @param {(error: unknown) => void} failed called when one cannot be made
   */
  constructor(view, wanted, made, failed) {
    this.view = view;
    this.wanted = wanted;
    this.told = { made, failed };
    /** By model; null until it is made. @type {(Engine | null)[]} */
    this.made = view.models.map(() => null);
    this.#making = view.models.map(() => null);
    /** Settles when all that were asked for are there and shown. @type {Promise<void>} */
    this.settled = Promise.resolve();
    /** Opened with the first engine. @type {GlContext | null | undefined} */
    this.context = undefined;
    this.closed = false;
  }

  /**
   * Whether models' engines are there; what is missing is made.
   * @param {number[]} models
   */
  ready(models) {
    const missing = models.filter((m) => !this.made[m]);
    for (const m of missing) this.make(m);
    return !missing.length;
  }

  /**
   * @param {number} m
   * @returns {Promise<Engine>}
   */
  make(m) {
    const known = this.#making[m];
    if (known) return known;
    const making = this.#make(m);
    this.#making[m] = making;
    this.settled = Promise.all(this.#making).then(() => {
      if (!this.closed) this.told.made();
    });
    this.settled.catch((error) => {
      if (!this.closed) this.told.failed(error);
    });
    return making;
  }

  /** @param {number} m */
  async #make(m) {
    const engine = this.#engine(await this.view.models[m].tokens());
    this.made[m] = engine;
    return engine;
  }

  /**
   * @param {import("./cosine.mjs").Tokens} tokens
   * @returns {Engine}
   */
  #engine(tokens) {
    if (this.closed) return scriptEngine(tokens);
    if (this.context === undefined) this.context = openContext(this.view, this.wanted);
    return (this.context && glEngine(this.context, tokens)) || simdEngine(tokens) || scriptEngine(tokens);
  }

  close() {
    this.closed = true;
    for (const engine of this.made) engine?.close();
    this.context?.close();
  }
}
