/** What a person has set, and its form in the address. */

import { isWhole, mainModels } from "./layers.mjs";
import { MODES } from "./modes.mjs";
import { firstOptions, optionParts, optionsFrom } from "./options.mjs";

/**
 * @typedef {object} Place
 * @property {number} image
 * @property {number} x in [0, 1]
 * @property {number} y in [0, 1]
 */

/**
 * @typedef {object} State
 * @property {"cosine" | "rank" | "threshold" | "pca" | "difference" | "facet" | "attention" | "clusters" | "spectral" | "upsampled" | "repair" | "segment" | "match" | "words"} mode difference: the first model's cosines, and the others' minus those
 * @property {"11" | "01" | "own"} scale own: each model's 1% to 99%
 * @property {"differ" | "name" | "given"} sort of the photographs; differ: those that the models see most differently first
 * @property {number} threshold
 * @property {number[] | null} components null: the aligned colours
 * @property {number} opacity
 * @property {boolean} smooth
 * @property {number} radius patches around the reference that cannot be its best match
 * @property {number[]} order models, left to right
 * @property {number[]} hidden models
 * @property {Record<string, string>} options of the ways of looking that ask the server
 * @property {Place} at
 * @property {Place[]} pins
 * @property {boolean} live whether the maps that follow the pointer are shown beside pinned ones
 * @property {number | null} wipe where the edge between the first two models' maps lies, in [0, 1]; null beside each other
 * @property {{z: number, x: number, y: number}} zoom factor and centre
 */

export const MAX_PINS = 6;
export const MAX_ZOOM = 16;

/**
 * Opacity of the maps: below a threshold the photograph is dimmed, never hidden.
 * @param {State} state
 */
export const mapOpacity = (state) => (state.mode === "threshold" ? Math.min(state.opacity, 0.72) : state.opacity);

/**
 * Indices of the photographs as they are sorted.
 * @param {import("./payload.mjs").View} view
 * @param {State["sort"]} sort
 */
export function sequence(view, sort) {
  const given = view.photographs.map((_, p) => p);
  if (sort === "name") return given.sort((a, b) => view.photographs[a].name.localeCompare(view.photographs[b].name));
  if (sort === "given") return given;
  const known = (/** @type {number} */ p) => view.photographs[p].disagreement ?? -1;
  return given.sort((a, b) => known(b) - known(a));
}

const PREFIX = "#view?";

/**
 * @param {import("./payload.mjs").View} view
 * @returns {State}
 */
export function firstState(view) {
  const [x, y] = view.points[0] ?? [0.5, 0.5];
  const sort = view.photographs.some(({ disagreement }) => disagreement !== null) ? "differ" : "given";
  return {
    mode: "pca",
    scale: "11",
    sort,
    threshold: 0.6,
    components: null,
    opacity: 1,
    smooth: false,
    radius: 2,
    order: mainModels(view),
    hidden: [],
    options: firstOptions(),
    at: { image: sequence(view, sort)[0], x, y },
    pins: [],
    live: true,
    wipe: null,
    zoom: { z: 1, x: 0.5, y: 0.5 },
  };
}

/** @param {number} v */
const short = (v) => String(Math.round(v * 1e4) / 1e4);

/** @param {Place} p */
const placeText = (p) => `${p.image},${short(p.x)},${short(p.y)}`;

/**
 * @param {State} state
 * @returns {string}
 */
export function toFragment(state) {
  const parts = [
    `mode=${state.mode}`,
    `at=${placeText(state.at)}`,
    `scale=${state.scale}`,
    `sort=${state.sort}`,
    `threshold=${short(state.threshold)}`,
    `components=${state.components ? state.components.join(",") : "aligned"}`,
    `opacity=${short(state.opacity)}`,
    `smooth=${Number(state.smooth)}`,
    `radius=${state.radius}`,
    `order=${state.order.join(",")}`,
    `live=${Number(state.live)}`,
    `zoom=${[state.zoom.z, state.zoom.x, state.zoom.y].map(short).join(",")}`,
  ];
  if (state.wipe !== null) parts.push(`wipe=${short(state.wipe)}`);
  if (state.hidden.length) parts.push(`hidden=${state.hidden.join(",")}`);
  if (state.pins.length) parts.push(`pins=${state.pins.map(placeText).join(";")}`);
  return PREFIX + [...parts, ...optionParts(state.options)].join("&");
}

/**
 * The state in an address; whatever does not fit this view is left as it was.
 * @param {string} fragment
 * @param {State} state
 * @param {import("./payload.mjs").View} view
 * @returns {State}
 */
export function fromFragment(fragment, state, view) {
  if (!fragment.startsWith(PREFIX)) return state;
  const given = new URLSearchParams(fragment.slice(PREFIX.length));
  const next = { ...state };
  /** @param {string} name @param {number} low @param {number} high @param {number} old */
  const number = (name, low, high, old) => {
    const text = given.get(name);
    const value = text === null || text === "" ? NaN : Number(text);
    return value >= low && value <= high ? value : old;
  };
  /** @param {string} text @returns {Place | null} */
  const place = (text) => {
    const [image, x, y] = text.split(",").map(Number);
    const fits = Number.isInteger(image) && image >= 0 && image < view.photographs.length;
    return fits && x >= 0 && x <= 1 && y >= 0 && y <= 1 ? { image, x, y } : null;
  };
  /** @param {string | null} text */
  const models = (text) =>
    text ? text.split(",").map(Number).filter((m) => Number.isInteger(m) && m >= 0 && m < view.models.length) : [];

  next.mode = MODES.find(({ mode }) => mode === given.get("mode"))?.mode ?? state.mode;
  next.options = optionsFrom(given);
  const scale = given.get("scale");
  if (scale === "01" || scale === "11" || scale === "own") next.scale = scale;
  const sort = given.get("sort");
  if (sort === "differ" || sort === "name" || sort === "given") next.sort = sort;
  next.threshold = number("threshold", -1, 1, state.threshold);
  next.opacity = number("opacity", 0, 1, state.opacity);
  next.radius = Math.round(number("radius", 0, 64, state.radius));
  next.smooth = number("smooth", 0, 1, Number(state.smooth)) === 1;
  next.live = number("live", 0, 1, Number(state.live)) === 1;
  const components = (given.get("components") ?? "").split(",").map(Number);
  const known = Math.min(...view.models.map((model) => model.nScores));
  if (components.length === 3 && components.every((k) => Number.isInteger(k) && k >= 0 && k < known)) {
    next.components = components;
  }
  const order = models(given.get("order"));
  if (isWhole(view, order)) next.order = order;
  const hidden = models(given.get("hidden"));
  if (next.order.some((m) => !hidden.includes(m))) next.hidden = [...new Set(hidden)];
  next.at = place(given.get("at") ?? "") ?? state.at;
  next.pins = (given.get("pins") ?? "").split(";").map(place).filter((p) => p !== null).slice(0, MAX_PINS);
  next.wipe = given.has("wipe") ? number("wipe", 0, 1, state.wipe ?? 0.5) : state.wipe;
  const [z, x, y] = (given.get("zoom") ?? "").split(",").map(Number);
  if (z >= 1 && z <= MAX_ZOOM && x >= 0 && x <= 1 && y >= 0 && y <= 1) next.zoom = { z, x, y };
  return next;
}
