/** Several layers of one model: one of them is shown at a time. */

import { h, say } from "./dom.mjs";

/** @typedef {import("./payload.mjs").View} View */
/** @typedef {import("./state.mjs").State} State */

/**
 * Every layer of a model, in order: indices of the payload's models.
 * @param {View} view
 * @param {number} m one of them
 */
export function layersOf(view, m) {
  const main = view.models[m].layerOf ?? m;
  const all = view.models.flatMap((model, k) => (k === main || model.layerOf === main ? [k] : []));
  return all.sort((a, b) => view.models[a].layer - view.models[b].layer);
}

/**
 * The models at the layers they were asked for, each once.
 * @param {View} view
 */
export const mainModels = (view) => view.models.flatMap((model, m) => (model.layerOf === null ? [m] : []));

/**
 * Whether these are every model once, at whatever layer.
 * @param {View} view
 * @param {number[]} order
 */
export function isWhole(view, order) {
  const mains = new Set(order.map((m) => view.models[m].layerOf ?? m));
  return mains.size === order.length && mains.size === mainModels(view).length;
}

/**
 * The slider over layers; null where there is one layer only.
 * @param {View} view
 * @param {() => State} state
 * @param {(change: Partial<State>) => void} change
 */
export function layerSlider(view, state, change) {
  const most = Math.max(...mainModels(view).map((m) => layersOf(view, m).length));
  if (most < 2) return null;
  const shown = h("output", {});
  const input = h("input", { type: "range", min: "0", max: String(most - 1), step: "1", "aria-label": "Layer of every model" });
  const at = (/** @type {number} */ m, /** @type {number} */ k) => {
    const all = layersOf(view, m);
    return all[Math.min(k, all.length - 1)];
  };
  input.addEventListener("input", () => {
    const k = Number(input.value);
    const { order, hidden } = state();
    change({ order: order.map((m) => at(m, k)), hidden: hidden.map((m) => at(m, k)) });
  });
  const show = (/** @type {State} */ now) => {
    const [first] = now.order;
    input.value = String(layersOf(view, first).indexOf(first));
    const layers = [...new Set(now.order.map((m) => view.models[m].layer))];
    say(shown, layers.join(", "));
    input.setAttribute("aria-valuetext", `layer ${layers.join(", ")}`);
  };
  return { element: h("label", { className: "layers" }, "Layer ", input, shown), show };
}
