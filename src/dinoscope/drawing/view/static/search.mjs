/**
 * The search page: a photograph, or a part of it, is looked for in a store, by two models side by side or plainly
 * and with a suppression. Every request goes to an address below this page's own, which holds the run's key.
 */

import { addressOf, regionIn, wordsIn, wordsOf } from "./address.mjs";
import { about } from "./card.mjs";
import { listAnew } from "./collection.mjs";
import { say } from "./dom.mjs";
import { showDuplicates } from "./duplicates.mjs";
import { asCsv, asJson, save } from "./exported.mjs";
import { fields, modelOf, offerTables, settings, take } from "./tables.mjs";
import { filters, fillFilters, onFilters } from "./filters.mjs";
import { adjustable } from "./handles.mjs";
import { hitItem } from "./hits.mjs";
import { ask, complain, part, report, status } from "./page.mjs";
import { inBoth, pointOut, prepare, rank } from "./rankings.mjs";
import { drawable, footprint, framed, inWords, keyed, outline, WHOLE } from "./region.mjs";
import { showTogether } from "./together.mjs";
import { uploaded } from "./uploads.mjs";
import { explain } from "./why.mjs";

/** Hits to begin with, and at most. */
const FIRST_HITS = 24;
const MOST_HITS = 200;
/** Keys and switches that follow each other quickly are one search. */
const PATIENCE_MS = 250;

/** @typedef {import("./region.mjs").Region} Region */
/** @typedef {import("./region.mjs").Shown} Shown */
/** @typedef {import("./hits.mjs").Hit} Hit */
/** @typedef {import("./exported.mjs").Ranking} Ranking */
/** @typedef {import("./tables.mjs").Table} Table */
/** @typedef {{id: "left" | "right", table: Table, suppression: string, title: string}} Column */

const stage = part("stage", HTMLElement);
const rankings = part("rankings", HTMLElement);
const duplicates = part("duplicates", HTMLElement);
const nearly = part("near", HTMLButtonElement);
const least = part("least", HTMLInputElement);
const collection = part("collection", HTMLDetailsElement);
const deeper = part("deeper", HTMLButtonElement);

/** @type {import("./address.mjs").Asked} */
let now = { query: null, region: WHOLE, more: [], against: [], k: FIRST_HITS };
/** Of the query's patches. @type {[number, number] | null} */
let grid = null;
/** What is shown, to be saved. @type {Ranking[]} */
let shownRankings = [];
let turns = 0;
/** Whether the hits on the page are of another photograph. */
let anew = true;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let due;
let underway = new AbortController();

/** How the store's photographs are shown. @type {import("./collection.mjs").Listing} */
const listing = { address: (words) => address("collection", words), picture: (shown) => pictureOf(shown, "small"), onChoose: (shown, part) => searchFor(shown, part), onName: (shown, button) => tell(shown, button) };

/** @param {string} path @param {Record<string, string | number>} words @param {string} [table] */
function address(path, words, table = fields.table.value) {
  const pairs = Object.entries({ table, ...words }).map(([name, value]) => [name, String(value)]);
  return `${path}?${new URLSearchParams(pairs)}`;
}

/** @param {Shown} shown @param {"small" | "large" | "open"} size */
const pictureOf = (shown, size) => address("picture", { digest: shown.digest, size });

/** @param {Shown} shown @param {HTMLElement} button */
const tell = (shown, button) => about(shown, pictureOf(shown, "open"), button);

/** @param {string} suppression @returns {Record<string, string>} */
function question(suppression) {
  const { directions } = settings();
  /** @type {Record<string, string>} */
  const own = suppression !== "none" && directions ? { components: directions } : {};
  return { ...wordsOf(now), pooling: fields.pooling.value, suppress: suppression, ...filters(), ...own };
}

/** Until one patch is chosen there is nothing to compare patches with: whole photographs are searched. */
const amongPatches = () => fields.among.value === "patches" && now.region.kind === "patch";

/** Two models, or the plain ranking and the one with a suppression, or one ranking. @returns {Column[]} */
function columns() {
  const [table, beside] = [take(fields.table), take(fields.beside)];
  if (!table) return [];
  const suppression = fields.suppress.value;
  const words = suppression === "none" ? "" : fields.suppress.selectedOptions[0]?.text ?? suppression;
  const title = (/** @type {Table} */ shown) => modelOf(shown) + (words && `, suppressed: ${words}`);
  if (beside) return [{ id: "left", table, suppression, title: title(table) }, { id: "right", table: beside, suppression, title: title(beside) }];
  if (!words) return [{ id: "left", table, suppression, title: title(table) }];
  return [{ id: "left", table, suppression: "none", title: "Plain" }, { id: "right", table, suppression, title: `Suppressed: ${words}` }];
}

