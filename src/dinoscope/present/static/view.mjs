/**
 * <dinoscope-view>: photographs and what several models make of them, one payload, no outside request.
 *
 * Fed by two script elements inside it (a page), or by `load(header, data)` (a notebook, a server).
 * Attributes: `renderer` is `2d` or `webgl2` (otherwise the graphics card computes large maps only); `theme` is `light` or
 * `dark` (otherwise the system's); `fragment="off"` leaves the address alone.
 */

import { Controls } from "./controls.mjs";
import { GlContext, glEngine, scriptEngine, simdEngine } from "./cosine.mjs";
import { h, say } from "./dom.mjs";
import { decodePayload, fromBase64, patchAt } from "./payload.mjs";
import { sceneOf, toPng, toSvg } from "./scene.mjs";
import { Sheet, signed } from "./sheet.mjs";
import { MAX_PINS, MAX_ZOOM, firstState, fromFragment, toFragment } from "./state.mjs";

/** The style sheet's text; where this is empty, the file beside this module is linked. */
const STYLE = "";
/** Tokens of a model from which on a graphics card is worth its start. */
const LARGE = 8_000_000;

/** @typedef {import("./state.mjs").State} State */
/** @typedef {import("./state.mjs").Place} Place */
/** @typedef {import("./sheet.mjs").Group} Group */

