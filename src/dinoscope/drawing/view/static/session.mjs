/** One loaded payload on the page: its state, its engines, and what happens when something changes. */

import { Controls } from "./controls.mjs";
import { scriptEngine, simdEngine } from "./cosine.mjs";
import { h, say } from "./dom.mjs";
import { pressKey, zoom } from "./keys.mjs";
import { MapTable } from "./maptable.mjs";
import { frame } from "./marks.mjs";
import { patchAt } from "./payload.mjs";
import { inWords, number } from "./readout.mjs";
import { sceneOf } from "./scene.mjs";
import { MAX_PINS, firstState, fromFragment, toFragment } from "./state.mjs";
import { GlContext, glEngine } from "./webgl.mjs";

/** Tokens of a model from which on a graphics card is worth its start. */
const LARGE = 8_000_000;

/** @typedef {import("./state.mjs").State} State */
/** @typedef {import("./state.mjs").Place} Place */
/** @typedef {import("./maptable.mjs").Group} Group */

/** One loaded payload on the page: everything that lives from `load` to the next `load`. */
export class Session {
  /**
   * @param {import("./view.mjs").DinoscopeView} host
   * @param {import("./payload.mjs").View} view
   * @param {HTMLElement} room
   */
  constructor(host, view, room) {
    this.host = host;
    this.view = view;
    this.addresses = view.photographs.map((photograph) => URL.createObjectURL(photograph.image));
    this.context = this.#openContext();
    this.engines = view.models.map(({ tokens }) => this.#engine(tokens));
    this.exact = view.models.map(({ tokens }) => scriptEngine(tokens));
    this.state = firstState(view);
    if (this.usesFragment) this.state = fromFragment(location.hash, this.state, view);
    /** @type {Place} */
    this.cursor = this.state.at;
    /** @type {Map<string, Float32Array>} */
    this.pinned = new Map();
    /** @type {(Float32Array | null)[]} */
    this.current = view.models.map(() => null);
    /** @type {ReturnType<MapTable["paint"]>[]} */
    this.painted = [];
    this.timer = 0;
    this.spoken = 0;
    this.width = 0;
    /** Whether the pointer has not left the patch that was pinned: its map is there already. */
    this.waiting = false;
    this.table = new MapTable(view, this.addresses, (pin) => this.set({ pins: this.state.pins.filter((_, i) => i !== pin - 1) }));
    this.controls = new Controls(view, (change) => this.set(change), (format) => this.save(format));
    this.voice = h("p", { className: "voice", role: "status", "aria-live": "polite" });
    const top = h("div", { className: "top" }, this.controls.element, this.table.head);
    room.replaceChildren(top, this.table.body, this.voice);
    this.room = room;
    this.#listen();
  }

  get usesFragment() {
    return this.host.getAttribute("fragment") !== "off";
  }

  #openContext() {
    const wanted = this.host.getAttribute("renderer");
    const large = this.view.models.some(({ tokens }) => 8 * tokens.n * tokens.groups > LARGE);
    if (wanted === "2d" || (wanted !== "webgl2" && !large)) return null;
    const context = GlContext.open();
    if (context && wanted !== "webgl2" && context.software) {
      context.close();
      return null;
    }
    return context;
  }

