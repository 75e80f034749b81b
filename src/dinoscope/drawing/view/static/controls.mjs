/** The line of controls above the table: native inputs, one for each thing that can be set. */

import { APART, BELOW, MOST_APART, SIGNED, TABLE } from "./colour.mjs";
import { h, say } from "./dom.mjs";
import { Menu } from "./modes.mjs";
import { keptOf, rowsList } from "./rows.mjs";
import { coloursName } from "./said.mjs";

/** @typedef {import("./state.mjs").State} State */

/** @type {[State["scale"], string][]} */
const SCALES = [["11", "\u22121 to 1"], ["01", "0 to 1"], ["own", "own range"]];
/** @type {[State["sort"], string][]} */
const SORTS = [["differ", "most different first"], ["name", "by name"], ["given", "as given"]];

/** @type {[string, string][]} */
const KEYS = [
  ["Arrows", "move the reference by one patch; with Shift by five"],
  ["Page Up, Page Down", "the photograph above or below"],
  ["Home, End", "first or last patch of the line"],
  ["Enter, Space", "pin the reference, or take its pin out; where clicks ask, ask there; with Shift: it does not belong"],
  ["Delete", "take the last pin out"],
  ["+, \u2212, 0", "zoom at the reference; the whole photograph"],
  ["O", "the first two models' maps over each other, or beside"],
  ["S", "smooth or nearest display"],
  ["?", "this page"],
];

export class Controls {
  /**
   * @param {import("./session.mjs").Session} session
   * @param {(change: Partial<State>) => void} change
   * @param {(format: "png" | "svg", rows: number[] | null) => void} save
   * @param {{element: HTMLElement, show: (state: State) => void} | null} layers the slider over layers, where there are several
   */
  constructor(session, change, save, layers) {
    const { view, asking } = session;
    this.view = view;
    this.change = change;
    this.layers = layers;
    this.modes = session.modes;
    this.menu = new Menu(session.modes, (mode) => change({ mode }));
    this.asks = asking;
    /** Controls of one way of looking each, by its mode. @type {Map<string, HTMLElement>} */
    this.fields = new Map();
    this.extra = h("span", { className: "extra" });
    /** What is under way. */
    this.asking = h("span", { className: "note" });

    this.bar = h("canvas", { width: 256, height: 1, role: "img" });
    this.low = h("span", {});
    this.high = h("span", {});
    this.swatch = h("i", {});
    this.under = h("span", { className: "under" }, this.swatch, "< 0");
    this.swatch.style.background = `rgb(${BELOW.join(" ")})`;
    this.zero = h("span", { className: "zero" }, "0");
    const bar = h("span", { className: "scale" }, this.bar, this.zero);
    this.legend = h("span", { className: "legend" }, this.under, this.low, bar, this.high);
    this.note = h("span", { className: "legend note" });

    this.scale = h("select", {
      "aria-label": "Colour scale of cosines",
      onchange: () => change({ scale: /** @type {State["scale"]} */ (this.scale.value) }),
    }, ...SCALES.map(([value, text]) => h("option", { value }, text)));
    this.scaleField = h("label", {}, this.scale);
    this.threshold = slider(-1, 1, 0.01, "Threshold on the cosine", (threshold) => change({ threshold }));
    this.thresholdValue = h("output", {});
    this.thresholdField = h("label", {}, "At least ", this.threshold, this.thresholdValue);

    const known = Math.min(...view.models.map((model) => model.nScores));
    this.colours = h("select", { "aria-label": "Colours of the PCA maps", onchange: () => this.#pickColours() },
      h("option", { value: "aligned" }, view.colours === "pca" ? "aligned" : coloursName(view).toLowerCase()), h("option", { value: "own" }, "own components"));
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
      "aria-label": "Order of the photographs",
      title: "How much two models differ on a photograph: 1 minus the correlation of their cosine Gram matrices",
      onchange: () => change({ sort: /** @type {State["sort"]} */ (this.sort.value) }),
    }, ...SORTS.filter(([value]) => value !== "differ" || view.photographs.some(({ disagreement }) => disagreement !== null))
      .map(([value, text]) => h("option", { value }, text)));
    this.live = h("input", { type: "checkbox", onchange: () => change({ live: this.live.checked }) });
    this.liveField = h("label", {}, this.live, "Follow pointer");

    this.wipe = h("input", { type: "checkbox", onchange: () => change({ wipe: this.wipe.checked ? 0.5 : null }) });
    this.wipeField = h("label", { title: "The first two models' maps in one place, with an edge that can be moved" }, this.wipe, "Wipe between models");
    this.tour = h("button", { type: "button" }, "Tour");

