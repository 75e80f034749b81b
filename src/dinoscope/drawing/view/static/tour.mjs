/** A guided tour of five steps and three questions, beside the maps, which stay live. */

import { h } from "./dom.mjs";
import { coloursName } from "./said.mjs";

/** @typedef {import("./session.mjs").Session} Session */
/** @typedef {import("./state.mjs").State} State */

/**
 * @typedef {object} Step
 * @property {string} title
 * @property {string[]} texts a paragraph each
 * @property {Partial<State>} state what the maps show meanwhile
 */

const WHOLE = { z: 1, x: 0.5, y: 0.5 };

/**
 * @param {Session} session
 * @returns {Step[]}
 */
function stepsOf({ view, state }) {
  const [first, second] = state.order.map((m) => view.models[m]);
  const grid = view.grids[state.at.image][state.order[0]];
  const colours = view.colours === "pca"
    ? "The three directions in which patches differ most are shown as red, green and blue: one basis for each model, over all photographs. " +
      "Patches of one colour are alike in these three directions, and may differ in all others."
    : `The colours here are not principal components: ${coloursName(view).toLowerCase()}, over all photographs, for each model.`;
  return [
    {
      title: "What a patch is",
      texts: [`A model cuts every photograph into small squares, here ${grid.h} by ${grid.w}, and describes each by a list of numbers: ${first.label} by ${first.dim}. ` +
        "The frame marks one such patch. All maps have one colour for each of them; nothing is smoothed."],
      state: { mode: "pca", zoom: { z: 4, x: state.at.x, y: state.at.y } },
    },
    {
      title: "Point at one",
      texts: ["Move the pointer over a photograph: all maps show how alike their patches are to the one below it. Yellow is the same, the darkest colour nothing in common, pink the opposite. " +
        "The scale is one for all models.",
      "A click pins the patch, so that another can be compared; on a touch screen a tap asks and a long press pins. With the keyboard: Tab to a photograph, then the arrow keys and Enter."],
      state: { mode: "cosine", zoom: WHOLE },
    },
    {
      title: "Two models",
      texts: second
        ? [`Difference takes the cosines of ${first.label} away from those of ${second.label}, for the same patch: orange where ${second.label} finds more in common with it, purple where less, white where both agree.`,
          "The key O lays the maps of two models over each other, with an edge that can be moved."]
        : ["There is one model here. With two, their maps stand side by side, with the same patch asked for in both, and can be subtracted."],
      state: { mode: second ? "difference" : "cosine", zoom: WHOLE },
    },
    {
      title: `${coloursName(view)} colours`,
      texts: [colours, "A further model's colours are made to look like the first's where they can, so that the eye has less to undo. Red means nothing by itself."],
      state: { mode: "pca", components: null, zoom: WHOLE },
    },
    {
      title: "What the numbers do not say",
      texts: ["A smooth map is no better map: a blurred one is perfectly smooth. None of the numbers says how well a model does at a task, and a few photographs chosen by hand are no benchmark.",
        "A difference between two models names no cause: they usually differ in more than one thing at once."],
      state: { mode: "pca", zoom: WHOLE },
    },
  ];
}

/** @type {[string, string][]} */
const QUESTIONS = [
  ["The same region is red in both models' colours. Do both see the same in it?",
    "The colours do not say. They are three of many directions, and the second model's are turned to look like the first's. Ask with cosines: point into the region, and see what else each model finds alike."],
  ["One model's cosine map is yellow nearly everywhere. Is it the better model?",
    "It tells less apart: nearly every patch is alike to it. Compare how alike patches next to each other are with how alike any two are, and look at the controls, which know nothing and can be as smooth."],
  ["A number differs between two models, and its interval leaves out 0. Is the way they were trained the cause?",
    "That is not known. The interval says that the difference is not chance over photographs like these. The models may differ in data, size, registers and training at once; no number here separates them."],
];

/**
 * Begins the tour.
 * @param {Session} session
 * @param {HTMLElement | null} from what gets the focus back
 */
export function tour(session, from) {
  if (session.room.querySelector(".tour")) return;
  const steps = stepsOf(session);
  const { mode, components, zoom } = session.state;
  const title = h("h2", { tabIndex: -1 });
  const text = h("div", {});
  const count = h("span", { className: "note" });
  const back = h("button", { type: "button", onclick: () => go(at - 1) }, "Back");
  const next = h("button", { type: "button", onclick: () => go(at + 1) }, "Next");
  const skip = h("button", { type: "button", onclick: () => leave() }, "Skip the tour");
  const panel = h("div", { className: "tour", role: "dialog" }, title, text, h("p", { className: "steps" }, back, next, skip, count));
  let at = 0;
  const leave = () => {
    panel.remove();
    session.set({ mode, components, zoom });
    from?.focus({ preventScroll: true });
  };
  const go = (/** @type {number} */ to) => {
    if (to > steps.length) return leave();
    at = to;
    const step = steps[at];
    title.textContent = step ? step.title : "Three questions";
    panel.setAttribute("aria-label", step ? `Tour, step ${at + 1} of ${steps.length}` : "Tour, questions");
    count.textContent = step ? `${at + 1} of ${steps.length}` : "";
    back.disabled = at === 0;
    next.textContent = step ? "Next" : "Done";
    skip.hidden = !step;
    text.replaceChildren(...(step ? step.texts.map((said) => h("p", {}, said)) : QUESTIONS.map(([question, answer]) =>
      h("details", {}, h("summary", {}, question), h("p", {}, answer)))));
    if (step) session.set(step.state);
    title.focus({ preventScroll: true });
  };
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
  });
  session.room.append(panel);
  go(0);
}
