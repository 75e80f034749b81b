/** What a press on a map does: a click pins; of a finger, a tap asks and a long press pins. Where clicks are answered, a
 * long press is the other click. */

/** @typedef {import("./session.mjs").Session} Session */
/** @typedef {import("./state.mjs").Place} Place */

const LONG_MS = 500;
const STILL_PX = 10;

/**
 * Does what may lay the table out anew, and scrolls so that the photograph or map under the pointer stays there.
 * @param {Session} session
 * @param {number} image
 * @param {() => void} act
 */
export function inPlace(session, image, act) {
  const { body } = session.table;
  const all = () => [.../** @type {NodeListOf<HTMLElement>} */ (body.querySelectorAll(`.stage[data-image="${image}"]`))];
  const stage = all().find((one) => one.matches(":hover")) ?? session.table.photos[image].stage;
  const place = all().indexOf(stage);
  const before = stage.getBoundingClientRect();
  act();
  const now = all()[place]?.getBoundingClientRect();
  if (!now) return;
  body.scrollLeft += Math.round(now.left - before.left);
  scrollBy({ top: Math.round(now.top - before.top), behavior: "instant" });
}

/** @param {Session} session */
export function listenToPresses(session) {
  const { body } = session.table;
  let touch = false;
  let timer = 0;
  let held = false;
  let from = { x: 0, y: 0 };
  const letGo = () => clearTimeout(timer);
  const press = (/** @type {Place} */ at, on = true) => {
    inPlace(session, at.image, () => session.click(at, on));
    session.table.photos[at.image].stage.focus({ preventScroll: true });
  };
  body.addEventListener("pointerdown", (event) => {
    letGo();
    touch = event.pointerType === "touch";
    const at = session.placeOf(event);
    if (!touch || !at) return;
    from = { x: event.clientX, y: event.clientY };
    held = false;
    timer = setTimeout(() => {
      held = true;
      navigator.vibrate?.(20);
      press(at, !session.asking?.way?.click);
    }, LONG_MS);
  });
  body.addEventListener("pointermove", (event) => {
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > STILL_PX) letGo();
  });
  for (const end of ["pointerup", "pointercancel"]) body.addEventListener(end, letGo);
  body.addEventListener("contextmenu", (event) => {
    if (touch && session.placeOf(event)) event.preventDefault();
  });
  body.addEventListener("click", (event) => {
    const at = session.placeOf(event);
    if (at && (!touch || (session.asking?.way?.click && !held))) press(at, !event.shiftKey);
  });
}
