/**
 * The search page: a photograph, or a part of it, is looked for in a store, and the plain ranking stands beside
 * the one with a suppression. Every request goes to an address below this page's own, which holds the run's key.
 */

import { h, say } from "./dom.mjs";
import { received } from "./folders.mjs";
import { hitItem, inFull, inShort } from "./hits.mjs";
import { ask, complain, inPlainWords, leaving, part, Refused, report, status } from "./page.mjs";
import { drawable, footprint, framed, inAddress, inWords, keyed, outline, WHOLE } from "./region.mjs";

/** Hits to begin with, and at most. */
const FIRST_HITS = 24;
const MOST_HITS = 200;
/** Photographs of the store shown at a time. */
const LISTED = 48;
/** Keys and switches that follow each other quickly are one search. */
const PATIENCE_MS = 250;

/** @typedef {import("./region.mjs").Region} Region */
/** @typedef {import("./region.mjs").Shown} Shown */
/** @typedef {import("./hits.mjs").Hit} Hit */
/** @typedef {import("./hits.mjs").Answer} Answer */
/** @typedef {{name: string, backbone: string, n: number, dense: boolean}} Table */

const picker = part("file", HTMLInputElement);
const tableField = part("table", HTMLSelectElement);
const among = part("among", HTMLSelectElement);
const pooling = part("pooling", HTMLSelectElement);
const suppress = part("suppress", HTMLSelectElement);
const components = part("components", HTMLInputElement);
const stage = part("stage", HTMLElement);
const rankings = part("rankings", HTMLElement);
const collection = part("collection", HTMLDetailsElement);
const deeper = part("deeper", HTMLButtonElement);
const more = part("more", HTMLButtonElement);
const why = part("why", HTMLDialogElement);
const limit = Number(document.documentElement.dataset.uploadBytes);

/** @type {Table[]} */
let tables = [];
/** @type {Shown | null} */
let query = null;
/** @type {Region} */
let region = WHOLE;
/** Of the query's patches. @type {[number, number] | null} */
let grid = null;
let k = FIRST_HITS;
let asked = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let due;
let underway = new AbortController();

/** @param {string} path @param {Record<string, string | number>} words */
function address(path, words) {
  const pairs = Object.entries({ table: tableField.value, ...words }).map(([name, value]) => [name, String(value)]);
  return `${path}?${new URLSearchParams(pairs)}`;
}

/** @param {Shown} shown @param {"small" | "large"} size */
const pictureOf = (shown, size) => address("picture", { digest: shown.digest, size });

/** @param {string} suppression @returns {Record<string, string | number>} */
function question(suppression) {
  /** @type {Record<string, string | number>} */
  const words = { query: query?.digest ?? "", pooling: pooling.value, suppress: suppression, k, ...inAddress(region) };
  if (components.value && suppression !== "none") words.components = components.value;
  return words;
}

/** Until one patch is chosen there is nothing to compare patches with: whole photographs are searched. */
const amongPatches = () => among.value === "patches" && region.kind === "patch";

/** @param {Shown} shown @param {Region} [part] */
function searchFor(shown, part = WHOLE) {
  if (query?.digest !== shown.digest) grid = null;
  query = shown;
  region = part;
  k = FIRST_HITS;
  history.pushState({ query, region }, "");
  drawQuery();
  stage.focus({ preventScroll: true }); // what was pressed is about to go
  search();
}

/** @param {Region} part */
function searchForPart(part) {
  if (query) {
    region = part;
    history.pushState({ query, region }, "");
    drawRegion();
    search(PATIENCE_MS);
  }
}

function drawQuery() {
  const shown = query;
  if (!shown) return;
  complain("");
  collection.open = false;
  part("query", HTMLElement).hidden = rankings.hidden = false;
  document.body.classList.add("asked");
  say(part("query-name", HTMLElement), shown.name);
  stage.setAttribute("aria-label", `The photograph searched for, ${shown.name}`);
  const frame = framed(pictureOf(shown, "large"), shown, "");
  drawable(frame, { touch: true, onBox: searchForPart, onPoint: searchForPart });
  stage.replaceChildren(frame);
  drawRegion();
  scrollTo({ top: 0 });
}

function drawRegion() {
  const frame = stage.firstElementChild;
  if (frame) outline(frame, "chosen", footprint(region, grid));
  say(part("region", HTMLElement), inWords(region, grid));
  part("whole", HTMLButtonElement).hidden = region.kind === "whole";
}