    this.list = h("ul", {});
    this.columns = popover("Columns", this.list);
    this.display = popover("Display", h("ul", {},
      h("li", {}, h("label", {}, "Opacity ", this.opacity)), h("li", {}, h("label", {}, this.smooth, "Smooth")),
      h("li", {}, this.radiusField), h("li", {}, this.liveField), ...(view.models.length > 1 ? [h("li", {}, this.wipeField)] : [])));
    this.rows = rowsList(view);
    const keep = (/** @type {"png" | "svg"} */ format) => () => save(format, keptOf(this.rows));
    this.save = popover("Save", h("ul", {}, h("li", {}, this.rows),
      h("li", {}, h("button", { type: "button", onclick: keep("png") }, "PNG image"), h("button", { type: "button", onclick: keep("svg") }, "SVG drawing"))));
    this.help = h("dialog", { "aria-label": "Keys and accuracy" }, ...this.#helpText());
    const ask = h("button", { type: "button", "aria-label": "Keys and accuracy", onclick: () => this.showHelp() }, "?");
    this.element = h("div", { className: "bar", role: "group", "aria-label": "What is shown" },
      this.menu.element, this.legend, this.note, this.extra, this.scaleField, this.thresholdField, this.pcaField,
      ...(layers ? [layers.element] : []), this.asking,
      h("span", { className: "end" }, this.sort, this.display, this.columns, this.save, this.tour, ask), this.help);
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
    /** @type {[string, string][]} */
    const letters = this.modes.map(({ key, name, says }) => [key, `${name}: ${says}`]);
    const keys = h("dl", {}, ...[...KEYS, ...letters].flatMap(([key, what]) => [h("dt", {}, key), h("dd", {}, what)]));
    const models = this.view.models.map((model) => h("li", {},
      `${model.label}, layer ${model.layer}: cosines within ${model.largestError.toFixed(4)} of the float64 values of the original ` +
      `${model.dim} channels, the largest difference over ${model.allPairs ? "all" : "a sample of"} ` +
      `${model.pairs.toLocaleString("en")} pairs of patches.`));
    return [
      h("h2", {}, "Keys"),
      h("p", {}, "Point at a patch, or move the reference with the keys while a photograph has the focus. Click to pin; on a touch screen a tap asks and a long press pins."),
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

  /**
   * The controls of a way of looking that asks, made when it is first shown.
   * @param {State["mode"]} mode
   */
  #showFields(mode) {
    const { asks } = this;
    if (!asks?.way) {
      this.extra.replaceChildren();
      return;
    }
    let made = this.fields.get(mode);
    if (!made) {
      made = h("span", { className: "field" }, ...asks.way.fields(asks));
      this.fields.set(mode, made);
    }
    if (made.parentElement !== this.extra) this.extra.replaceChildren(made);
    asks.way.showFields?.(asks);
  }

  /** @param {State} state */
  show(state) {
    this.menu.show(state.mode);
    this.#showFields(state.mode);
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
    this.wipe.checked = state.wipe !== null;
    this.layers?.show(state);
    this.sort.value = state.sort;
    this.scaleField.hidden = state.mode !== "cosine" && state.mode !== "facet";
    this.thresholdField.hidden = state.mode !== "threshold";
    this.pcaField.hidden = state.mode !== "pca";
    this.live.disabled = state.pins.length === 0;
    const scale = legendOf(state, this.asks);
    this.legend.hidden = !scale;
    this.note.hidden = Boolean(scale);
    if (scale) {
      say(this.low, scale.low);
      say(this.high, scale.high);
      this.under.hidden = !scale.under;
      this.bar.parentElement?.classList.toggle("narrow", Boolean(this.asks?.way));
      this.bar.setAttribute("aria-label", scale.name);
      this.bar.title = scale.name;
      const context = this.bar.getContext("2d");
      const image = new ImageData(256, 1);
      new Int32Array(image.data.buffer).set(scale.table);
      this.zero.hidden = !scale.signed;
      context?.putImageData(image, 0, 0);
    } else {
      const said = this.asks?.way?.legend(this.asks);
      say(this.note, state.mode === "threshold" ? "dark: below; corners: share above" : typeof said === "string" ? said : "");
    }
    this.note.hidden ||= !this.note.textContent;
    this.#listColumns(state);
  }
}

/**
 * @param {State} state
 * @param {import("./asking.mjs").Asking | null} asking
 * @returns {import("./asking.mjs").Legend | null}
 */
export function legendOf(state, asking) {
  const asked = asking?.way?.legend(asking);
  if (asked && typeof asked !== "string") return asked;
  const plain = { under: false, signed: false, table: TABLE };
  if (state.mode === "rank") return { ...plain, low: "least", high: "most similar", name: "rank within each photograph" };
  if (state.mode === "difference") {
    const name = "the first model's cosines from -1 to 1; the others' minus the first's from -0.5 to 0.5, beyond it cut off";
    return { ...plain, low: `\u2212${MOST_APART}`, high: `+${MOST_APART}`, signed: true, table: APART, name };
  }
  if (state.mode !== "cosine" && state.mode !== "facet") return null;
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
