/** Everything that can be shown, in one menu: name, key and one line of what it is. */

import { h, say } from "./dom.mjs";

/** @typedef {import("./state.mjs").State["mode"]} Mode */
/** @typedef {{mode: Mode, name: string, key: string, says: string, group: string}} Entry */

const SIMILAR = "Similarity", WHOLE = "The whole photograph", INSIDE = "Inside the model", TASK = "Put to work";

/** @type {Entry[]} */
export const MODES = [
  { mode: "pca", name: "PCA", key: "P", group: WHOLE, says: "Three principal components as red, green and blue." },
  { mode: "clusters", name: "Clusters", key: "K", group: WHOLE, says: "k-means over all photographs, numbered alike in all models." },
  { mode: "spectral", name: "Spectral colours", key: "N", group: WHOLE, says: "The normalised cut\u2019s first three eigenvectors as colours." },
  { mode: "upsampled", name: "Upsampled", key: "U", group: WHOLE, says: "PCA colours between the patches, interpolated." },
  { mode: "cosine", name: "Cosine", key: "C", group: SIMILAR, says: "How alike every patch is to the one under the pointer." },
  { mode: "difference", name: "Difference", key: "D", group: SIMILAR, says: "The other models\u2019 cosines minus the first\u2019s." },
  { mode: "rank", name: "Rank", key: "R", group: SIMILAR, says: "Each photograph\u2019s patches from least to most similar." },
  { mode: "threshold", name: "Threshold", key: "T", group: SIMILAR, says: "Only patches whose cosine reaches a threshold." },
  { mode: "facet", name: "Facet", key: "F", group: INSIDE, says: "Cosines of the attention\u2019s keys, queries or values." },
  { mode: "attention", name: "Attention", key: "A", group: INSIDE, says: "Where the clicked patch, or the class token, looks." },
  { mode: "repair", name: "High norms", key: "H", group: INSIDE, says: "Patches far too long, before and after a test-time register." },
  { mode: "segment", name: "Segment", key: "G", group: TASK, says: "A mask from clicks on what belongs and what does not." },
  { mode: "match", name: "Matches", key: "M", group: TASK, says: "The same points of two photographs, by every model." },
  { mode: "words", name: "Words", key: "W", group: TASK, says: "Where words are, and the other models at that patch." },
];

/** Modes that the page answers by itself. */
const PLAIN = new Set(["pca", "cosine", "difference", "rank", "threshold"]);

/**
 * Modes that can be shown here.
 * @param {number} models how many there are
 * @param {Set<string> | null} answered ways of looking that can be answered; null: all
 */
export const known = (models, answered) =>
  MODES.filter(({ mode }) => (mode !== "difference" || models > 1) && (PLAIN.has(mode) || !answered || answered.has(mode)));

/** @param {Mode} mode */
export const modeName = (mode) => MODES.find((entry) => entry.mode === mode)?.name ?? mode;

let serial = 0;

export class Menu {
  /**
   * @param {Entry[]} entries
   * @param {(mode: Mode) => void} choose
   */
  constructor(entries, choose) {
    this.entries = entries;
    const name = `dinoscope-mode-${++serial}`;
    const groups = [...new Set(entries.map(({ group }) => group))];
    const line = (/** @type {Entry} */ { mode, name: text, key, says }) =>
      h("label", { title: says },
        h("input", { type: "radio", name, value: mode, onchange: () => choose(mode) }),
        h("span", { className: "mode" }, text), h("span", { className: "says" }, says), h("kbd", {}, key));
    this.chosen = h("span", {});
    this.summary = h("summary", { "aria-label": "What is shown" }, this.chosen);
    this.panel = h("fieldset", { className: "panel modes" }, h("legend", {}, "Show"),
      ...groups.flatMap((group) => [h("h3", {}, group), ...entries.filter((entry) => entry.group === group).map(line)]));
    this.element = h("details", { className: "menu" }, this.summary, this.panel);
    this.panel.addEventListener("pointerup", (event) => {
      if (event.target instanceof Element && event.target.closest("label")) setTimeout(() => this.close());
    });
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.close();
      this.summary.focus();
    });
    this.element.addEventListener("toggle", () => {
      if (this.element.open) this.panel.querySelector("input:checked")?.scrollIntoView({ block: "nearest" });
    });
  }

  close() {
    this.element.removeAttribute("open");
  }

  /** @param {Mode} mode */
  show(mode) {
    const entry = this.entries.find((one) => one.mode === mode);
    say(this.chosen, entry?.name ?? mode);
    this.summary.title = entry?.says ?? "";
    this.summary.setAttribute("aria-label", `Show: ${entry?.name ?? mode}`);
    for (const input of this.panel.querySelectorAll("input")) input.checked = input.value === mode;
  }
}
