/** The table: one row a photograph, one column a model, once for every reference. */

import { ownRange, paintComponents, paintCosines, paintDifference, paintRanks, paintThreshold } from "./colour.mjs";
import { h, say } from "./dom.mjs";
import { bestMatch, place } from "./marks.mjs";
import { patchAt } from "./payload.mjs";
import { mapOpacity, sequence } from "./state.mjs";

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
const GAP = 4;
const LABEL_PX = 44;
const GLANCE_PX = 40;

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
    this.glance = h("canvas", { className: "glance", width: 2 * GLANCE_PX, height: 2 * GLANCE_PX, title: "the patch asked for, in the middle" });
    this.shape = "";
    this.cellWidth = 0;
    this.body.addEventListener("scroll", () => (this.head.scrollLeft = this.body.scrollLeft));
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
    const stacked = (1 + models.length) * MIN_CELL > width;
    const least = (stacked ? 0 : 1) + models.length;
    const fit = Math.floor((width + BLOCK_GAP) / (least * (BLOCK_CELL + GAP) + BLOCK_GAP));
    const blocks = stacked ? 1 : Math.max(1, Math.min(fit, this.view.photographs.length));
    const cell = (width - (blocks - 1) * BLOCK_GAP) / blocks / least - GAP;
    this.cellWidth = Math.floor(stacked ? Math.max(cell, NARROWEST_MAP) : cell);
    const columns = stacked ? models.length : 1 + groups.length * models.length;
    for (const part of [this.head, this.body]) part.style.setProperty("--cell", `${this.cellWidth}px`);
    const shape = [models, groups.map((g) => g.pin), stacked, blocks, state.sort, state.mode === "difference"].join("|");
    if (shape === this.shape) return;
    this.shape = shape;
    const template = `repeat(${columns}, var(--cell))`;
    this.head.style.gridTemplateColumns = Array(blocks).fill(template).join(` ${BLOCK_GAP - 2 * GAP}px `);
    this.body.style.setProperty("--columns", template);
    this.body.classList.toggle("stacked", stacked);
    this.head.classList.toggle("stacked", stacked);
    this.#buildHead(models, blocks, columns, stacked, state.mode === "difference");
    this.#buildBody(models, blocks, stacked, sequence(this.view, state.sort));
  }

  /**
   * @param {number[]} models
   * @param {number} blocks
   * @param {number} columns
   * @param {boolean} stacked
   * @param {boolean} apart whether other models' maps are differences to the first
   */
  #buildHead(models, blocks, columns, stacked, apart) {
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
        const start = stacked ? 1 : first + 1 + g * models.length;
        if (titled) {
          const title = h("div", { className: "group" }, ...this.#groupTitle(group));
          title.style.gridColumn = `${start} / span ${models.length}`;
          this.head.append(title);
        }
        models.forEach((m, c) => {
          const model = this.view.models[m];
          const readout = h("span", { className: "numbers" });
          const label = apart && c ? `${model.label} \u2212 ${this.view.models[models[0]].label}` : model.label;
          const name = h("span", { className: "name", title: `${model.name}, layer ${model.layer}, ${model.dim} channels` }, label);
          const column = h("div", { className: "column" }, name, readout);
          if (model.control) name.append(h("span", { className: "note" }, " control"));
          column.style.gridColumn = String(start + c);
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
   * @param {number[]} models
   * @param {number} blocks
   * @param {boolean} stacked whether a photograph stands over its maps and groups one over the other
   * @param {number[]} photographs in the order to be shown
   */
  #buildBody(models, blocks, stacked, photographs) {
    const focused = this.photos.findIndex((cell) => cell.stage.matches(":focus"));
    const current = this.photos.findIndex((cell) => cell.stage.tabIndex === 0);
    this.photos = [];
    this.maps = this.groups.map(() => []);
    const lines = stacked ? 1 + this.groups.length : 1;
    const piles = Array.from({ length: blocks }, () => ({ height: 0, lines: 0, element: h("div", { className: "block" }) }));
    this.body.replaceChildren(...piles.map(({ element }) => element));
    for (const p of photographs) {
      const photograph = this.view.photographs[p];
      const pile = piles.reduce((low, other) => (other.height < low.height ? other : low));
      const top = pile.lines * lines + 1;
      pile.height += photograph.size[1] / photograph.size[0] + 0.1;
      pile.lines += 1;
      const photo = this.#cell(p, -1);
      photo.stage.tabIndex = p === (current < 0 ? photographs[0] : current) ? 0 : -1;
      photo.stage.setAttribute("role", "application");
      photo.stage.setAttribute("aria-roledescription", "photograph of patches");
      photo.stage.setAttribute("aria-label", `${photograph.name}: arrow keys move the reference patch`);
      this.photos[p] = photo;
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
          figure.style.gridColumn = String(stacked ? 1 + c : 2 + c + g * models.length);
          figure.style.gridRow = String(stacked ? top + 1 + g : top);
          this.maps[g].push(cell);
          pile.element.append(figure);
        });
      });
    }
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
          if (cell.match) this.#label(cell, grid, cell.match, here);
        }
      } else continue;
      cell.best.hidden = !cell.match;
      /** @type {CanvasRenderingContext2D} */ (cell.canvas.getContext("2d")).putImageData(cell.pixels, 0, 0);
    }
    return { ranges };
  }

  /**
   * Puts a best match's frame and label, the label where it covers neither an edge nor the reference.
   * @param {Cell} cell
   * @param {import("./payload.mjs").Grid} grid
   * @param {import("./marks.mjs").Match} match
   * @param {{row: number, col: number} | null} here
   */
  #label(cell, grid, match, here) {
    place(cell.best, grid, match);
    say(cell.label, match.cosine.toFixed(2));
    const room = Math.ceil((LABEL_PX * grid.w) / this.cellWidth);
    const close = here !== null && Math.abs(here.row - match.row) <= Math.ceil((12 * grid.w) / this.cellWidth);
    const covers = close && here.col > match.col && here.col <= match.col + room + 1;
    cell.best.classList.toggle("left", covers || grid.w - match.col - 1 < room);
    cell.best.classList.toggle("high", match.row < grid.h * 0.08);
    cell.best.classList.toggle("low", match.row >= grid.h * 0.92 - 1);
  }

  /**
   * Draws the patch asked for, in its surroundings, where it stays in sight.
   * @param {import("./state.mjs").State} state
   */
  showGlance(state) {
    this.glance.hidden = state.mode === "pca";
    const photo = this.photos[state.at.image].plane.querySelector("img");
    const context = this.glance.getContext("2d");
    if (!photo || !context || !photo.naturalWidth || this.glance.hidden) return;
    const grid = this.view.grids[state.at.image][state.order[0]];
    const { row, col } = patchAt(grid, state.at.x, state.at.y);
    const [w, t] = [photo.naturalWidth / grid.w, photo.naturalHeight / grid.h];
    const side = 2 * GLANCE_PX, span = 5;
    context.clearRect(0, 0, side, side);
    context.drawImage(photo, (col + 0.5 - span / 2) * w, (row + 0.5 - span / 2) * t, span * w, span * t, 0, 0, side, side);
    const corner = (side * (span - 1)) / 2 / span;
    for (const [colour, width] of [["#fff", 6], ["#111", 3]]) {
      context.strokeStyle = String(colour);
      context.lineWidth = Number(width);
      context.strokeRect(corner, corner, side / span, side / span);
    }
  }

  /** @param {import("./state.mjs").State} state */
  look(state) {
    this.body.classList.toggle("smooth", state.smooth);
    this.body.classList.toggle("dimmed", state.mode === "threshold");
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
