/** What lies over a map without belonging to it: words, points, outlines. */

import { h, say } from "./dom.mjs";

/** @typedef {import("./maptable.mjs").Cell} Cell */

const SVG = "http://www.w3.org/2000/svg";

/**
 * A cell's canvas at this size; its pixels as whole numbers.
 * @param {Cell} cell
 * @param {number} height
 * @param {number} width
 */
export function sized(cell, height, width) {
  const { canvas } = cell;
  if (!canvas) throw new Error("a photograph has no map");
  if (!cell.pixels || !cell.words || canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
    cell.pixels = new ImageData(width, height);
    cell.words = new Int32Array(cell.pixels.data.buffer);
  }
  return cell.words;
}

/** Shows what was written into a cell's pixels. @param {Cell} cell */
export function shown(cell) {
  if (cell.canvas && cell.pixels) cell.canvas.getContext("2d")?.putImageData(cell.pixels, 0, 0);
}

/** No map: the photograph alone. @param {Cell} cell */
export function cleared(cell) {
  cell.canvas?.getContext("2d")?.clearRect(0, 0, cell.canvas.width, cell.canvas.height);
}

/**
 * Words over a map, which say why there is none; none where the text is empty.
 * @param {Cell} cell
 * @param {string} text
 */
export function explain(cell, text) {
  let told = cell.stage.querySelector(".why");
  if (!text) told?.remove();
  else {
    told ??= cell.stage.appendChild(h("p", { className: "why" }, h("span", {})));
    say(/** @type {Element} */ (told.firstElementChild), text);
  }
}

/**
 * A drawing in units of [0, 1]² over a cell, empty.
 * @param {Cell} cell
 */
export function drawing(cell) {
  const old = cell.plane.querySelector("svg.over");
  if (old instanceof SVGSVGElement) {
    old.replaceChildren();
    return old;
  }
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "over");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  cell.plane.append(svg);
  return svg;
}

/** @param {Cell} cell */
export function undrawn(cell) {
  cell.plane.querySelector("svg.over")?.remove();
  for (const dot of cell.plane.querySelectorAll(".dot")) dot.remove();
  explain(cell, "");
}

/**
 * A path over a cell, twice: pale below, dark above, so that it shows on everything.
 * @param {Cell} cell
 * @param {string} path in [0, 1]²
 */
export function outlined(cell, path) {
  const svg = drawing(cell);
  for (const name of ["pale", "dark"]) {
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("class", name);
    line.setAttribute("d", path);
    line.setAttribute("vector-effect", "non-scaling-stroke");
    svg.append(line);
  }
}

/**
 * What lies over a cell, for who draws it elsewhere; places in [0, 1]², sizes in pixels.
 * @param {Cell} cell
 */
export function overOf(cell) {
  const dots = [...cell.plane.querySelectorAll(".dot")].map((mark) => {
    const dot = /** @type {HTMLElement} */ (mark);
    return { x: parseFloat(dot.style.left) / 100, y: parseFloat(dot.style.top) / 100, r: dot.offsetWidth / 2, fill: getComputedStyle(dot).backgroundColor, text: dot.textContent ?? "" };
  });
  return { dots, path: cell.plane.querySelector("svg.over .dark")?.getAttribute("d") ?? "" };
}

/**
 * A round mark at a place of a cell.
 * @param {Cell} cell
 * @param {{x: number, y: number, kind: string, text?: string, colour?: string}} what
 */
export function dot(cell, { x, y, kind, text = "", colour = "" }) {
  const mark = h("div", { className: `dot ${kind}` }, ...(text ? [h("span", {}, text)] : []));
  mark.classList.toggle("left", x > 0.7);
  mark.style.left = `${100 * x}%`;
  mark.style.top = `${100 * y}%`;
  if (colour) mark.style.background = colour;
  cell.plane.append(mark);
  return mark;
}