/** One loaded payload on the page: everything that lives from `load` to the next `load`. */
class Session {
  /**
   * @param {DinoscopeView} host
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
    /** @type {ReturnType<Sheet["paint"]>[]} */
    this.painted = [];
    this.timer = 0;
    this.spoken = 0;
    this.width = 0;
    this.sheet = new Sheet(view, this.addresses, (pin) => this.set({ pins: this.state.pins.filter((_, i) => i !== pin - 1) }));
    this.controls = new Controls(view, (change) => this.set(change), (format) => this.save(format));
    this.voice = h("p", { className: "voice", role: "status", "aria-live": "polite" });
    const top = h("div", { className: "top" }, this.controls.element, this.sheet.head);
    room.replaceChildren(top, this.sheet.body, this.voice);
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
    if (mode === "pca") return [follow];
    const fixed = pins.map((place, i) => ({
      at: place,
      pin: i + 1,
      cosines: this.view.models.map((_, m) => (this.models.includes(m) ? this.pinCosines(place, m) : null)),
    }));
    return live || !pins.length ? [follow, ...fixed] : fixed;
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
    this.sheet.layout(this.state, this.groups, this.width || this.host.clientWidth || 960);
    this.sheet.look(this.state);
    this.follow(true);
  }

  /**
   * Maps of the patch at the reference.
   * @param {boolean} all whether maps of pins are painted too
   */
  follow(all) {
    const { at } = this.state;
    for (const m of this.models) this.current[m] = this.engines[m].cosines(this.patchOf(at, m));
    this.sheet.groups.forEach((group, g) => {
      if (group.pin === 0) group.at = at;
      if (all || (group.pin === 0 && this.state.mode !== "pca")) this.painted[g] = this.sheet.paint(this.state, g);
    });
    this.sheet.mark(this.state, this.cursor);
    this.sheet.number(this.state, this.cursor, this.painted);
    this.host.dispatchEvent(new CustomEvent("dinoscope-painted"));
  }

  /** @param {Place} at */
  point(at) {
    this.cursor = at;
    this.state.at = at;
    this.follow(false);
    this.remember();
    clearTimeout(this.spoken);
    this.spoken = setTimeout(() => this.speak(), 400);
  }

  /** @param {Place} at */
  pin(at) {
    const m = this.models[0];
    const same = (/** @type {Place} */ p) => p.image === at.image && this.patchOf(p, m) === this.patchOf(at, m);
    const rest = this.state.pins.filter((p) => !same(p));
    if (rest.length < this.state.pins.length) this.set({ pins: rest });
    else if (rest.length < MAX_PINS) this.set({ pins: [...rest, { ...at }] });
    else say(this.voice, `There is room for ${MAX_PINS} pins; take one out first.`);
  }

  speak() {
    const { at } = this.state;
    const grid = this.view.grids[at.image][this.models[0]];
    const { row, col } = patchAt(grid, at.x, at.y);
    const norms = this.models.map((m) => {
      const model = this.view.models[m];
      return `${model.label} norm ${Number(model.tokens.norms[this.patchOf(at, m)].toPrecision(4))}`;
    });
    const pins = this.sheet.groups.filter((group) => group.pin).map((group) => this.models.map((m) => {
      const cosine = group.cosines[m]?.[this.patchOf(at, m)];
      return cosine === undefined ? "" : `pin ${group.pin} ${this.view.models[m].label} ${signed(cosine)}`;
    }).join(", "));
    say(this.voice, [`${this.view.photographs[at.image].name}, row ${row}, column ${col}`, ...norms, ...pins].join("; "));
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
    const { body } = this.sheet;
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
      this.sheet.photos[at.image].stage.focus({ preventScroll: true });
    });
    body.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const at = this.placeOf(event);
      if (at) this.zoom(Math.exp(-event.deltaY / 200), at);
    }, { passive: false });
    body.addEventListener("keydown", (event) => this.#key(event));
    body.addEventListener("focusin", (event) => {
      const photo = this.sheet.photos.find((cell) => cell.stage === event.target);
      if (!photo) return;
      for (const cell of this.sheet.photos) cell.stage.tabIndex = cell === photo ? 0 : -1;
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

  /**
   * @param {number} factor
   * @param {Place} at what stays where it is
   */
  zoom(factor, at) {
    const old = this.state.zoom;
    const z = Math.max(1, Math.min(MAX_ZOOM, old.z * factor));
    if (z < 1.01) {
      this.set({ zoom: { z: 1, x: 0.5, y: 0.5 } });
      return;
    }
    const keep = (/** @type {number} */ place, /** @type {number} */ was) => {
      const seen = place * old.z - (old.z - 1) * was;
      return Math.max(0, Math.min(1, (place * z - seen) / (z - 1)));
    };
    this.set({ zoom: { z, x: keep(at.x, old.x), y: keep(at.y, old.y) } });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.altKey || event.metaKey || event.ctrlKey) return;
    if (!(event.target instanceof Element) || !event.target.matches(".stage")) return;
    const { at } = this.state;
    const grid = this.view.grids[at.image][this.models[0]];
    const { row, col } = patchAt(grid, at.x, at.y);
    const by = event.shiftKey ? 5 : 1;
    const go = (/** @type {number} */ r, /** @type {number} */ c) => {
      const place = {
        image: at.image,
        x: (Math.max(0, Math.min(grid.w - 1, c)) + 0.5) / grid.w,
        y: (Math.max(0, Math.min(grid.h - 1, r)) + 0.5) / grid.h,
      };
      const { z, x, y } = this.state.zoom;
      const left = ((z - 1) / z) * x, top = ((z - 1) / z) * y;
      const inside = place.x > left && place.x < left + 1 / z && place.y > top && place.y < top + 1 / z;
      if (!inside) {
        const centre = (/** @type {number} */ v) => Math.max(0, Math.min(1, (v * z - 0.5) / (z - 1)));
        this.set({ zoom: { z, x: centre(place.x), y: centre(place.y) } });
      }
      this.point(place);
    };
    const photo = (/** @type {number} */ by) => {
      const next = this.sheet.photos[Math.max(0, Math.min(this.sheet.photos.length - 1, at.image + by))];
      next.stage.focus();
    };
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => go(row, col - by),
      ArrowRight: () => go(row, col + by),
      ArrowUp: () => go(row - by, col),
      ArrowDown: () => go(row + by, col),
      Home: () => go(row, 0),
      End: () => go(row, grid.w - 1),
      PageUp: () => photo(-1),
      PageDown: () => photo(1),
      Enter: () => this.pin(at),
      " ": () => this.pin(at),
      Delete: () => this.set({ pins: this.state.pins.slice(0, -1) }),
      Backspace: () => this.set({ pins: this.state.pins.slice(0, -1) }),
      "+": () => this.zoom(1.5, at),
      "=": () => this.zoom(1.5, at),
      "-": () => this.zoom(1 / 1.5, at),
      0: () => this.zoom(0, at),
      c: () => this.set({ mode: "cosine" }),
      r: () => this.set({ mode: "rank" }),
      t: () => this.set({ mode: "threshold" }),
      p: () => this.set({ mode: "pca" }),
      s: () => this.set({ smooth: !this.state.smooth }),
      "?": () => this.controls.showHelp(),
    };
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
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
    return sceneOf(this.view, this.state, this.sheet, photos, data, colours);
  }

  /** @param {"png" | "svg"} format */
  async save(format) {
    const blob = format === "png" ? await this.host.exportPNG() : new Blob([await this.host.exportSVG()], { type: "image/svg+xml" });
    const href = URL.createObjectURL(blob);
    h("a", { href, download: `dinoscope.${format}` }).click();
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

export class DinoscopeView extends HTMLElement {
  constructor() {
    super();
    const shadow = this.attachShadow({ mode: "open" });
    const style = STYLE
      ? h("style", {}, STYLE)
      : h("link", { rel: "stylesheet", href: new URL("view.css", import.meta.url).href });
    this.room = h("div", { className: "room" });
    shadow.append(style, this.room);
    /** @type {Session | null} */
    this.session = null;
    /** @type {(value: DinoscopeView) => void} */
    this.resolveReady = () => {};
    /** @type {(reason: unknown) => void} */
    this.rejectReady = () => {};
    /** Settles when the first maps are painted. @type {Promise<DinoscopeView>} */
    this.ready = new Promise((resolve, reject) => {
      this.resolveReady = resolve;
      this.rejectReady = reject;
    });
    this.ready.catch(() => {}); // shown in place, see load
  }

  connectedCallback() {
    const header = this.querySelector('script[type="application/json"]')?.textContent;
    const data = this.querySelector('script[type="application/octet-stream;base64"]')?.textContent;
    if (!this.session && header && data !== null && data !== undefined) this.load(header, fromBase64(data)).catch(() => {});
  }

  disconnectedCallback() {
    // Moved elements come back in the same task; only those that stay away let go of their memory.
    setTimeout(() => {
      if (this.isConnected) return;
      this.session?.close();
      this.session = null;
    });
  }

  /**
   * @param {string} header
   * @param {Uint8Array<ArrayBuffer>} data
   */
  async load(header, data) {
    try {
      const view = await decodePayload(header, data);
      this.session?.close();
      this.session = new Session(this, view, this.room);
      this.session.show();
      this.resolveReady(this);
    } catch (error) {
      this.room.replaceChildren(h("p", { role: "alert" }, `This view cannot be shown: ${error instanceof Error ? error.message : error}`));
      this.rejectReady(error);
      throw error;
    }
  }

  get #loaded() {
    if (!this.session) throw new Error("nothing is loaded yet: await element.ready");
    return this.session;
  }

  /** What computes the cosines: "webgl2", "simd" or "script". */
  get engine() {
    return this.#loaded.engines[0].name;
  }

  /** The graphics driver's name for itself; empty where none is used. */
  get driver() {
    return this.#loaded.context?.renderer ?? "";
  }

  /**
   * Cosines of one patch with every patch of a photograph, under one model. Indices count from 0, in
   * the order of the payload.
   * @param {number} image
   * @param {number} model
   * @param {{x: number, y: number}} at in [0, 1]²
   * @param {number} [target]
   * @returns {Float32Array & {h: number, w: number}}
   */
  similarity(image, model, at, target = image) {
    const { view, exact } = this.#loaded;
    if (!view.models[model] || !view.photographs[image] || !view.photographs[target]) throw new RangeError("no such photograph or model");
    if (!(at.x >= 0 && at.x <= 1 && at.y >= 0 && at.y <= 1)) throw new RangeError("a place is (x, y) in [0, 1]\u00b2");
    const cosines = exact[model].cosines(this.#loaded.patchOf({ image, ...at }, model));
    const grid = view.grids[target][model];
    const values = cosines.slice(grid.offset, grid.offset + grid.h * grid.w);
    return Object.assign(values, { h: grid.h, w: grid.w });
  }

  /** The current view as a picture. */
  async exportPNG() {
    return toPng(await this.#loaded.scene());
  }

  /** The current view as a drawing: SVG text. */
  async exportSVG() {
    return toSvg(await this.#loaded.scene());
  }
}

if (!customElements.get("dinoscope-view")) customElements.define("dinoscope-view", DinoscopeView);

export default {
  /**
   * The notebook's door (anywidget).
   * @param {{model: {get: (name: string) => any, on: (name: string, f: () => void) => void, off: (name: string, f: () => void) => void}, el: HTMLElement}} host
   */
  render({ model, el }) {
    const view = /** @type {DinoscopeView} */ (document.createElement("dinoscope-view"));
    view.setAttribute("fragment", "off");
    const fill = () => {
      /** @type {DataView<ArrayBuffer>} */
      const data = model.get("data");
      view.load(model.get("header"), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).catch(() => {});
    };
    fill();
    model.on("change:data", fill);
    el.append(view);
    return () => {
      model.off("change:data", fill);
      view.remove();
    };
  },
};