/** Takes a change of the search into the page's address. @param {Partial<import("./address.mjs").Asked>} wanted */
function change(wanted, wait = 0) {
  const before = now;
  now = { ...now, ...wanted };
  if (before.query?.digest !== now.query?.digest) {
    grid = null;
    anew = true;
  }
  history.pushState(null, "", addressOf(wordsOf(now), { ...settings(), ...filters() }));
  if (before.query !== now.query) drawQuery();
  else drawRegion();
  search(wait);
}

/** @param {Shown} shown @param {Region} [part] */
function searchFor(shown, part = WHOLE) {
  change({ query: shown, region: part, more: [], against: [], k: FIRST_HITS });
  stage.focus({ preventScroll: true }); // what was pressed is about to go
}

/** @param {Region} part */
function searchForPart(part) {
  if (now.query) change({ region: part }, PATIENCE_MS);
}

/** @param {"more" | "against"} side @param {Shown} shown */
function searchTogether(side, shown) {
  const rest = (/** @type {Shown[]} */ some) => some.filter(({ digest }) => digest !== shown.digest);
  const others = { more: rest(now.more), against: rest(now.against), region: side === "more" ? WHOLE : now.region };
  change({ ...others, [side]: [...others[side], shown] });
}

/** @param {Shown} shown */
function searchWithout(shown) {
  const rest = (/** @type {Shown[]} */ some) => some.filter(({ digest }) => digest !== shown.digest);
  change({ more: rest(now.more), against: rest(now.against) });
}

function drawQuery() {
  const shown = now.query;
  part("query", HTMLElement).hidden = rankings.hidden = !shown;
  duplicates.hidden = true;
  document.body.classList.toggle("asked", shown !== null);
  complain("");
  collection.open = !shown;
  if (!shown) return;
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
  const mark = frame && outline(frame, "chosen", footprint(now.region, grid));
  if (frame && mark && now.region.kind === "box") {
    adjustable(frame, mark, now.region.at, {
      onBox: (at) => searchForPart({ kind: "box", at }),
      onPoint: (x, y) => searchForPart({ kind: "patch", at: [x, y] }),
    });
  }
  say(part("region", HTMLElement), inWords(now.region, grid));
  part("whole", HTMLButtonElement).hidden = now.region.kind === "whole";
  showTogether(now.more, now.against, { picture: (shown) => pictureOf(shown, "small"), onDrop: searchWithout });
}

/** @param {number} [wait] */
function search(wait = 0) {
  if (!now.query) return;
  clearTimeout(due);
  turns += 1; // whatever is still underway comes too late from here on
  rankings.ariaBusy = "true";
  due = setTimeout(() => searchNow().catch(report), wait);
}

async function searchNow() {
  if (!fields.components.checkValidity()) {
    fields.components.reportValidity();
    rankings.ariaBusy = "false";
    return;
  }
  const turn = turns;
  underway.abort();
  underway = new AbortController();
  const asked = columns();
  fields.pooling.disabled = amongPatches();
  rankings.classList.toggle("single", asked.length < 2);
  part("components-field", HTMLElement).hidden = ["none", "centre"].includes(fields.suppress.value);
  for (const id of /** @type {const} */ (["left", "right"])) prepare(id, asked.find((column) => column.id === id)?.title ?? "", anew);
  say(status, "Searching");
  /** @type {Ranking[]} */
  const found = [];
  let beside = null;
  for (const column of asked) {
    const answer = await ranking(column, turn, beside);
    if (turn !== turns) return;
    if (answer) found.push({ table: column.table.name, model: column.table.backbone, answer });
    if (column.id === "left") beside = { name: column.title, ranks: new Map(answer?.hits.map(({ digest, rank }) => [digest, rank])) };
  }
  anew = false;
  shownRankings = found;
  rankings.ariaBusy = "false";
  part("tools", HTMLElement).hidden = found.every(({ answer }) => answer.hits.length === 0);
  say(part("shared", HTMLElement), inBoth(found.map(({ answer }) => answer)));
  const most = Math.max(0, ...found.map(({ answer }) => answer.hits.length));
  deeper.hidden = most < now.k || now.k >= MOST_HITS;
  const waits = fields.among.value === "patches" && !amongPatches();
  say(status, most ? `${most} hits${waits ? " among whole photographs; click a patch to search among patches" : ""}` : "");
}