/** @param {number} [wait] */
function search(wait = 0) {
  if (!query) return;
  clearTimeout(due);
  asked += 1; // whatever is still underway comes too late from here on
  rankings.ariaBusy = "true";
  due = setTimeout(() => searchNow().catch(report), wait);
}

async function searchNow() {
  if (!components.checkValidity()) {
    components.reportValidity();
    rankings.ariaBusy = "false";
    return;
  }
  const turn = asked;
  underway.abort();
  underway = new AbortController();
  const suppression = suppress.value;
  const both = suppression !== "none";
  pooling.disabled = amongPatches();
  rankings.classList.toggle("single", !both);
  part("suppressed", HTMLElement).hidden = !both;
  part("components-field", HTMLElement).hidden = !both || suppression === "centre";
  say(part("suppressed-title", HTMLElement), `Suppressed: ${suppress.selectedOptions[0]?.text ?? suppression}`);
  say(status, "Searching");
  const plain = await ranking("plain", "none", turn, new Map());
  const ranks = new Map(plain.map(({ digest, rank }) => [digest, rank]));
  if (both && turn === asked) await ranking("suppressed", suppression, turn, ranks);
  if (turn !== asked) return;
  rankings.ariaBusy = "false";
  deeper.hidden = plain.length < k || k >= MOST_HITS;
  const waits = among.value === "patches" && !amongPatches();
  say(status, plain.length ? `${plain.length} hits${waits ? " among whole photographs; click a patch to search among patches" : ""}` : "");
}

/**
 * Asks for one ranking and shows it; what cannot be had says why in its place.
 * @param {string} id
 * @param {string} suppression
 * @param {number} turn
 * @param {Map<string, number>} plainly rank of each digest without the suppression
 * @returns {Promise<Hit[]>}
 */
async function ranking(id, suppression, turn, plainly) {
  const place = part(id, HTMLElement);
  const [note, summary, words, bad, list] = ["details", "summary", "details p", ".bad", "ol"].map((name) => {
    const found = place.querySelector(name);
    if (!(found instanceof HTMLElement)) throw new Error(`#${id} lacks its ${name}`);
    return found;
  });
  if (!note || !summary || !words || !bad || !list) return [];
  /** @type {Answer} */
  let answer;
  try {
    answer = await (await ask(address(amongPatches() ? "patches" : "search", question(suppression)), { signal: underway.signal })).json();
  } catch (error) {
    if (turn !== asked || leaving.signal.aborted) return [];
    list.replaceChildren();
    note.hidden = true;
    bad.hidden = false;
    say(bad, inPlainWords(error));
    say(status, inPlainWords(error));
    return [];
  }
  if (turn !== asked) return [];
  if (!grid) {
    grid = answer.grid;
    drawRegion();
  }
  bad.hidden = true;
  note.hidden = false;
  say(summary, inShort(answer));
  say(words, inFull(answer));
  list.replaceChildren(...answer.hits.map((hit) => hitItem(hit, {
    picture: pictureOf(hit, "small"),
    plainly: suppression === "none" ? null : plainly,
    onChoose: (part) => searchFor(hit, part),
    onWhy: () => explain(hit, suppression),
  })));
  return answer.hits;
}

/** @param {Hit} hit @param {string} suppression */
async function explain(hit, suppression) {
  const picture = why.querySelector("img");
  const said = why.querySelector("p");
  if (!picture || !said) throw new Error("the page lacks the parts of #why");
  picture.hidden = true;
  say(said, "Looking at every patch");
  say(part("why-title", HTMLElement), `${query?.name} and ${hit.name}`);
  why.showModal();
  try {
    const drawn = await (await ask(address("why", { ...question(suppression), hit: hit.digest }))).blob();
    URL.revokeObjectURL(picture.src);
    picture.src = URL.createObjectURL(drawn);
    picture.alt = `What every patch of ${query?.name} and of ${hit.name} gives to their cosine of ${hit.score.toFixed(3)}`;
    picture.hidden = false;
    say(said, "");
  } catch (error) {
    say(said, inPlainWords(error));
  }
}