  /**
   * @param {import("./cosine.mjs").Tokens} tokens
   * @returns {import("./cosine.mjs").Engine}
   */
  #engine(tokens) {
    return (this.context && glEngine(this.context, tokens)) || simdEngine(tokens) || scriptEngine(tokens);
  }

  /**
   * @param {Place} at
   * @param {number} m
   */
  patchOf(at, m) {
    const grid = this.view.grids[at.image][m];
    const { row, col } = patchAt(grid, at.x, at.y);
    return grid.offset + row * grid.w + col;
  }

  get models() {
    return this.state.order.filter((m) => !this.state.hidden.includes(m));
  }

  /** @returns {Group[]} */
  get groups() {
    const { pins, live, mode, at } = this.state;
    const follow = { at, pin: 0, cosines: this.current };
    const waiting = this.waiting && pins.length > 0;
    if (mode === "pca") return [follow];
    const fixed = pins.map((place, i) => ({
      at: place,
      pin: i + 1,
      cosines: this.view.models.map((_, m) => (this.models.includes(m) ? this.pinCosines(place, m) : null)),
    }));
    return (live || !pins.length) && !waiting ? [...fixed, follow] : fixed;
  }

  /**
   * @param {Place} at
   * @param {number} m
   */
  pinCosines(at, m) {
    const key = `${m} ${this.patchOf(at, m)}`;
    let cosines = this.pinned.get(key);
    if (!cosines) {
      cosines = this.engines[m].cosines(this.patchOf(at, m)).slice();
      this.pinned.set(key, cosines);
    }
    return cosines;
  }

  /**
   * Changes the state and everything that shows it.
   * @param {Partial<State>} change
   */
  set(change) {
    this.state = { ...this.state, ...change };
    if (!this.state.pins.length) {
      this.pinned.clear();
      this.state.live = true;
    }
    this.show();
    this.remember();
  }

  /** Lays out, computes and paints everything. */
  show() {
    this.controls.show(this.state);
    this.table.layout(this.state, this.groups, this.width || this.host.clientWidth || 960);
    this.table.look(this.state);
    this.follow(true);
  }

  /**
   * Maps of the patch at the reference.
   * @param {boolean} all whether maps of pins are painted too
   */
  follow(all) {
    const { at } = this.state;
    for (const m of this.models) this.current[m] = this.engines[m].cosines(this.patchOf(at, m));
    this.table.groups.forEach((group, g) => {
      if (group.pin === 0) group.at = at;
      if (all || (group.pin === 0 && this.state.mode !== "pca")) this.painted[g] = this.table.paint(this.state, g);
    });
    frame(this.table, this.state, this.cursor);
    this.table.showGlance(this.state);
    number(this.table, this.state, this.cursor, this.painted);
    this.host.dispatchEvent(new CustomEvent("dinoscope-painted"));
  }

  /** @param {Place} at */
  point(at) {
    const left = this.waiting && (at.image !== this.state.at.image || this.patchOf(at, this.models[0]) !== this.patchOf(this.state.at, this.models[0]));
    this.cursor = at;
    this.state.at = at;
    if (left) {
      this.waiting = false;
      this.show();
    } else this.follow(false);
    this.remember();
    clearTimeout(this.spoken);
    this.spoken = setTimeout(() => say(this.voice, inWords(this)), 400);
  }

  /** @param {Place} at */
  pin(at) {
    const m = this.models[0];
    const same = (/** @type {Place} */ p) => p.image === at.image && this.patchOf(p, m) === this.patchOf(at, m);
    const rest = this.state.pins.filter((p) => !same(p));
    if (rest.length < this.state.pins.length) this.set({ pins: rest });
    else if (rest.length < MAX_PINS) {
      this.waiting = true;
      this.state = { ...this.state, at };
      this.set({ pins: [...rest, { ...at }] });
    }
    else say(this.voice, `There is room for ${MAX_PINS} pins; take one out first.`);
  }

  remember() {
    if (!this.usesFragment) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      try {
        history.replaceState(history.state, "", toFragment(this.state));
      } catch {
        this.timer = 0; // some hosts, such as srcdoc frames, have no address to keep it in
      }
    }, 250);
  }

  /**
   * @param {PointerEvent | MouseEvent} event
   * @returns {Place | null}
   */
  placeOf(event) {
    const stage = event.target instanceof Element ? event.target.closest(".stage") : null;
    if (!(stage instanceof HTMLElement) || !stage.firstElementChild) return null;
    const box = stage.firstElementChild.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
    if (!(x >= 0 && x <= 1 && y >= 0 && y <= 1)) return null;
    return { image: Number(stage.dataset.image), x, y };
  }

  #listen() {
    const { body } = this.table;
    const move = (/** @type {PointerEvent} */ event) => {
      const at = this.placeOf(event);
      if (at) this.point(at);
    };
    body.addEventListener("pointermove", move);
    body.addEventListener("pointerdown", move);
    body.addEventListener("click", (event) => {
      const at = this.placeOf(event);
      if (!at) return;
      this.pin(at);
      this.table.photos[at.image].stage.focus({ preventScroll: true });
    });
    body.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const at = this.placeOf(event);
      if (at) zoom(this, Math.exp(-event.deltaY / 200), at);
    }, { passive: false });
    body.addEventListener("keydown", (event) => pressKey(this, event));
    body.addEventListener("focusin", (event) => {
      const photo = this.table.photos.find((cell) => cell.stage === event.target);
      if (!photo) return;
      for (const cell of this.table.photos) cell.stage.tabIndex = cell === photo ? 0 : -1;
      if (this.state.at.image !== photo.image) this.point({ ...this.state.at, image: photo.image });
    });
    this.observer = new ResizeObserver(() => {
      const width = this.host.clientWidth;
      if (!width || width === this.width) return;
      this.width = width;
      this.show();
    });
    this.observer.observe(this.host);
    this.onHash = () => {
      if (!this.usesFragment) return;
      this.state = fromFragment(location.hash, this.state, this.view);
      this.cursor = this.state.at;
      this.show();
    };
    addEventListener("hashchange", this.onHash);
  }

  async scene() {
    const photos = await Promise.all(this.addresses.map(async (src) => {
      const image = new Image();
      image.src = src;
      await image.decode();
      return image;
    }));
    const data = await Promise.all(this.view.photographs.map(({ image }) => asDataAddress(image)));
    const style = getComputedStyle(this.room);
    const colours = { ink: style.color, paper: style.backgroundColor };
    return sceneOf(this.view, this.state, this.table, photos, data, colours);
  }

  /** @param {"png" | "svg"} format */
  async save(format) {
    const blob = format === "png" ? await this.host.exportPNG() : new Blob([await this.host.exportSVG()], { type: "image/svg+xml" });
    const href = URL.createObjectURL(blob);
    h("a", { href, download: `dinoscope-${this.state.mode}.${format}` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.spoken);
    this.observer?.disconnect();
    if (this.onHash) removeEventListener("hashchange", this.onHash);
    for (const engine of this.engines) engine.close();
    this.context?.close();
    for (const address of this.addresses) URL.revokeObjectURL(address);
  }
}

/**
 * @param {Blob} blob
 * @returns {Promise<string>}
 */
function asDataAddress(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
