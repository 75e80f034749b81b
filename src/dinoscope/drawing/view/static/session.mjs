/** One loaded payload on the page: its state, its engines, and what happens when something changes. */

import { Asking } from "./asking.mjs";
import { Controls } from "./controls.mjs";
import { h, say } from "./dom.mjs";
import { Engines } from "./engines.mjs";
import { facetEngine } from "./facets.mjs";
import { showGlance } from "./glance.mjs";
import { pressKey, zoom } from "./keys.mjs";
import { layerSlider, mainModels } from "./layers.mjs";
import { LOCAL } from "./local.mjs";
import { MapTable } from "./maptable.mjs";
import { frame } from "./marks.mjs";
import { known } from "./modes.mjs";
import { patchAt } from "./payload.mjs";
import { inPlace, listenToPresses } from "./press.mjs";
import { inWords, number } from "./readout.mjs";
import { fileStem, withColours } from "./said.mjs";
import { sceneOf } from "./scene.mjs";
import { MAX_PINS, firstState, fromFragment, toFragment } from "./state.mjs";
import { tour } from "./tour.mjs";
import { listenToEdges } from "./wipe.mjs";

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
    this.engines = new Engines(view, host.getAttribute("renderer"), () => this.show(), (error) => host.fail(error));
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
    /** Who is asked for what the payload does not hold. */
    this.asking = new Asking(this, host.ask);
    this.table.asking = this.asking;
    this.modes = withColours(known(mainModels(view).length, this.asking.local ? LOCAL : null), view);
    if (!this.modes.some(({ mode }) => mode === this.state.mode)) this.state.mode = "pca";
    const change = (/** @type {Partial<State>} */ some) => this.set(some);
    this.controls = new Controls(this, change, (format, rows) => this.save(format, rows), layerSlider(view, () => this.state, change));
    this.controls.tour.addEventListener("click", () => tour(this, this.controls.tour));
    this.voice = h("p", { className: "voice", role: "status", "aria-live": "polite" });
    const top = h("div", { className: "top" }, this.controls.element, this.table.head);
    room.replaceChildren(top, this.table.body, this.voice);
    this.room = room;
    this.#listen();
  }

  get usesFragment() {
    return this.host.getAttribute("fragment") !== "off";
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
    const { pins, live, at } = this.state;
    const follow = { at, pin: 0, cosines: this.current };
    const waiting = this.waiting && pins.length > 0;
    if (!this.compares) return [follow];
    const fixed = pins.map((place, i) => ({
      at: place,
      pin: i + 1,
      cosines: this.view.models.map((_, m) => (this.models.includes(m) ? this.pinCosines(place, m) : null)),
    }));
    return (live || !pins.length) && !waiting ? [...fixed, follow] : fixed;
  }

  /** Whether cosines of a patch are shown, which follow the pointer and can be pinned. */
  get compares() {
    return this.state.mode === "facet" || (this.state.mode !== "pca" && !this.asking.way);
  }

  /**
   * What computes cosines now; null where this model has nothing to compute them from, or not yet.
   * @param {number} m
   */
  engineOf(m) {
    if (this.state.mode === "facet" && this.state.options.facet !== "token") return facetEngine(this.asking, m);
    return this.engines.ready(this.models) ? this.engines.made[m] : null;
  }

  /**
   * @param {Place} at
   * @param {number} m
   */
  pinCosines(at, m) {
    const engine = this.engineOf(m);
    const key = `${m} ${this.patchOf(at, m)} ${this.state.mode === "facet" ? this.state.options.facet : ""}`;
    let cosines = this.pinned.get(key) ?? null;
    if (!cosines && engine) {
      cosines = engine.cosines(this.patchOf(at, m)).slice();
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
    this.asking.clear();
    this.follow(true);
    this.asking.show();
  }

  /**
   * Maps of the patch at the reference.
   * @param {boolean} all whether maps of pins are painted too
   */
  follow(all) {
    const { at } = this.state;
    if (!this.asking.way) {
      const waits = this.compares && !this.engines.ready(this.models);
      say(this.controls.asking, waits ? "unpacking the models\u2019 tokens\u2026" : "");
    }
    if (this.compares) for (const m of this.models) this.current[m] = this.engineOf(m)?.cosines(this.patchOf(at, m)) ?? null;
    this.table.groups.forEach((group, g) => {
      if (group.pin === 0) group.at = at;
      if (all || (group.pin === 0 && this.compares)) this.painted[g] = this.table.paint(this.state, g);
    });
    frame(this.table, this.state, this.cursor);
    showGlance(this.table, this.state);
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
      inPlace(this, at.image, () => this.show());
    } else this.follow(false);
    this.asking.hover(at);
    this.remember();
    clearTimeout(this.spoken);
    this.spoken = setTimeout(() => say(this.voice, inWords(this)), 400);
  }

  /**
   * A click on a place, or its key.
   * @param {Place} at
   * @param {boolean} belongs false with Shift
   */
  click(at, belongs) {
    if (this.asking.way?.click) this.asking.way.click(this.asking, at, belongs);
    else if (this.compares || !this.asking.way) this.pin(at);
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
    body.addEventListener("pointerleave", () => this.asking.hover(null));
    listenToPresses(this);
    listenToEdges(this);
    body.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const at = this.placeOf(event);
      if (at) zoom(this, Math.exp(-event.deltaY / 200), at);
    }, { passive: false });
    body.addEventListener("keydown", (event) => pressKey(this, event));
    body.addEventListener("focusin", (event) => {
      const photo = this.table.photos.find((cell) => cell.stage === event.target);
      if (!photo || this.table.refocusing) return;
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

  /** @param {number[] | null} rows photographs; null for all */
  async scene(rows = null) {
    await this.engines.settled;
    const photos = await Promise.all(this.addresses.map(async (src) => {
      const image = new Image();
      image.src = src;
      await image.decode();
      return image;
    }));
    const data = await Promise.all(this.view.photographs.map(({ image }) => asDataAddress(image)));
    const style = getComputedStyle(this.room);
    const colours = { ink: style.color, paper: style.backgroundColor };
    return sceneOf(this.view, this.state, this.table, photos, data, colours, rows);
  }

  /**
   * @param {"png" | "svg"} format
   * @param {number[] | null} rows photographs; null for all
   */
  async save(format, rows) {
    const blob = format === "png" ? await this.host.exportPNG(rows) : new Blob([await this.host.exportSVG(rows)], { type: "image/svg+xml" });
    const href = URL.createObjectURL(blob);
    h("a", { href, download: `${fileStem(this.view, this.state)}.${format}` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.spoken);
    this.observer?.disconnect();
    if (this.onHash) removeEventListener("hashchange", this.onHash);
    this.asking.close();
    this.engines.close();
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