/** @param {Column} column @param {number} turn @param {{name: string, ranks: Map<string, number>} | null} beside */
async function ranking({ id, table, suppression }, turn, beside) {
  const words = question(suppression);
  const single = now.more.length + now.against.length === 0;
  const answer = await rank(id, address(amongPatches() ? "patches" : "search", words, table.name), underway.signal, () => turn === turns, (hit) => hitItem(hit, {
    picture: address("picture", { digest: hit.digest, size: "small" }, table.name),
    beside,
    onChoose: (part) => searchFor(hit, part),
    onWhy: single ? () => now.query && explain(now.query, hit, address("why", { ...words, hit: hit.digest }, table.name)) : null,
    onName: (button) => tell(hit, button),
    onMore: () => searchTogether("more", hit),
    onAgainst: () => searchTogether("against", hit),
  }));
  if (answer && id === "left" && !grid) {
    grid = answer.grid;
    drawRegion();
  }
  return answer;
}

function renew() {
  const table = take(fields.table);
  if (!table) return;
  offerTables();
  say(part("about", HTMLElement), `${table.n.toLocaleString("en")} photograph${table.n === 1 ? "" : "s"}, vectors of ${modelOf(table)}`);
  grid = null;
  listAnew(table, listing).catch(report);
}

function near() {
  now = { ...now, query: null };
  history.pushState(null, "", addressOf({ duplicates: least.value }, settings()));
  drawNear();
}

function drawNear() {
  drawQuery();
  say(status, "");
  collection.open = false;
  duplicates.hidden = false;
  showDuplicates(address("duplicates", { pooling: fields.pooling.value, least: least.value }), {
    picture: (shown) => pictureOf(shown, "small"),
    onChoose: searchFor,
    onName: tell,
  }).catch(report);
}

/** Asks what the page's address asks. */
async function restore() {
  const words = wordsIn(location.hash);
  const table = fields.table.value;
  offerTables(words);
  fillFilters(words);
  if (table !== fields.table.value) renew();
  rankings.ariaBusy = String(words.has("query"));
  const before = [now.query, ...now.more, ...now.against];
  const facts = async (/** @type {string} */ digest) =>
    before.find((shown) => shown?.digest === digest) ?? /** @type {Shown} */ (await (await ask(address("photograph", { digest }))).json());
  const all = (/** @type {string} */ name) => Promise.all((words.get(name) ?? "").split(",").filter(Boolean).map(facts));
  const [[query = null], plus, minus] = await Promise.all([all("query"), all("more"), all("against")]);
  now = { query, region: regionIn(words), more: plus, against: minus, k: Math.min(MOST_HITS, Number(words.get("k")) || FIRST_HITS) };
  if (query === null || query !== before[0]) {
    grid = null;
    anew = true;
  }
  if (words.has("duplicates")) {
    least.value = words.get("duplicates") ?? "";
    drawNear();
    return;
  }
  drawQuery();
  search();
}

async function begin() {
  offerTables(wordsIn(location.hash), (await (await ask("tables")).json()).tables);
  renew();
  await restore().catch(report);
  nearly.disabled = false;
}

/** A switch of the page: the search is asked again, and the page's address says how. @param {number} [wait] */
function settingsChanged(wait) {
  if (now.query) history.replaceState(null, "", addressOf(wordsOf(now), { ...settings(), ...filters() }));
  if (!duplicates.hidden) near();
  search(wait);
}

keyed(stage, {
  grid: () => grid,
  region: () => now.region,
  onRegion: searchForPart,
  onCursor: (words, box) => {
    if (stage.firstElementChild) outline(stage.firstElementChild, "cursor", box);
    if (words) say(status, words);
  },
});
fields.table.addEventListener("change", renew);
for (const field of [fields.table, fields.beside, fields.among, fields.pooling, fields.suppress]) field.addEventListener("change", () => settingsChanged());
fields.components.addEventListener("input", () => settingsChanged(PATIENCE_MS));
onFilters(() => settingsChanged());
part("bar", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  settingsChanged();
});
part("whole", HTMLButtonElement).addEventListener("click", () => {
  searchForPart(WHOLE);
  stage.focus();
});
nearly.addEventListener("click", near);
least.addEventListener("change", near);
part("csv", HTMLButtonElement).addEventListener("click", () => save("hits.csv", "text/csv", asCsv(shownRankings)));
part("json", HTMLButtonElement).addEventListener("click", () => save("hits.json", "application/json", asJson(question(fields.suppress.value), shownRankings)));
deeper.addEventListener("click", () => change({ k: Math.min(MOST_HITS, 2 * now.k) }));
pointOut(rankings);
const begun = begin(); // before there is a table, nothing can be compared or searched for
uploaded((shown) => begun.then(() => searchFor(shown), () => {}));
addEventListener("popstate", () => restore().catch(report));
begun.catch(report);
