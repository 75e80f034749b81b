/** The table: one row a photograph, one column a model, once for every reference. */

import { ownRange, paintComponents, paintCosines, paintRanks, paintThreshold } from "./colour.mjs";
import { h, say } from "./dom.mjs";
import { bestMatch, place } from "./marks.mjs";
import { patchAt } from "./payload.mjs";
import { mapOpacity } from "./state.mjs";

/**
 * @typedef {object} Group one reference and its maps
 * @property {import("./state.mjs").Place} at
 * @property {number} pin 0 for the one that follows the pointer
 * @property {(Float32Array | null)[]} cosines by model
 */

/**
 * @typedef {object} Cell
 * @property {number} image
 * @property {number} model -1 for the photograph
 * @property {HTMLElement} stage
 * @property {HTMLElement} plane what zooms inside the stage
 * @property {HTMLElement} lattice
 * @property {HTMLElement} cursor
 * @property {HTMLElement} best
 * @property {HTMLElement} label of the best match
 * @property {HTMLElement[]} references
 * @property {import("./marks.mjs").Match | null} match the best match shown
 * @property {HTMLCanvasElement | null} canvas
 * @property {ImageData | null} pixels
 * @property {Int32Array | null} words the same memory as `pixels`
 */

const MIN_CELL = 112;
const BLOCK_CELL = 400;
const BLOCK_GAP = 32;
const LABEL_PX = 44;

export class MapTable {
  /**
   * @param {import("./payload.mjs").View} view
   * @param {string[]} images addresses of the photographs
   * @param {(pin: number) => void} unpin
   */
  constructor(view, images, unpin) {
    this.view = view;
    this.images = images;
    this.unpin = unpin;
    this.head = h("div", { className: "head" });
    this.body = h("div", { className: "body" });
    /** @type {Group[]} */
    this.groups = [];
    /** @type {Cell[]} */
    this.photos = [];
    /** @type {Cell[][]} by group */
    this.maps = [];
    /** @type {{group: number, model: number, readout: HTMLElement}[]} */
    this.columns = [];
    /** @type {HTMLElement[]} */
    this.positions = [];
    this.shape = "";
    this.cellWidth = 0;
  }

  /**
   * Rebuilds what is not there yet for these groups, models and this width.
   * @param {import("./state.mjs").State} state
   * @param {Group[]} groups
   * @param {number} width
   */
  layout(state, groups, width) {
    this.groups = groups;
    const models = state.order.filter((m) => !state.hidden.includes(m));
    const wide = 1 + groups.length * models.length;
    const stacked = groups.length > 1 && wide * MIN_CELL > width;
    const columns = stacked ? 1 + models.length : wide;
    const fit = Math.floor((width + BLOCK_GAP) / (columns * BLOCK_CELL + BLOCK_GAP));
    const blocks = stacked ? 1 : Math.max(1, Math.min(fit, this.view.photographs.length));
    this.cellWidth = (width - (blocks - 1) * BLOCK_GAP) / (blocks * columns);
    const shape = [models, groups.map((g) => g.pin), stacked, blocks].join("|");
    if (shape === this.shape) return;
    this.shape = shape;
    const template = Array(blocks).fill(`repeat(${columns}, minmax(0, 1fr))`).join(` ${BLOCK_GAP - 8}px `);
    this.head.style.gridTemplateColumns = template;
    this.body.style.gridTemplateColumns = `repeat(${blocks}, minmax(0, 1fr))`;
    this.#buildHead(models, blocks, columns, stacked);
    this.#buildBody(models, blocks, columns, stacked);
  }

