/** The current view as one drawing: laid out once, then written as SVG or drawn as PNG. */

import { legendOf } from "./controls.mjs";
import { modeName } from "./modes.mjs";
import { overOf } from "./over.mjs";
import { patchAt } from "./payload.mjs";
import { coloursSaid, provenance } from "./said.mjs";
import { mapOpacity } from "./state.mjs";
import { columnOf, columnsOf, wiped } from "./wipe.mjs";

/**
 * @typedef {object} Picture
 * @property {"image"} kind
 * @property {CanvasImageSource} source
 * @property {string} href
 * @property {number[]} box x, y, width, height
 * @property {number[]} full where the whole picture would lie; `box` cuts it
 * @property {number} opacity
 * @property {boolean} smooth
 */
/**
 * @typedef {object} Frame
 * @property {"frame"} kind
 * @property {number[]} box
 * @property {number[]} clip
 * @property {string} colour
 */
/**
 * @typedef {object} Disc
 * @property {"disc"} kind
 * @property {number} x
 * @property {number} y
 * @property {number} r
 * @property {string} fill
 * @property {number[]} clip
 */
/**
 * @typedef {object} Outline
 * @property {"outline"} kind
 * @property {string} path in [0, 1]² of `box`
 * @property {number[]} box
 * @property {number[]} clip
 */
/**
 * @typedef {object} Words
 * @property {"text"} kind
 * @property {string} text
 * @property {number} x
 * @property {number} y
 * @property {boolean} strong
 * @property {boolean} halo whether it lies on a picture
 * @property {string} colour
 */
/** @typedef {{width: number, height: number, parts: (Picture | Frame | Disc | Outline | Words)[], ink: string, paper: string}} Scene */

const CELL = 320;
const GAP = 8;
const FONT = "system-ui, sans-serif";

/**
 * @param {import("./payload.mjs").View} view
 * @param {import("./state.mjs").State} state
 * @param {import("./maptable.mjs").MapTable} table
 * @param {HTMLImageElement[]} photos decoded
 * @param {string[]} addresses of the photographs, as data
 * @param {{ink: string, paper: string}} colours
 * @param {number[] | null} rows photographs; null for all
 * @returns {Scene}
 */
