/** The line of controls above the table: native inputs, one for each thing that can be set. */

import { APART, BELOW, MOST_APART, SIGNED, TABLE } from "./colour.mjs";
import { h, say } from "./dom.mjs";

/** @typedef {import("./state.mjs").State} State */

/** @type {[State["mode"], string][]} */
const MODES = [["pca", "PCA"], ["cosine", "Cosine"], ["difference", "Difference"], ["rank", "Rank"], ["threshold", "Threshold"]];
/** @type {[State["scale"], string][]} */
const SCALES = [["11", "\u22121 to 1"], ["01", "0 to 1"], ["own", "own range"]];
/** @type {[State["sort"], string][]} */
const SORTS = [["differ", "most different first"], ["name", "by name"], ["given", "as given"]];

/** @type {[string, string][]} */
const KEYS = [
  ["Arrows", "move the reference by one patch; with Shift by five"],
  ["Page Up, Page Down", "the photograph above or below"],
  ["Home, End", "first or last patch of the line"],
  ["Enter, Space", "pin the reference, or take its pin out"],
  ["Delete", "take the last pin out"],
  ["+, \u2212, 0", "zoom at the reference; the whole photograph"],
  ["P, C, D, R, T", "PCA, cosine, difference, rank, threshold"],
  ["S", "smooth or nearest display"],
  ["?", "this page"],
];

let serial = 0;

export class Controls {
  /**
   * @param {import("./payload.mjs").View} view
   * @param {(change: Partial<State>) => void} change
   * @param {(format: "png" | "svg") => void} save
   */
  constructor(view, change, save) {
    this.view = view;
    this.change = change;
    const name = `dinoscope-${++serial}`;
    const radio = (/** @type {string} */ value, /** @type {string} */ text) =>
      h("label", {}, h("input", {
        type: "radio", name, value, onchange: () => change({ mode: /** @type {State["mode"]} */ (value) }),
      }), h("span", {}, text));
    this.modes = h("fieldset", { className: "modes" }, h("legend", {}, "Show"), ...MODES.filter(([v]) => v !== "difference" || view.models.length > 1).map(([v, t]) => radio(v, t)));

    this.bar = h("canvas", { width: 256, height: 1, role: "img" });
    this.low = h("span", {});
    this.high = h("span", {});
    this.swatch = h("i", {});
    this.under = h("span", { className: "under" }, this.swatch, "< 0");
    this.swatch.style.background = `rgb(${BELOW.join(" ")})`;
    const error = Math.max(...view.models.map((model) => model.largestError));
    this.accuracy = h("span", { className: "note", title: "largest difference from the float64 cosine of the original features" }, `\u00b1${(Math.ceil(error * 1e4) / 1e4).toFixed(4)}`);
    this.zero = h("span", { className: "zero" }, "0");
    const bar = h("span", { className: "scale" }, this.bar, this.zero);
    this.legend = h("span", { className: "legend" }, this.under, this.low, bar, this.high, this.accuracy);
    this.note = h("span", { className: "legend note" });

    this.scale = h("select", {
      "aria-label": "Colour scale of cosines",
      onchange: () => change({ scale: /** @type {State["scale"]} */ (this.scale.value) }),
    }, ...SCALES.map(([value, text]) => h("option", { value }, text)));
    this.scaleField = h("label", {}, "Scale ", this.scale);
    this.threshold = slider(-1, 1, 0.01, "Threshold on the cosine", (threshold) => change({ threshold }));
    this.thresholdValue = h("output", {});
    this.thresholdField = h("label", {}, "At least ", this.threshold, this.thresholdValue);

    const known = Math.min(...view.models.map((model) => model.nScores));
    this.colours = h("select", { "aria-label": "Colours of the PCA maps", onchange: () => this.#pickColours() },
      h("option", { value: "aligned" }, "aligned"), h("option", { value: "own" }, "own components"));
    this.components = ["red", "green", "blue"].map((channel) =>
      h("select", { "aria-label": `Component shown in ${channel}`, onchange: () => this.#pickColours() },
        ...Array.from({ length: known }, (_, k) => h("option", { value: String(k) }, String(k + 1)))));
    this.pcaField = h("span", { className: "field" }, h("label", {}, "Colours ", this.colours), ...this.components);

    this.opacity = slider(0, 1, 0.05, "Opacity of the maps over the photograph", (opacity) => change({ opacity }));
    this.smooth = h("input", { type: "checkbox", onchange: () => change({ smooth: this.smooth.checked }) });
    this.radius = h("input", {
      type: "number", min: "0", max: "64", step: "1",
      "aria-label": "Patches around the reference that its best match leaves out",
      onchange: () => change({ radius: Math.max(0, Math.min(64, Math.round(Number(this.radius.value) || 0))) }),
    });
    this.radiusField = h("label", { title: "The best match in the reference's own photograph lies outside this neighbourhood" },
      "Exclude radius ", this.radius);
    this.sort = h("select", {
      title: "How much two models differ on a photograph: 1 minus the correlation of their cosine Gram matrices",
      onchange: () => change({ sort: /** @type {State["sort"]} */ (this.sort.value) }),
    }, ...SORTS.filter(([value]) => value !== "differ" || view.photographs.some(({ disagreement }) => disagreement !== null))
      .map(([value, text]) => h("option", { value }, text)));
    this.live = h("input", { type: "checkbox", onchange: () => change({ live: this.live.checked }) });
    this.liveField = h("label", {}, this.live, "Follow pointer");

    this.list = h("ul", {});
    this.columns = popover("Columns", this.list);
    this.display = popover("Display", h("ul", {},
      h("li", {}, h("label", {}, "Opacity ", this.opacity)), h("li", {}, h("label", {}, this.smooth, "Smooth")),
      h("li", {}, this.radiusField), h("li", {}, this.liveField)));
    this.save = popover("Save", h("ul", {},
      h("li", {}, h("button", { type: "button", onclick: () => save("png") }, "PNG image")),
      h("li", {}, h("button", { type: "button", onclick: () => save("svg") }, "SVG drawing"))));
    this.help = h("dialog", { "aria-label": "Keys and accuracy" }, ...this.#helpText());
    const ask = h("button", { type: "button", "aria-label": "Keys and accuracy", onclick: () => this.showHelp() }, "?");
    this.element = h("div", { className: "bar", role: "group", "aria-label": "What is shown" },
      this.modes, this.legend, this.note, this.scaleField, this.thresholdField, this.pcaField,
      h("span", { className: "end" }, h("label", {}, "Photographs ", this.sort), this.display, this.columns, this.save, ask), this.help);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const open of this.element.querySelectorAll("details[open]")) {
        open.removeAttribute("open");
        /** @type {HTMLElement} */ (open.firstElementChild).focus();
      }
    });
    this.element.addEventListener("focusout", (event) => {
      for (const open of this.element.querySelectorAll("details[open]")) {
        if (event.relatedTarget && !open.contains(/** @type {Node} */ (event.relatedTarget))) open.removeAttribute("open");
      }
    });
  }

