/** What is said of a picture that leaves the view: its file's name, what its colours are, where it comes from. */

/** @typedef {import("./payload.mjs").View} View */
/** @typedef {import("./state.mjs").State} State */

/** What the mode of colours is called, by what the colours are. @type {Record<string, string>} */
const COLOURS = { pca: "PCA", spectral: "Normalised cut", clusters: "Clusters" };

/** @param {View} view */
export const coloursName = (view) => COLOURS[view.colours] ?? view.colours;

/**
 * What the shown colours are.
 * @param {View} view
 * @param {State} state
 */
export function coloursSaid(view, state) {
  if (state.components) return `PCA, components ${state.components.map((k) => k + 1).join(" ")}`;
  return view.colours === "pca" ? "PCA, aligned colours" : coloursName(view);
}

/**
 * Entries of the menu, the one of colours called what the colours are.
 * @param {import("./modes.mjs").Entry[]} entries
 * @param {View} view
 */
export const withColours = (entries, view) => entries.map((entry) =>
  entry.mode === "pca" && view.colours !== "pca" ? { ...entry, name: coloursName(view), says: "As the photographs were compared: no principal components." } : entry);

const shown = (/** @type {State} */ state) => state.order.filter((m) => !state.hidden.includes(m));

/** @param {string} text */
const slug = (text) => text.normalize("NFKD").replace(/[^\x20-\x7e]/g, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 32).replace(/^-+|-+$/g, "");

/**
 * A file's name without its end: mode, place and models.
 * @param {View} view
 * @param {State} state
 */
export function fileStem(view, state) {
  const { image, x, y } = state.at;
  const mode = state.mode === "pca" ? slug(coloursSaid(view, state)) : state.mode === "threshold" ? `threshold-${state.threshold.toFixed(2)}` : state.mode;
  const place = state.mode === "pca" ? [] : [slug(view.photographs[image].name.replace(/\.\w+$/, "")) || "photograph", `at-${x.toFixed(2)}-${y.toFixed(2)}`];
  return ["dinoscope", mode, ...place, shown(state).map((m) => slug(view.models[m].label)).join("-vs-").slice(0, 80)].filter(Boolean).join("-");
}

/**
 * The reference point, the models with their digests, and what made the picture.
 * @param {View} view
 * @param {State} state
 * @param {boolean} placed whether the picture is of one place
 */
export function provenance(view, state, placed) {
  const { image, x, y } = state.at;
  const at = !placed ? [] : [`reference: ${view.photographs[image].name} at (${x.toFixed(3)}, ${y.toFixed(3)})`];
  const models = shown(state).map((m) => {
    const { label, name, layer, digest, kind } = view.models[m];
    return `${label}${kind && ` (${kind})`} = ${name}, layer ${layer}${digest ? `, sha256 ${digest.slice(0, 12)}` : ""}`;
  });
  return [...at, ...models, view.madeBy].join("; ");
}