export function sceneOf(view, state, table, photos, addresses, colours, rows) {
  /** @type {Scene["parts"]} */
  const parts = [];
  const models = state.order.filter((m) => !state.hidden.includes(m));
  const maps = columnsOf(state, models);
  const columns = 1 + table.groups.length * maps;
  const width = columns * (CELL + GAP) + GAP;
  /** @param {string} text @param {number} x @param {number} y @param {boolean} [strong] @param {string} [over] */
  const write = (text, x, y, strong = false, over) => {
    parts.push({ kind: "text", text, x, y, strong, halo: over !== undefined, colour: over ?? colours.ink });
  };
  const asking = table.asking?.way ? table.asking : null;
  const comparing = state.mode === "facet";
  const scale = legendOf(state, asking);
  let y = 24;
  if (scale) {
    const bar = document.createElement("canvas");
    bar.width = 256;
    bar.height = 1;
    const image = new ImageData(256, 1);
    new Int32Array(image.data.buffer).set(scale.table);
    bar.getContext("2d")?.putImageData(image, 0, 0);
    const box = [GAP, y - 10, 160, 10];
    parts.push({ kind: "image", source: bar, href: bar.toDataURL(), box, full: box, opacity: 1, smooth: true });
    write(`${scale.low} to ${scale.high}: ${scale.name}${scale.under ? "; grey below 0" : ""}`, GAP + 168, y);
  } else if (state.mode === "threshold") write(`dark: cosine below ${state.threshold.toFixed(2)}`, GAP, y);
  else if (asking) write(`${modeName(state.mode)}; ${asking.way?.legend(asking)}`, GAP, y);
  else write(coloursSaid(view, state), GAP, y);
  y += 28;
  table.groups.forEach((group, g) => {
    models.forEach((m, c) => {
      const half = wiped(state, models) && c === 1 ? CELL / 2 : 0;
      const x = GAP + (1 + g * maps + columnOf(state, models, c)) * (CELL + GAP) + half;
      const many = table.groups.length > 1 || group.pin > 0;
      const apart = state.mode === "difference" && c ? ` \u2212 ${view.models[models[0]].label}` : "";
      const { label, kind } = view.models[m];
      write(label + (kind && ` (${kind})`) + apart + (many ? (group.pin ? `, pin ${group.pin}` : ", pointer") : ""), x, y, true);
    });
  });
  y += GAP;
  for (const p of table.order.filter((one) => !rows || rows.includes(one))) {
    const photograph = view.photographs[p];
    const height = Math.round((CELL * photograph.size[1]) / photograph.size[0]);
    const row = [table.photos[p], ...table.maps.flatMap((cells) => cells.filter((cell) => cell.image === p))];
    row.forEach((cell, c) => {
      const g = Math.floor((c - 1) / models.length), k = (c - 1) % models.length;
      const x = GAP + (c && 1 + g * maps + columnOf(state, models, k)) * (CELL + GAP);
      const cut = c > 0 && k === 1 && wiped(state, models) ? CELL * (state.wipe ?? 0) : 0;
      const box = [x + cut, y, CELL - cut, height];
      const { z } = state.zoom;
      const full = [x - CELL * (z - 1) * state.zoom.x, y - height * (z - 1) * state.zoom.y, CELL * z, height * z];
      const covered = cell.canvas && mapOpacity(state) === 1 && !asking;
      if (!covered) parts.push({ kind: "image", source: photos[p], href: addresses[p], box, full, opacity: 1, smooth: true });
      if (cell.canvas) {
        parts.push({
          kind: "image", source: cell.canvas, href: cell.canvas.toDataURL(), box, full,
          opacity: mapOpacity(state), smooth: state.smooth,
        });
      }
      const grid = view.grids[p][cell.model < 0 ? models[0] : cell.model];
      /** @param {{row: number, col: number}} patch @param {string} colour @param {string} text */
      const mark = (patch, colour, text) => {
        const [w, t] = [full[2] / grid.w, full[3] / grid.h];
        const left = full[0] + patch.col * w, upper = full[1] + patch.row * t;
        parts.push({ kind: "frame", box: [left, upper, w, t], clip: box, colour });
        if (!text || left < box[0] || left >= x + CELL || upper < y || upper >= y + height) return;
        const right = left + w + 4 + 8 * text.length < x + CELL;
        write(text, right ? left + w + 4 : left - 4 - 8 * text.length, Math.max(y + 12, Math.min(y + height - 2, upper + t)), true, colour);
      };
      const { dots, path } = overOf(cell);
      if (path) parts.push({ kind: "outline", path, box: full, clip: box });
      for (const dot of dots) {
        const at = [full[0] + dot.x * full[2], full[1] + dot.y * full[3]];
        parts.push({ kind: "disc", x: at[0], y: at[1], r: dot.r, fill: dot.fill, clip: box });
        if (dot.text) write(dot.text, dot.r < 10 ? at[0] - 4 : at[0] + dot.r + 4, at[1] + 4, true, "#111");
      }
      if (cell.match) mark(cell.match, "#777", cell.match.cosine.toFixed(2));
      const groups = asking && !comparing ? [] : cell.model < 0 ? table.groups : [table.groups[g]];
      for (const group of groups) {
        if (group.at.image !== p) continue;
        mark(patchAt(grid, group.at.x, group.at.y), "#111", group.pin ? String(group.pin) : "");
      }
    });
    y += height + 16;
    write(photograph.name, GAP, y);
    y += 12;
  }
  y += 8;
  const placed = state.mode !== "pca" && (!asking || comparing);
  for (const line of linesOf(provenance(view, state, placed), width - 2 * GAP)) {
    write(line, GAP, y);
    y += 18;
  }
  return { width, height: y - 18 + GAP, parts, ink: colours.ink, paper: colours.paper };
}

/**
 * Text in lines no wider than so many pixels.
 * @param {string} text
 * @param {number} width
 */
