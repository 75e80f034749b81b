/** What a person has set, and its form in the address. */

/**
 * @typedef {object} Place
 * @property {number} image
 * @property {number} x in [0, 1]
 * @property {number} y in [0, 1]
 */

/**
 * @typedef {object} State
 * @property {"cosine" | "rank" | "threshold" | "pca"} mode
 * @property {"01" | "11" | "own"} scale own: each model's 1% to 99%
 * @property {number} threshold
 * @property {number[] | null} components null: the aligned colours
 * @property {number} opacity
 * @property {boolean} smooth
 * @property {number} radius patches around the reference that cannot be its best match
 * @property {number[]} order models, left to right
 * @property {number[]} hidden models
 * @property {Place} at
 * @property {Place[]} pins
 * @property {boolean} live whether the maps that follow the pointer are shown beside pinned ones
 * @property {{z: number, x: number, y: number}} zoom factor and centre
 */

export const MAX_PINS = 6;
export const MAX_ZOOM = 16;

/**
 * Opacity of the maps: a threshold's colour never hides the photograph under it.
 * @param {State} state
 */
export const mapOpacity = (state) => (state.mode === "threshold" ? Math.min(state.opacity, 0.65) : state.opacity);

const PREFIX = "#view?";

/**
 * @param {import("./payload.mjs").View} view
 * @returns {State}
 */
export function firstState(view) {
  const [x, y] = view.points[0] ?? [0.5, 0.5];
  return {
    mode: "cosine",
    scale: "01",
    threshold: 0.6,
    components: null,
    opacity: 1,
    smooth: false,
    radius: 2,
    order: view.models.map((_, m) => m),
    hidden: [],
    at: { image: 0, x, y },
    pins: [],
    live: true,
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
    `threshold=${short(state.threshold)}`,
    `components=${state.components ? state.components.join(",") : "aligned"}`,
    `opacity=${short(state.opacity)}`,
    `smooth=${Number(state.smooth)}`,
    `radius=${state.radius}`,
    `order=${state.order.join(",")}`,
    `live=${Number(state.live)}`,
    `zoom=${[state.zoom.z, state.zoom.x, state.zoom.y].map(short).join(",")}`,
  ];
  if (state.hidden.length) parts.push(`hidden=${state.hidden.join(",")}`);
  if (state.pins.length) parts.push(`pins=${state.pins.map(placeText).join(";")}`);
  return PREFIX + parts.join("&");
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

  const mode = given.get("mode");
  if (mode === "cosine" || mode === "rank" || mode === "threshold" || mode === "pca") next.mode = mode;
  const scale = given.get("scale");
  if (scale === "01" || scale === "11" || scale === "own") next.scale = scale;
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
  if (new Set(order).size === view.models.length) next.order = order;
  const hidden = models(given.get("hidden"));
  if (new Set(hidden).size < view.models.length) next.hidden = [...new Set(hidden)];
  next.at = place(given.get("at") ?? "") ?? state.at;
  next.pins = (given.get("pins") ?? "").split(";").map(place).filter((p) => p !== null).slice(0, MAX_PINS);
  const [z, x, y] = (given.get("zoom") ?? "").split(",").map(Number);
  if (z >= 1 && z <= MAX_ZOOM && x >= 0 && x <= 1 && y >= 0 && y <= 1) next.zoom = { z, x, y };
  return next;
}
