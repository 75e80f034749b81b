/**
 * The live page: files dropped, pasted or picked are sent to the server one at a time, and the view shows
 * what became of them. Every request goes to an address below this page's own, which holds the run's key.
 */

import { answerOf } from "./answers.mjs";
import { h, say } from "./dom.mjs";
import { received } from "./folders.mjs";
import { ask, complain, inPlainWords, leaving, part, Refused, report, status } from "./page.mjs";
import { DinoscopeView } from "./view.mjs";

/** How often the page asks whether another page changed something. */
const POLL_MS = 2_000;
/** The view is renewed between files only where that takes at most about a quarter of the time. */
const PATIENCE = 3;

/** @typedef {{revision: number, photographs: {digest: string, name: string}[], failures: {name: string, reason: string}[]}} State */
/** @typedef {{kind: string, name?: string, reason?: string, done?: number, of?: number, revision?: number, n?: number, unusable?: {name: string, reason: string}[]}} Line */

const progress = part("progress", HTMLProgressElement);
const picker = part("files", HTMLInputElement);
const gridField = part("grid", HTMLInputElement);
const workspace = part("workspace", HTMLElement);
const failureBox = part("failures", HTMLElement);
const empty = part("empty", HTMLElement);
const limit = Number(document.documentElement.dataset.uploadBytes);

/** @type {State} */
let state = { revision: -1, photographs: [], failures: [] };
let grid = Number(document.documentElement.dataset.grid);
/** What the view shows: revision and grid. */
let shown = "";
/** @type {File[]} */
const waiting = [];
/** Failures that only this page knows. @type {{name: string, reason: string}[]} */
let own = [];
/** Photographs that cannot be used at this grid. @type {{name: string, reason: string}[]} */
let unusable = [];
let busy = false;
let renewedAt = 0;
let renewalMs = 0;
const view = new DinoscopeView();

/**
 * Starts a job and follows it to its last line.
 * @param {string} address
 * @param {BodyInit | null} body
 * @returns {Promise<Line>}
 */
async function follow(address, body) {
  const answer = await ask(address, { method: "POST", body });
  if (!answer.body) throw new Refused("the server said nothing");
  /** @type {Line} */
  let last = { kind: "cut" };
  let rest = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      last = JSON.parse(line);
      tell(last);
    }
  }
  if (last.kind === "cut" || last.kind === "broken") throw new Refused(last.reason ?? "the server stopped in the middle");
  return last;
}

/** @param {Line} line */
function tell(line) {
  const more = waiting.length ? `; ${waiting.length} more waiting` : "";
  if (line.kind === "model") {
    say(status, `${line.name}: model ${Math.min((line.done ?? 0) + 1, line.of ?? 1)} of ${line.of}${more}`);
    if (waiting.length === 0) move(line.done ?? 0, line.of ?? 1);
  } else if (line.kind === "photograph") {
    say(status, `${line.name}: photograph ${(line.done ?? 0) + 1} of ${line.of} at grid ${grid}`);
    move(line.done ?? 0, line.of ?? 1);
  } else if (line.kind === "reading") {
    say(status, `Reading ${line.name}`);
  }
}

/** @param {number} done @param {number} of */
function move(done, of) {
  progress.max = of;
  progress.value = done;
}

/** @param {State} news */
function take(news) {
  state = news;
  draw();
}

function draw() {
  workspace.hidden = state.photographs.length === 0;
  const count = state.photographs.length;
  workspace.querySelector("summary")?.replaceChildren(`${count} photograph${count === 1 ? "" : "s"}`);
  workspace.querySelector("ul")?.replaceChildren(
    ...state.photographs.map(({ digest, name }) =>
      h("li", {}, h("bdi", {}, name), " ", h("button", { type: "button", "aria-label": `Take ${name} away`, onclick: () => change(`remove?digest=${digest}`) }, "Take away"))),
  );
  const failures = [...state.failures, ...unusable, ...own];
  failureBox.hidden = failures.length === 0;
  failureBox.querySelector("ul")?.replaceChildren(...failures.map(({ name, reason }) => h("li", {}, h("bdi", {}, name), `: ${reason}`)));
}

/** @param {string} address */
async function change(address) {
  try {
    take(await (await ask(address, { method: "POST" })).json());
    work();
  } catch (error) {
    report(error);
  }
}