  showHelp() {
    if (!this.help.open) this.help.showModal();
  }

  #helpText() {
    const keys = h("dl", {}, ...KEYS.flatMap(([key, what]) => [h("dt", {}, key), h("dd", {}, what)]));
    const models = this.view.models.map((model) => h("li", {},
      `${model.label}: cosines within ${model.largestError.toFixed(4)} of the float64 values of the original ` +
      `${model.dim} channels, the largest difference over ${model.allPairs ? "all" : "a sample of"} ` +
      `${model.pairs.toLocaleString("en")} pairs of patches.`));
    return [
      h("h2", {}, "Keys"),
      h("p", {}, "Point at a patch, or move the reference with the keys while a photograph has the focus. Click, or press long, to pin."),
      keys,
      h("h2", {}, "Accuracy"),
      h("ul", {}, ...models),
      h("form", { method: "dialog" }, h("button", {}, "Close")),
    ];
  }

  #pickColours() {
    const picked = this.components.map((select) => Number(select.value));
    this.change({ components: this.colours.value === "own" ? picked : null });
  }

  /** @param {State} state */
  #listColumns(state) {
    const visible = state.order.length - state.hidden.length;
    const focused = /** @type {ShadowRoot | Document} */ (this.list.getRootNode()).activeElement;
    const mark = focused instanceof HTMLElement && this.list.contains(focused) ? focused.dataset.key : undefined;
    this.list.replaceChildren(...state.order.map((m, place) => {
      const { label } = this.view.models[m];
      const shown = !state.hidden.includes(m);
      const box = h("input", { type: "checkbox", checked: shown, disabled: shown && visible === 1, onchange: () =>
        this.change({ hidden: shown ? [...state.hidden, m] : state.hidden.filter((k) => k !== m) }) });
      box.dataset.key = `show${m}`;
      const move = (/** @type {number} */ by, /** @type {string} */ arrow, /** @type {string} */ side) => {
        const button = h("button", { type: "button", "aria-label": `Move ${label} ${side}`, disabled: !state.order.hasOwnProperty(place + by), onclick: () => {
          const order = state.order.filter((k) => k !== m);
          order.splice(place + by, 0, m);
          this.change({ order });
        } }, arrow);
        button.dataset.key = `${side}${m}`;
        return button;
      };
      return h("li", {}, h("label", {}, box, label), move(-1, "\u2190", "left"), move(1, "\u2192", "right"));
    }));
    if (mark) /** @type {HTMLElement | null} */ (this.list.querySelector(`[data-key="${mark}"]:not([disabled])`))?.focus();
  }

  /** @param {State} state */
  show(state) {
    for (const input of this.modes.querySelectorAll("input")) input.checked = input.value === state.mode;
    this.scale.value = state.scale;
    this.threshold.value = String(state.threshold);
    say(this.thresholdValue, state.threshold.toFixed(2));
    this.colours.value = state.components ? "own" : "aligned";
    const components = state.components ?? this.view.components;
    this.components.forEach((select, i) => {
      select.value = String(components[i]);
      select.hidden = state.components === null;
    });
    this.opacity.value = String(state.opacity);
    this.smooth.checked = state.smooth;
    this.radius.value = String(state.radius);
    this.live.checked = state.live;
    this.sort.value = state.sort;
    this.scaleField.hidden = state.mode !== "cosine";
    this.thresholdField.hidden = state.mode !== "threshold";
    this.pcaField.hidden = state.mode !== "pca";
    this.live.disabled = state.pins.length === 0;
    const scale = legendOf(state);
    this.legend.hidden = !scale;
    this.note.hidden = Boolean(scale);
    if (scale) {
      say(this.low, scale.low);
      say(this.high, scale.high);
      this.under.hidden = !scale.under;
      this.accuracy.hidden = state.mode !== "cosine";
      this.bar.setAttribute("aria-label", scale.name);
      this.bar.title = scale.name;
      const context = this.bar.getContext("2d");
      const image = new ImageData(256, 1);
      new Int32Array(image.data.buffer).set(scale.table);
      this.zero.hidden = !scale.signed;
      context?.putImageData(image, 0, 0);
    } else say(this.note, state.mode === "threshold" ? "dark: below; corners: share above" : "");
    this.note.hidden ||= !this.note.textContent;
    this.#listColumns(state);
  }
}