function linesOf(text, width) {
  const ruler = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
  ruler.font = `400 13px ${FONT}`;
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length && ruler.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * @param {Scene} scene
 * @returns {string}
 */
export function toSvg(scene) {
  const space = "http://www.w3.org/2000/svg";
  const root = document.implementation.createDocument(space, "svg", null);
  /** @param {Element} parent @param {string} tag @param {Record<string, string | number>} attributes */
  const add = (parent, tag, attributes) => {
    const element = root.createElementNS(space, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    return parent.appendChild(element);
  };
  const svg = root.documentElement;
  svg.setAttribute("viewBox", `0 0 ${scene.width} ${scene.height}`);
  svg.setAttribute("width", String(scene.width));
  svg.setAttribute("height", String(scene.height));
  svg.setAttribute("font-family", FONT);
  svg.setAttribute("font-size", "13");
  add(svg, "rect", { width: scene.width, height: scene.height, fill: scene.paper });
  for (const part of scene.parts) {
    if (part.kind === "text") {
      const text = add(svg, "text", { x: part.x, y: part.y, fill: part.colour, "font-weight": part.strong ? 600 : 400 });
      if (part.halo) text.setAttribute("style", "paint-order:stroke;stroke:#fff;stroke-width:3px");
      text.textContent = part.text.replace(/[^\t\n\r\u0020-\ufffd]/g, "\ufffd");
      continue;
    }
    const [cx, cy, cw, ch] = part.kind === "image" ? part.box : part.clip;
    if (part.kind === "disc") {
      const inside = add(svg, "svg", { x: cx, y: cy, width: cw, height: ch, overflow: "hidden" });
      for (const [stroke, width] of [["#111", 4], ["#fff", 2]]) add(inside, "circle", { cx: part.x - cx, cy: part.y - cy, r: part.r, fill: part.fill, stroke, "stroke-width": width });
      continue;
    }
    const [x, y, width, height] = part.kind === "image" ? part.full : part.box;
    if (part.kind === "outline") {
      const inside = add(svg, "svg", { x, y, width, height, viewBox: "0 0 1 1", preserveAspectRatio: "none" });
      for (const [stroke, wide] of [["#fff", 2.5], ["#0b5cad", 1.2]]) {
        add(inside, "path", { d: part.path, fill: "none", stroke, "stroke-width": wide, "vector-effect": "non-scaling-stroke" });
      }
      continue;
    }
    const window = add(svg, "svg", { x: cx, y: cy, width: cw, height: ch, overflow: "hidden" });
    const box = { x: x - cx, y: y - cy, width, height };
    if (part.kind === "frame") {
      add(window, "rect", { ...box, fill: "none", stroke: "#fff", "stroke-width": 4 });
      add(window, "rect", { ...box, fill: "none", stroke: part.colour, "stroke-width": 2 });
    } else {
      const style = part.smooth ? "" : "image-rendering:pixelated";
      add(window, "image", { ...box, href: part.href, preserveAspectRatio: "none", opacity: part.opacity, style });
    }
  }
  return new XMLSerializer().serializeToString(root);
}

/** A picture of more bytes is drawn again, smaller, until it is not. */
const MOST_BYTES = 4_000_000;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Disc | Outline} part
 */
function strokeOver(context, part) {
  const path = new Path2D();
  if (part.kind === "disc") path.arc(part.x, part.y, part.r, 0, 2 * Math.PI);
  else path.addPath(new Path2D(part.path), new DOMMatrix([part.box[2], 0, 0, part.box[3], part.box[0], part.box[1]]));
  if (part.kind === "disc") context.fillStyle = part.fill;
  if (part.kind === "disc") context.fill(path);
  for (const [colour, width] of part.kind === "disc" ? [["#111", 4], ["#fff", 2]] : [["#fff", 2.5], ["#0b5cad", 1.2]]) {
    context.strokeStyle = String(colour);
    context.lineWidth = Number(width);
    context.stroke(path);
  }
}

/**
 * @param {Scene} scene
 * @returns {Promise<Blob>}
 */
export async function toPng(scene) {
  let scale = Math.min(1.5, 8192 / scene.width, 8192 / scene.height);
  for (;;) {
    const blob = await drawn(scene, scale);
    if (blob.size <= MOST_BYTES) return blob;
    scale *= Math.sqrt((0.85 * MOST_BYTES) / blob.size);
  }
}

/**
 * @param {Scene} scene
 * @param {number} scale pixels for each unit
 * @returns {Promise<Blob>}
 */
function drawn(scene, scale) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(scene.width * scale);
  canvas.height = Math.round(scene.height * scale);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(scale, scale);
  context.fillStyle = scene.paper;
  context.fillRect(0, 0, scene.width, scene.height);
  for (const part of scene.parts) {
    context.save();
    if (part.kind === "text") {
      context.font = `${part.strong ? 600 : 400} 13px ${FONT}`;
      context.strokeStyle = "#fff";
      context.lineWidth = 3;
      context.lineJoin = "round";
      if (part.halo) context.strokeText(part.text, part.x, part.y);
      context.fillStyle = part.colour;
      context.fillText(part.text, part.x, part.y);
    } else {
      const [cx, cy, cw, ch] = part.kind === "image" ? part.box : part.clip;
      context.beginPath();
      context.rect(cx, cy, cw, ch);
      context.clip();
      if (part.kind === "disc" || part.kind === "outline") {
        strokeOver(context, part);
        context.restore();
        continue;
      }
      const [x, y, w, height] = part.kind === "image" ? part.full : part.box;
      if (part.kind === "image") {
        context.globalAlpha = part.opacity;
        context.imageSmoothingEnabled = part.smooth;
        context.drawImage(part.source, x, y, w, height);
      } else {
        context.strokeStyle = "#fff";
        context.lineWidth = 4;
        context.strokeRect(x, y, w, height);
        context.strokeStyle = part.colour;
        context.lineWidth = 2;
        context.strokeRect(x, y, w, height);
      }
    }
    context.restore();
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("this picture is too large for the browser"))));
  });
}