/** @param {Iterable<File>} files */
function add(files) {
  const before = waiting.length;
  for (const file of files) {
    if (file.size > limit) own.push({ name: file.name, reason: `larger than ${Math.floor(limit / 2 ** 20)} MiB` });
    else waiting.push(file);
  }
  if (waiting.length > before) complain("");
  draw();
  work();
}

/** @param {File} file */
async function send(file) {
  say(status, `Sending ${file.name}`);
  /** @type {ArrayBuffer} */
  let data;
  try {
    data = await file.arrayBuffer();
  } catch {
    own.push({ name: file.name, reason: "cannot be read: it has gone, or is a folder" });
    return;
  }
  try {
    const end = await follow(`photographs?grid=${grid}&name=${encodeURIComponent(file.name)}`, data);
    if (end.kind === "refused") own.push({ name: file.name, reason: end.reason ?? "" });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    own.push({ name: file.name, reason: error.message });
  }
  take(await (await ask("state")).json());
}

async function renew() {
  const start = performance.now();
  const wanted = grid;
  const end = await follow(`prepare?grid=${wanted}`, null);
  if (end.kind === "refused") {
    shown = key();
    complain(end.reason ?? "");
    return;
  }
  if (end.kind !== "ready") throw new Refused("dinoscope is closing");
  complain("");
  unusable = end.unusable ?? [];
  let revision = end.revision;
  if (end.n) {
    say(status, "Drawing");
    const answer = await ask(`payload?grid=${wanted}`);
    revision = Number(answer.headers.get("x-revision"));
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const header = new TextDecoder().decode(bytes.subarray(4, 4 + length));
    if (!view.isConnected) empty.after(view);
    if ("asks" in document.documentElement.dataset) view.ask = (question) => further({ ...question, grid: wanted, revision });
    await view.load(header, bytes.slice(4 + length));
  } else {
    view.remove();
  }
  empty.hidden = Boolean(end.n);
  shown = `${revision} ${wanted}`;
  take(await (await ask("state")).json());
  renewedAt = performance.now();
  renewalMs = renewedAt - start;
}

/**
 * What the payload does not hold.
 * @param {Record<string, unknown>} question
 */
async function further(question) {
  try {
    return answerOf(await (await ask("ask", { method: "POST", body: JSON.stringify(question) })).arrayBuffer());
  } catch (error) {
    throw new Error(inPlainWords(error));
  }
}

const key = () => `${state.revision} ${grid}`;

/** One thing after another until the page shows what is wanted. */
async function work() {
  if (busy) return;
  busy = true;
  progress.hidden = false;
  progress.removeAttribute("value");
  try {
    while (waiting.length || shown !== key()) {
      const file = waiting[0];
      const due = shown !== key() && performance.now() - renewedAt > PATIENCE * renewalMs;
      if (file && (!due || state.photographs.length === 0)) {
        waiting.shift();
        await send(file);
      } else await renew();
    }
    say(status, "");
  } catch (error) {
    shown = "";
    say(status, "");
    report(error);
  } finally {
    busy = false;
    progress.hidden = true;
    draw();
  }
}

async function poll() {
  if (!busy && !document.hidden) {
    try {
      const news = await (await ask("state")).json();
      if (!busy && (news.revision !== state.revision || shown === "")) {
        take(news);
        complain("");
        work();
      }
    } catch (error) {
      report(error);
    }
  }
  if (!leaving.signal.aborted) setTimeout(poll, POLL_MS);
}

picker.addEventListener("change", () => {
  add([...(picker.files ?? [])]);
  picker.value = "";
});
part("bar", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  grid = gridField.valueAsNumber;
  unusable = [];
  complain("");
  work();
});
document.getElementById("export")?.addEventListener("click", async () => {
  try {
    say(status, "Writing the report");
    const { path } = await (await ask(`export?grid=${grid}`, { method: "POST" })).json();
    say(status, `Report written: ${path}`);
  } catch (error) {
    say(status, "");
    report(error);
  }
});
part("clear", HTMLButtonElement).addEventListener("click", () => {
  own = [];
  unusable = [];
  change("failures/clear");
});
received((files, failures) => {
  own.push(...failures);
  add(files);
});

poll();
