/**
 * <dinoscope-view>: photographs and what several models make of them, one payload, no outside request.
 *
 * Fed by two script elements inside it (a page), or by `load(header, data)` (a notebook, a server).
 * Attributes: `renderer` is `2d` or `webgl2` (otherwise the graphics card computes large maps only); `theme` is `light` or
 * `dark` (otherwise the system's); `fragment="off"` leaves the address alone.
 */

import { scriptEngine } from "./cosine.mjs";
import { h } from "./dom.mjs";
import { bytesIn, bytesOf, decodePayload } from "./payload.mjs";
import { toPng, toSvg } from "./scene.mjs";
import { Session } from "./session.mjs";

/** The style sheet's text; where this is empty, the file beside this module is linked. */
const STYLE = "";
export class DinoscopeView extends HTMLElement {
  constructor() {
    super();
    const shadow = this.attachShadow({ mode: "open" });
    const style = STYLE
      ? h("style", {}, STYLE)
      : h("link", { rel: "stylesheet", href: new URL("view.css", import.meta.url).href });
    this.room = h("div", { className: "room" });
    /** Settles when the style sheet is there; nothing is laid out without it. @type {Promise<unknown>} */
    this.styled = STYLE ? Promise.resolve() : new Promise((resolve, reject) => {
      style.addEventListener("load", resolve);
      style.addEventListener("error", () => reject(new Error("its style sheet did not come; load the page again")));
    });
    this.styled.catch(() => {}); // shown in place, see load
    shadow.append(style, this.room);
    /** @type {Session | null} */
    this.session = null;
    /** Answers what the payload does not hold; null: nobody does. @type {import("./answers.mjs").Ask | null} */
    this.ask = null;
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
    const data = this.querySelector('script[type="application/octet-stream"]');
    if (this.session || !header || !(data instanceof HTMLElement)) return;
    this.#open(header, bytesOf(data.textContent ?? "", Number(data.dataset.bytes))).catch(() => {});
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
  load(header, data) {
    return this.#open(header, bytesIn(data));
  }

  /**
   * @param {string} header
   * @param {import("./payload.mjs").Source} data
   */
  async #open(header, data) {
    try {
      const view = await decodePayload(header, data);
      await this.styled;
      this.session?.close();
      this.session = new Session(this, view, this.room);
      this.session.show();
      if (this.session.usesFragment && location.hash === "#tour") this.session.controls.tour.click();
      await this.session.engines.settled;
      this.resolveReady(this);
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  /**
   * Says in place why there is nothing to see.
   * @param {unknown} error
   */
  fail(error) {
    this.room.replaceChildren(h("p", { role: "alert" }, `This view cannot be shown: ${error instanceof Error ? error.message : error}`));
    this.rejectReady(error);
  }

  get #loaded() {
    if (!this.session) throw new Error("nothing is loaded yet: await element.ready");
    return this.session;
  }

  /** What computes the cosines: "webgl2", "simd" or "script"; empty until one is asked for. */
  get engine() {
    return this.#loaded.engines.made.find((engine) => engine)?.name ?? "";
  }

  /** The graphics driver's name for itself; empty where none is used. */
  get driver() {
    return this.#loaded.engines.context?.renderer ?? "";
  }

  /**
   * Cosines of one patch with every patch of a photograph, under one model. Indices count from 0, in
   * the order of the payload.
   * @param {number} image
   * @param {number} model
   * @param {{x: number, y: number}} at in [0, 1]²
   * @param {number} [target]
   * @returns {Promise<Float32Array & {h: number, w: number}>}
   */
  async similarity(image, model, at, target = image) {
    const session = this.#loaded, { view } = session;
    if (!view.models[model] || !view.photographs[image] || !view.photographs[target]) throw new RangeError("no such photograph or model");
    if (!(at.x >= 0 && at.x <= 1 && at.y >= 0 && at.y <= 1)) throw new RangeError("a place is (x, y) in [0, 1]\u00b2");
    const engine = scriptEngine(await view.models[model].tokens());
    const cosines = engine.cosines(session.patchOf({ image, ...at }, model));
    const grid = view.grids[target][model];
    const values = cosines.slice(grid.offset, grid.offset + grid.h * grid.w);
    return Object.assign(values, { h: grid.h, w: grid.w });
  }

  /**
   * The current view as a picture.
   * @param {number[] | null} [rows] photographs; all where left out
   */
  async exportPNG(rows = null) {
    return toPng(await this.#loaded.scene(rows));
  }

  /**
   * The current view as a drawing: SVG text.
   * @param {number[] | null} [rows] photographs; all where left out
   */
  async exportSVG(rows = null) {
    return toSvg(await this.#loaded.scene(rows));
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
