/** A photograph that is chosen, dropped or pasted, on its way to the server. */

import { say } from "./dom.mjs";
import { received } from "./folders.mjs";
import { ask, complain, part, Refused, report, status } from "./page.mjs";

const picker = part("file", HTMLInputElement);
const limit = Number(document.documentElement.dataset.uploadBytes);

/** Hears of every photograph that comes. @param {(shown: import("./region.mjs").Shown) => void} take */
export function uploaded(take) {
  picker.addEventListener("change", () => {
    send([...(picker.files ?? [])], take);
    picker.value = "";
  });
  received((files, failures) => send(files, take, failures.map(({ name, reason }) => `${name}: ${reason}`).join("; ")));
}

/** @param {File[]} files @param {(shown: import("./region.mjs").Shown) => void} take @param {string} [problem] */
async function send(files, take, problem = "") {
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
    take(shown);
    if (files.length > 1) complain(`Of ${files.length} photographs the first is searched for.`);
  } catch (error) {
    report(error);
  }
}