  /**
   * @param {number[]} models
   * @param {number} blocks
   * @param {number} columns
   * @param {boolean} stacked
   */
  #buildHead(models, blocks, columns, stacked) {
    this.columns = [];
    this.positions = [];
    this.head.replaceChildren();
    const named = this.groups.length > 1 || this.groups[0].pin > 0;
    for (let block = 0; block < blocks; block++) {
      const first = block * (columns + 1) + 1;
      const position = h("span", { className: "numbers" });
      const corner = h("div", { className: "corner" }, h("span", { className: "name" }, "Photograph"), position);
      corner.style.gridColumn = String(first);
      corner.style.gridRow = named && !stacked ? "1 / span 2" : "1";
      this.positions.push(position);
      this.head.append(corner);
      const shown = stacked ? this.groups.slice(0, 1) : this.groups;
      shown.forEach((group, g) => {
        const start = first + 1 + g * models.length;
        if (named && !stacked) {
          const title = h("div", { className: "group" }, ...this.#groupTitle(group));
          title.style.gridColumn = `${start} / span ${models.length}`;
          this.head.append(title);
        }
        models.forEach((m, c) => {
          const model = this.view.models[m];
          const readout = h("span", { className: "numbers" });
          const name = h("span", { className: "name", title: `${model.name}, layer ${model.layer}, ${model.dim} channels` }, model.label);
          const column = h("div", { className: "column" }, name, readout);
          if (model.control) column.append(h("span", { className: "note" }, "control"));
          column.style.gridColumn = String(start + c);
          column.style.gridRow = named && !stacked ? "2" : "1";
          this.columns.push({ group: g, model: m, readout });
          this.head.append(column);
        });
      });
    }
  }