/** The same photograph in the other ranking is pointed out. @param {Event} event */
function point(event) {
  const item = event.target instanceof Element ? event.target.closest("li") : null;
  for (const other of rankings.querySelectorAll("li")) {
    other.classList.toggle("twin", event.type !== "pointerleave" && item !== null && other.dataset.digest === item.dataset.digest);
  }
}

/** @param {File[]} files @param {string} [problem] */
async function send(files, problem = "") {
  const file = files[0];
  if (!file) {
    complain(problem);
    return;
  }
  try {
    if (file.size > limit) throw new Refused(`${file.name}: larger than ${Math.floor(limit / 2 ** 20)} MiB`);
    say(status, `Sending ${file.name}`);
    const body = await file.arrayBuffer().catch(() => {
      throw new Refused(`${file.name}: cannot be read: it has gone, or is a folder`);
    });
    const shown = await (await ask(`queries?name=${encodeURIComponent(file.name)}`, { method: "POST", body })).json();
    searchFor(shown);
    if (files.length > 1) complain(`Of ${files.length} photographs the first is searched for.`);
  } catch (error) {
    report(error);
  }
}

async function list() {
  const place = collection.querySelector("ol");
  if (!place) throw new Error("#collection lacks its list");
  const wanted = tableField.value;
  const first = place.children.length;
  const answer = await (await ask(address("collection", { first, n: LISTED }))).json();
  if (wanted !== tableField.value || first !== place.children.length) return;
  const total = tables.find(({ name }) => name === wanted)?.n ?? 0;
  place.append(.../** @type {Shown[]} */ (answer.photographs).map((shown) =>
    h("li", {}, h("button", { type: "button", className: "choose", title: shown.name, "aria-label": `Search for ${shown.name}`, onclick: () => searchFor(shown) }, framed(pictureOf(shown, "small"), shown, "")))));
  more.hidden = place.children.length >= total || answer.photographs.length === 0;
}

function renew() {
  const table = tables.find(({ name }) => name === tableField.value);
  if (!table) return;
  say(part("about", HTMLElement), `${table.n.toLocaleString("en")} photograph${table.n === 1 ? "" : "s"}, vectors of ${table.backbone}`);
  const patches = among.options[1];
  patches.disabled = !table.dense;
  patches.textContent = table.dense ? "patches" : "patches (not kept: embed --dense)";
  if (!table.dense) among.value = "photographs";
  collection.querySelector("ol")?.replaceChildren();
  grid = null;
  list().catch(report);
}

/** @param {unknown} kept a state of the history */
function restore(kept) {
  const state = /** @type {{query?: Shown, region?: Region} | null} */ (kept);
  if (!state?.query) return false;
  query = state.query;
  region = state.region ?? WHOLE;
  grid = null;
  drawQuery();
  search();
  return true;
}

async function begin() {
  tables = (await (await ask("tables")).json()).tables;
  tableField.replaceChildren(...tables.map(({ name, backbone }) =>
    h("option", { value: name }, tables.filter((other) => other.backbone === backbone).length > 1 ? name : backbone)));
  part("table-field", HTMLElement).hidden = tables.length < 2;
  renew();
  restore(history.state);
}

keyed(stage, {
  grid: () => grid,
  region: () => region,
  onRegion: searchForPart,
  onCursor: (words, box) => {
    if (stage.firstElementChild) outline(stage.firstElementChild, "cursor", box);
    if (words) say(status, words);
  },
});
picker.addEventListener("change", () => {
  send([...(picker.files ?? [])]);
  picker.value = "";
});
tableField.addEventListener("change", () => {
  renew();
  search();
});
for (const field of [among, pooling, suppress]) field.addEventListener("change", () => search());
components.addEventListener("input", () => search(PATIENCE_MS));
part("bar", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
part("whole", HTMLButtonElement).addEventListener("click", () => {
  searchForPart(WHOLE);
  stage.focus();
});
deeper.addEventListener("click", () => {
  k = Math.min(MOST_HITS, 2 * k);
  search();
});
more.addEventListener("click", () => list().catch(report));
rankings.addEventListener("pointerover", point);
rankings.addEventListener("pointerleave", point);
rankings.addEventListener("focusin", point);
received((files, failures) => send(files, failures.map(({ name, reason }) => `${name}: ${reason}`).join("; ")));
addEventListener("popstate", (event) => {
  if (!restore(event.state)) location.reload();
});

begin().catch(report);
