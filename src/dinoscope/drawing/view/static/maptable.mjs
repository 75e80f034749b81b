/** The table: one row a photograph, one column a model, once for every reference. */

import { ownRange, paintComponents, paintCosines, paintDifference, paintRanks, paintThreshold } from "./colour.mjs";
import { h, say } from "./dom.mjs";
import { glance } from "./glance.mjs";
import { bestMatch, label } from "./marks.mjs";
import { sized } from "./over.mjs";
import { patchAt } from "./payload.mjs";
import { mapOpacity, sequence } from "./state.mjs";
import { columnOf, columnsOf, edge, showEdge, wiped } from "./wipe.mjs";

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
 * @property {HTMLElement} share of a map at or above the threshold
 * @property {HTMLElement[]} references
 * @property {import("./marks.mjs").Match | null} match the best match shown
 * @property {HTMLCanvasElement | null} canvas
 * @property {ImageData | null} pixels
 * @property {Int32Array | null} words the same memory as `pixels`
 */

/** Below so many pixels a map the photograph stands over its maps, not beside them. */
const MIN_CELL = 150;
const NARROWEST_MAP = 162;
/** Photographs stand beside each other where each cell has so many. */
const BLOCK_CELL = 180;
const BLOCK_GAP = 32;
/** A map that shares its place with another's is worth more room. */
const WIPED_CELL = 280;
const GAP = 4;

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
    this.glance = glance();
    this.shape = "";
    /** Photographs that are shown, from top to bottom. @type {number[]} */
    this.order = [];
    /** What paints maps that the payload does not hold. @type {import("./asking.mjs").Asking | null} */
    this.asking = null;
    /** Whether a photograph gets back the focus that it had, which asks for nothing. */
    this.refocusing = false;
    this.cellWidth = 0;
    this.body.addEventListener("scroll", () => (this.head.scrollLeft = this.body.scrollLeft));
  }

  /** Photographs and maps. */
  get cells() {
    return [...this.photos, ...this.maps.flat()];
  }

  /**
   * Rebuilds what is not there yet for these groups, models and this width. Maps keep their width where groups are
   * added: the table then scrolls sideways.
   * @param {import("./state.mjs").State} state
   * @param {Group[]} groups
   * @param {number} width
   */
  layout(state, groups, width) {
    this.groups = groups;
    const models = state.order.filter((m) => !state.hidden.includes(m));
    const maps = columnsOf(state, models);
    const over = wiped(state, models);
    const stacked = (1 + maps) * (over ? WIPED_CELL : MIN_CELL) > width;
    const least = (stacked ? 0 : 1) + maps;
    const fit = Math.floor((width + BLOCK_GAP) / (least * ((over ? WIPED_CELL : BLOCK_CELL) + GAP) + BLOCK_GAP));
    const few = this.asking?.way?.photographs?.(this.asking) ?? null;
    this.order = few ?? sequence(this.view, state.sort);
    const blocks = stacked || few ? 1 : Math.max(1, Math.min(fit, this.order.length));
    const cell = (width - (blocks - 1) * BLOCK_GAP) / blocks / least - GAP;
    this.cellWidth = Math.floor(stacked ? Math.max(cell, NARROWEST_MAP) : cell);
    const columns = stacked ? maps : 1 + groups.length * maps;
    for (const part of [this.head, this.body]) part.style.setProperty("--cell", `${this.cellWidth}px`);
    const shape = [models, groups.map((g) => g.pin), stacked, blocks, this.order, state.mode === "difference", over].join("|");
    // Room for the titles of pins before there are any: the first pin moves nothing.
    this.head.style.minHeight = stacked || state.mode === "pca" ? "" : "4.65em";
    if (shape === this.shape) return;
    this.shape = shape;
    const template = `repeat(${columns}, var(--cell))`;
    this.head.style.gridTemplateColumns = Array(blocks).fill(template).join(` ${BLOCK_GAP - 2 * GAP}px `);
    this.body.style.setProperty("--columns", template);
    this.body.classList.toggle("stacked", stacked);
    this.head.classList.toggle("stacked", stacked);
    this.#buildHead(state, models, blocks, columns, stacked);
    this.#buildBody(state, models, blocks, stacked);
  }

  /**
   * @param {import("./state.mjs").State} state
   * @param {number[]} models
   * @param {number} blocks
   * @param {number} columns
   * @param {boolean} stacked
   */
  #buildHead(state, models, blocks, columns, stacked) {
    const apart = state.mode === "difference";
    const maps = columnsOf(state, models);
    this.columns = [];
    this.positions = [];
    this.head.replaceChildren();
    const titled = (this.groups.length > 1 || this.groups[0].pin > 0) && !stacked;
    for (let block = 0; block < blocks; block++) {
      const first = block * (columns + 1) + 1;
      const position = h("span", { className: "numbers" });
      const words = h("div", {}, h("span", { className: "name" }, "Photograph"), position);
      const corner = h("div", { className: "corner" }, ...(block ? [] : [this.glance]), words);
      corner.style.gridColumn = stacked ? "1 / -1" : String(first);
      corner.style.gridRow = titled ? "1 / span 2" : "1";
      this.positions.push(position);
      this.head.append(corner);
      (stacked ? this.groups.slice(0, 1) : this.groups).forEach((group, g) => {
        const start = stacked ? 1 : first + 1 + g * maps;
        if (titled) {
          const title = h("div", { className: "group" }, ...this.#groupTitle(group));
          title.style.gridColumn = `${start} / span ${maps}`;
          this.head.append(title);
        }
        models.forEach((m, c) => {
          const model = this.view.models[m];
          const readout = h("span", { className: "numbers" });
          const label = apart && c ? `${model.label} \u2212 ${this.view.models[models[0]].label}` : model.label;
          const name = h("span", { className: "name", title: `${model.name}, layer ${model.layer}, ${model.dim} channels` }, label);
          const column = h("div", { className: "column" }, name, readout);
          if (model.kind) name.append(h("span", { className: "note" }, ` ${model.kind}`));
          column.style.gridColumn = String(start + columnOf(state, models, c));
          column.classList.toggle("over", wiped(state, models) && c < 2);
          column.style.gridRow = titled || stacked ? "2" : "1";
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
   * @param {import("./state.mjs").State} state
   * @param {number[]} models
   * @param {number} blocks
   * @param {boolean} stacked whether a photograph stands over its maps and groups one over the other
   */
  #buildBody(state, models, blocks, stacked) {
    const maps = columnsOf(state, models);
    const [left, right] = models.map((m) => this.view.models[m].label);
    const focused = this.photos.findIndex((cell) => cell.stage.matches(":focus"));
    const current = this.photos.findIndex((cell) => cell.stage.tabIndex === 0);
    this.photos = [];
    this.maps = this.groups.map(() => []);
    const lines = stacked ? 1 + this.groups.length : 1;
    const piles = Array.from({ length: blocks }, () => ({ height: 0, lines: 0, element: h("div", { className: "block" }) }));
    this.body.replaceChildren(...piles.map(({ element }) => element));
    for (const p of [...this.order, ...this.view.photographs.keys()]) {
      if (this.photos[p]) continue;
      const photo = (this.photos[p] = this.#cell(p, -1));
      if (!this.order.includes(p)) continue;
      const photograph = this.view.photographs[p];
      const pile = piles.reduce((low, other) => (other.height < low.height ? other : low));
      const top = pile.lines * lines + 1;
      pile.height += photograph.size[1] / photograph.size[0] + 0.1;
      pile.lines += 1;
      photo.stage.tabIndex = p === (this.order.includes(current) ? current : this.order[0]) ? 0 : -1;
      photo.stage.setAttribute("role", "application");
      photo.stage.setAttribute("aria-roledescription", "photograph of patches");
      photo.stage.setAttribute("aria-label", `${photograph.name}: arrow keys move the reference patch`);
      const size = `${photograph.size[0]}\u2009\u00d7\u2009${photograph.size[1]} px`;
      const caption = h("div", { className: "caption", title: [size, ...photograph.notes].join("; ") }, h("span", {}, photograph.name));
      if (photograph.disagreement !== null && models.length > 1) {
        const title = "agreement: the correlation of the models' cosine Gram matrices, 1 where they find the same patches alike";
        caption.append(h("span", { className: "agreement", title }, (1 - photograph.disagreement).toFixed(2)));
      }
      const first = h("figure", { className: "original" }, photo.stage, caption);
      first.style.gridColumn = stacked ? "1 / -1" : "1";
      first.style.gridRow = String(top);
      pile.element.append(first);
      this.groups.forEach((group, g) => {
        models.forEach((m, c) => {
          const cell = this.#cell(p, m);
          cell.cursor.classList.toggle("plain", group.pin > 0);
          const what = group.pin ? `pin ${group.pin}` : "the patch under the pointer";
          cell.stage.setAttribute("role", "img");
          cell.stage.setAttribute("aria-label", `${this.view.models[m].label}: map of ${photograph.name} for ${what}`);
          const figure = h("figure", {}, cell.stage);
          if (stacked && this.groups.length > 1) {
            figure.prepend(h("div", { className: "group" }, ...(c ? ["\u00a0"] : this.#groupTitle(group))));
          }
          const column = columnOf(state, models, c);
          figure.style.gridColumn = String(stacked ? 1 + column : 2 + column + g * maps);
          figure.style.gridRow = String(stacked ? top + 1 + g : top);
          this.maps[g].push(cell);
          pile.element.append(figure);
          if (c !== 1 || !wiped(state, models)) return;
          figure.className = "upper";
          const between = edge(`${left} and ${right}`);
          between.style.gridArea = figure.style.gridArea;
          between.style.height = `min(80vh, calc(var(--cell) * ${photograph.size[1] / photograph.size[0]}))`;
          pile.element.append(between);
        });
      });
    }
    this.refocusing = true;
    if (focused >= 0) this.photos[focused].stage.focus({ preventScroll: true });
    this.refocusing = false;
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
    const share = h("div", { className: "share", hidden: true });
    plane.append(lattice, best, cursor);
    const stage = h("div", { className: model < 0 ? "stage photo" : "stage map" }, plane, share);
    stage.style.aspectRatio = `${W} / ${H}`;
    stage.style.maxWidth = `calc(80vh * ${W / H})`;
    stage.dataset.image = String(image);
    stage.dataset.model = String(model);
    return { image, model, stage, plane, lattice, cursor, best, label, share, references: [], match: null, canvas, pixels, words };
  }

  /**
   * @param {import("./state.mjs").State} state
   * @param {number} g
   */
  paint(state, g) {
    const group = this.groups[g];
    const front = state.order.find((m) => !state.hidden.includes(m)) ?? 0;
    /** @type {Map<number, [number, number]>} */
    const ranges = new Map();
    for (const cell of this.maps[g]) {
      const model = this.view.models[cell.model];
      const grid = this.view.grids[cell.image][cell.model];
      const all = group.cosines[cell.model];
      if (!cell.canvas || !cell.pixels || !cell.words) continue;
      cell.share.hidden = state.mode !== "threshold";
      cell.match = null;
      if (this.asking?.paint(cell)) {
        cell.best.hidden = true;
        continue;
      }
      sized(cell, grid.h, grid.w);
      if (state.mode === "pca") paintComponents(model, grid, state.components, cell.words);
      else if (all) {
        const cosines = all.subarray(grid.offset, grid.offset + grid.h * grid.w);
        const first = group.cosines[front];
        if (state.mode === "difference" && cell.model !== front && first) {
          const own = this.view.grids[cell.image][front];
          paintDifference(cosines, grid, first.subarray(own.offset, own.offset + own.h * own.w), own, cell.words);
        } else {
          if (state.mode === "rank") paintRanks(cosines, cell.words);
          else if (state.mode === "threshold") {
            say(cell.share, `${(100 * paintThreshold(cosines, cell.words, state.threshold)).toFixed(0)}%`);
          } else {
            const range = ranges.get(cell.model) ?? (state.scale === "own" ? ownRange(all) : state.scale === "11" ? [-1, 1] : [0, 1]);
            ranges.set(cell.model, range);
            paintCosines(cosines, cell.words, range[0], range[1]);
          }
          const here = cell.image === group.at.image ? patchAt(grid, group.at.x, group.at.y) : null;
          cell.match = bestMatch(cosines, grid, here, state.radius);
          const [W, H] = this.view.photographs[cell.image].size;
          const wide = this.cellWidth * state.zoom.z;
          if (cell.match) label(cell, grid, cell.match, here, [wide / grid.w, (wide * H) / W / grid.h]);
        }
      } else continue;
      cell.best.hidden = !cell.match;
      /** @type {CanvasRenderingContext2D} */ (cell.canvas.getContext("2d")).putImageData(cell.pixels, 0, 0);
    }
    return { ranges };
  }

  /** @param {import("./state.mjs").State} state */
  look(state) {
    this.body.classList.toggle("smooth", state.smooth);
    this.body.classList.toggle("dimmed", state.mode === "threshold");
    this.body.style.setProperty("--opacity", String(mapOpacity(state)));
    showEdge(this.body, state);
    const { z } = state.zoom;
    for (const cell of this.cells) {
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