  /** @param {Group} group */
  #groupTitle(group) {
    if (group.pin === 0) return [h("span", {}, "Under the pointer")];
    const name = `Pin ${group.pin}`;
    return [
      h("span", { className: "pin" }, name),
      h("button", { type: "button", "aria-label": `Remove ${name.toLowerCase()}`, onclick: () => this.unpin(group.pin) }, "\u00d7"),
    ];
  }

  /**
   * @param {number[]} models
   * @param {number} blocks
   * @param {number} columns
   * @param {boolean} stacked
   */
  #buildBody(models, blocks, columns, stacked) {
    const focused = this.photos.findIndex((cell) => cell.stage.matches(":focus"));
    const current = this.photos.findIndex((cell) => cell.stage.tabIndex === 0);
    this.photos = [];
    this.maps = this.groups.map(() => []);
    const lines = stacked ? this.groups.length : 1;
    const piles = Array.from({ length: blocks }, () => ({ height: 0, lines: 0, element: h("div", { className: "block" }) }));
    for (const { element } of piles) element.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    this.body.replaceChildren(...piles.map(({ element }) => element));
    this.view.photographs.forEach((photograph, p) => {
      const pile = piles.reduce((low, other) => (other.height < low.height ? other : low));
      const top = pile.lines * lines + 1;
      pile.height += photograph.size[1] / photograph.size[0] + 0.1;
      pile.lines += 1;
      const photo = this.#cell(p, -1);
      photo.stage.tabIndex = p === Math.max(0, current) ? 0 : -1;
      photo.stage.setAttribute("role", "application");
      photo.stage.setAttribute("aria-roledescription", "photograph of patches");
      photo.stage.setAttribute("aria-label", `${photograph.name}: arrow keys move the reference patch`);
      this.photos.push(photo);
      const caption = h("div", { className: "caption", title: photograph.notes.join("; ") }, photograph.name);
      caption.append(h("span", { className: "size" }, ` ${photograph.size[0]}\u2009\u00d7\u2009${photograph.size[1]}`));
      const first = h("figure", {}, photo.stage, caption);
      first.style.gridColumn = "1";
      first.style.gridRow = `${top} / span ${lines}`;
      pile.element.append(first);
      this.groups.forEach((group, g) => {
        models.forEach((m, c) => {
          const cell = this.#cell(p, m);
          cell.cursor.classList.toggle("plain", group.pin > 0);
          const what = group.pin ? `pin ${group.pin}` : "the patch under the pointer";
          cell.stage.setAttribute("role", "img");
          cell.stage.setAttribute("aria-label", `${this.view.models[m].label}: map of ${photograph.name} for ${what}`);
          const figure = h("figure", {}, cell.stage);
          if (stacked && c === 0) {
            const title = h("div", { className: "group" }, ...this.#groupTitle(group));
            figure.prepend(title);
          } else if (stacked) figure.prepend(h("div", { className: "group" }, "\u00a0"));
          figure.style.gridColumn = String(2 + c + (stacked ? 0 : g * models.length));
          figure.style.gridRow = String(stacked ? top + g : top);
          this.maps[g].push(cell);
          pile.element.append(figure);
        });
      });
    });
    if (focused >= 0) this.photos[focused].stage.focus({ preventScroll: true });
  }

  /**
   * @param {number} image
   * @param {number} model
   * @returns {Cell}
   */
  #cell(image, model) {
    const [W, H] = this.view.photographs[image].size;
    const photo = h("img", { src: this.images[image], alt: "", draggable: false });
    const lattice = h("div", { className: "lattice" });
    const cursor = h("div", { className: "mark cursor", hidden: true });
    const label = h("span", {});
    const best = h("div", { className: "mark best", hidden: true }, label);
    const plane = h("div", { className: "plane" }, photo);
    /** @type {HTMLCanvasElement | null} */
    let canvas = null;
    let pixels = null, words = null;
    if (model >= 0) {
      const grid = this.view.grids[image][model];
      canvas = h("canvas", { width: grid.w, height: grid.h });
      pixels = new ImageData(grid.w, grid.h);
      words = new Int32Array(pixels.data.buffer);
      plane.append(canvas);
    }
    plane.append(lattice, best, cursor);
    const stage = h("div", { className: model < 0 ? "stage photo" : "stage map" }, plane);
    stage.style.aspectRatio = `${W} / ${H}`;
    stage.style.maxWidth = `calc(80vh * ${W / H})`;
    stage.dataset.image = String(image);
    stage.dataset.model = String(model);
    return { image, model, stage, plane, lattice, cursor, best, label, references: [], match: null, canvas, pixels, words };
  }

  /**
   * @param {import("./state.mjs").State} state
   * @param {number} g
   */
  paint(state, g) {
    const group = this.groups[g];
    /** @type {Map<number, [number, number]>} */
    const ranges = new Map();
    /** @type {Map<number, number[]>} */
    const shares = new Map();
    for (const cell of this.maps[g]) {
      const model = this.view.models[cell.model];
      const grid = this.view.grids[cell.image][cell.model];
      const all = group.cosines[cell.model];
      if (!cell.canvas || !cell.pixels || !cell.words) continue;
      if (state.mode === "pca") {
        paintComponents(model, grid, state.components, cell.words);
        cell.best.hidden = true;
        cell.match = null;
      } else if (all) {
        const cosines = all.subarray(grid.offset, grid.offset + grid.h * grid.w);
        if (state.mode === "cosine") {
          let range = ranges.get(cell.model);
          if (!range) {
            range = state.scale === "own" ? ownRange(all) : state.scale === "11" ? [-1, 1] : [0, 1];
            ranges.set(cell.model, range);
          }
          paintCosines(cosines, cell.words, range[0], range[1]);
        } else if (state.mode === "rank") {
          paintRanks(cosines, cell.words);
        } else {
          const share = paintThreshold(cosines, cell.words, state.threshold);
          shares.set(cell.model, [...(shares.get(cell.model) ?? []), share]);
        }
        const own = cell.image === group.at.image ? patchAt(grid, group.at.x, group.at.y) : null;
        const match = bestMatch(cosines, grid, own, state.radius);
        cell.best.hidden = !match;
        cell.match = match;
        if (match) {
          place(cell.best, grid, match);
          say(cell.label, match.cosine.toFixed(2));
          cell.best.classList.toggle("left", (grid.w - match.col - 1) * this.cellWidth < LABEL_PX * grid.w);
          cell.best.classList.toggle("high", match.row < grid.h * 0.08);
          cell.best.classList.toggle("low", match.row >= grid.h * 0.92 - 1);
        }
      } else continue;
      /** @type {CanvasRenderingContext2D} */ (cell.canvas.getContext("2d")).putImageData(cell.pixels, 0, 0);
    }
    return { ranges, shares };
  }

  /** @param {import("./state.mjs").State} state */
  look(state) {
    this.body.classList.toggle("smooth", state.smooth);
    this.body.style.setProperty("--opacity", String(mapOpacity(state)));
    const { z } = state.zoom;
    for (const cell of [...this.photos, ...this.maps.flat()]) {
      const grid = this.view.grids[cell.image][cell.model < 0 ? 0 : cell.model];
      cell.plane.style.width = `${100 * z}%`;
      cell.plane.style.height = `${100 * z}%`;
      cell.plane.style.left = `${-100 * (z - 1) * state.zoom.x}%`;
      cell.plane.style.top = `${-100 * (z - 1) * state.zoom.y}%`;
      cell.lattice.hidden = z === 1 || this.cellWidth * z < 12 * grid.w;
      cell.lattice.style.backgroundSize = `${100 / grid.w}% ${100 / grid.h}%`;
    }
  }
}
