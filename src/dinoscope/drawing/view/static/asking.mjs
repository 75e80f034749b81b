/** Ways of looking that the payload does not answer: what they ask, what has been answered, what is under way. */

import { say } from "./dom.mjs";
import { localAsk } from "./local.mjs";
import { cleared, explain, undrawn } from "./over.mjs";
import { WAYS } from "./ways.mjs";

/** @typedef {import("./answers.mjs").Answer} Answer */
/** @typedef {import("./answers.mjs").Question} Question */
/** @typedef {import("./answers.mjs").ModelFacts} ModelFacts */
/** @typedef {import("./maptable.mjs").Cell} Cell */
/** @typedef {import("./state.mjs").Place} Place */
/** @typedef {{low: string, high: string, under: boolean, signed: boolean, table: Int32Array, name: string}} Legend */

/**
 * @typedef {object} Way of looking
 * @property {(asking: Asking) => Node[]} fields its controls, made once
 * @property {(asking: Asking) => void} [showFields] the state in its controls
 * @property {(asking: Asking) => Question[]} questions what must be known, the most urgent first
 * @property {(asking: Asking) => number[]} [photographs] that are shown, if not all
 * @property {(asking: Asking, cell: Cell) => boolean} paint a map, or false to have the cosines painted
 * @property {(asking: Asking, cell: Cell) => void} [mark] over every cell, the photographs' too
 * @property {(asking: Asking, at: Place | null) => void} [hover] null: the pointer has left
 * @property {(asking: Asking, m: number, at: Place) => string | null} reads numbers of a model at a place; null: cosines
 * @property {(asking: Asking) => Legend | string} legend
 * @property {(asking: Asking, at: Place, belongs: boolean) => void} [click] else a click pins
 */

const MOST_KEPT = 300;
const PATIENCE_MS = 250;

export class Asking {
  /**
   * @param {import("./session.mjs").Session} session
   * @param {import("./answers.mjs").Ask | null} ask null: nobody beside the page itself
   */
  constructor(session, ask) {
    this.session = session;
    this.local = ask === null;
    this.ask = ask ?? localAsk(session);
    /** @type {Map<string, Answer>} */
    this.answers = new Map();
    /** Why a question has no answer. @type {Map<string, string>} */
    this.refusals = new Map();
    this.running = false;
    this.closed = false;
    /** Until it is said that something is under way; -1 once it is. */
    this.clock = 0;
    this.progress = "";
    /** Scratch of the ways, by mode. @type {Record<string, any>} */
    this.own = {};
  }

  get state() {
    return this.session.state;
  }

  get view() {
    return this.session.view;
  }

  get options() {
    return this.state.options;
  }

  /** @returns {Way | null} */
  get way() {
    return WAYS[this.state.mode] ?? null;
  }

  /** @param {Record<string, string>} change */
  choose(change) {
    this.session.set({ options: { ...this.options, ...change } });
  }

  /** What a question must say where the page answers itself: of which models. */
  get where() {
    return this.local ? { models: this.session.models } : {};
  }

  /** @param {Question} question */
  answer(question) {
    return this.answers.get(JSON.stringify(question)) ?? null;
  }

  /**
   * Facts of a model in an answer; null while it is not there.
   * @param {Question | undefined} question
   * @param {number} m
   * @returns {{facts: ModelFacts, arrays: Answer["arrays"]} | null}
   */
  found(question, m) {
    if (!question) return null;
    const refusal = this.refusals.get(JSON.stringify(question));
    if (refusal !== undefined) return { facts: { why: refusal, h: 0, w: 0 }, arrays: [] };
    const answer = this.answer(question);
    return answer && { facts: answer.models[m], arrays: answer.arrays };
  }

  /** Before anything is painted. */
  clear() {
    for (const cell of this.session.table.cells) undrawn(cell);
  }

  /** After the state has changed and everything was painted. */
  show() {
    this.refusals.clear();
    if (!this.way) return;
    this.#mark();
    this.#run();
  }

  #mark() {
    for (const cell of this.session.table.cells) this.way?.mark?.(this, cell);
  }

  /** @param {Place | null} at */
  hover(at) {
    this.way?.hover?.(this, at);
  }

  /**
   * @param {Cell} cell
   * @returns {boolean} whether this way of looking has painted
   */
  paint(cell) {
    return this.way !== null && this.way.paint(this, cell);
  }

  /**
   * The usual beginning of painting: facts of the cell's model, or null after its reason was written on the cell.
   * @param {Cell} cell
   * @param {Question | undefined} question
   */
  factsFor(cell, question) {
    const found = this.found(question, cell.model);
    explain(cell, found?.facts.why ?? "");
    if (found && !found.facts.why) return found;
    cleared(cell);
    return null;
  }

  async #run() {
    if (this.running) return;
    this.running = true;
    try {
      for (;;) {
        const keys = this.closed || !this.way ? [] : this.way.questions(this).map((question) => JSON.stringify(question));
        const open = keys.filter((one) => !this.answers.has(one) && !this.refusals.has(one));
        if (!open.length) break;
        const [key] = open, next = JSON.parse(key);
        this.progress = keys.length > 1 ? `${keys.length - open.length + 1} of ${keys.length}` : "";
        if (this.clock < 0) this.#tell();
        this.clock ||= setTimeout(() => {
          this.clock = -1;
          this.#tell();
        }, PATIENCE_MS);
        try {
          this.answers.set(key, await this.ask(next));
          if (this.answers.size > MOST_KEPT) this.answers.delete(/** @type {string} */ (this.answers.keys().next().value));
        } catch (error) {
          this.refusals.set(key, error instanceof Error ? error.message : String(error));
        }
        if (!this.closed) this.#repaint();
      }
    } finally {
      this.running = false;
      clearTimeout(this.clock);
      this.clock = 0;
      this.progress = "";
      say(this.session.controls.asking, "");
    }
  }

  #tell() {
    say(this.session.controls.asking, `asking the models\u2026 ${this.progress}`.trim());
  }

  #repaint() {
    const { session } = this;
    this.clear();
    session.controls.show(session.state);
    session.follow(true);
    this.#mark();
  }

  close() {
    this.closed = true;
  }
}