/**
 * @param {State} state
 * @returns {{low: string, high: string, under: boolean, signed: boolean, table: Int32Array, name: string} | null}
 */
export function legendOf(state) {
  const plain = { under: false, signed: false, table: TABLE };
  if (state.mode === "rank") return { ...plain, low: "least", high: "most similar", name: "rank within each photograph" };
  if (state.mode === "difference") {
    const name = "the first model's cosines from -1 to 1; the others' minus the first's from -0.5 to 0.5, beyond it cut off";
    return { ...plain, low: `\u2212${MOST_APART}`, high: `+${MOST_APART}`, signed: true, table: APART, name };
  }
  if (state.mode !== "cosine") return null;
  if (state.scale === "01") return { ...plain, low: "0", high: "1", under: true, name: "cosine, fixed scale from 0 to 1" };
  if (state.scale === "11") return { ...plain, low: "\u22121", high: "1", signed: true, table: SIGNED, name: "cosine, fixed scale from -1 to 1" };
  return { ...plain, low: "1%", high: "99%", name: "cosine, each model from its own 1% to 99% quantile: colours do not compare across models" };
}

/**
 * @param {number} min
 * @param {number} max
 * @param {number} step
 * @param {string} name
 * @param {(value: number) => void} change
 */
function slider(min, max, step, name, change) {
  const input = h("input", { type: "range", min: String(min), max: String(max), step: String(step), "aria-label": name });
  input.addEventListener("input", () => change(Number(input.value)));
  return input;
}

/**
 * @param {string} name
 * @param {HTMLElement} content
 */
function popover(name, content) {
  return h("details", {}, h("summary", {}, name), h("div", { className: "panel" }, content));
}
