/** Controls that several ways of looking share: a row of chips, a choice, a button. */

import { h } from "./dom.mjs";

/**
 * A row of buttons of which one is pressed.
 * @param {string} label
 * @param {(value: string) => void} choose
 * @returns {{element: HTMLElement, show: (entries: [string, string, string?][], value: string) => void}}
 */
export function chips(label, choose) {
  const element = h("span", { className: "chips", role: "group", "aria-label": label });
  let listed = "";
  return {
    element,
    show(entries, value) {
      const names = JSON.stringify(entries);
      if (names !== listed) {
        listed = names;
        element.replaceChildren(...entries.map(([key, text, title]) => {
          const button = h("button", { type: "button", title: title ?? "", onclick: () => choose(key) }, text);
          button.dataset.value = key;
          return button;
        }));
      }
      for (const button of element.querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(button.dataset.value === value));
      }
    },
  };
}

/**
 * @param {string} label
 * @param {[string, string][]} entries
 * @param {(value: string) => void} choose
 */
export function choice(label, entries, choose) {
  const element = h("select", { "aria-label": label, title: label, onchange: () => choose(element.value) },
    ...entries.map(([value, text]) => h("option", { value }, text)));
  return element;
}

/**
 * @param {string} text
 * @param {string} title
 * @param {() => void} press
 */
export const button = (text, title, press) => h("button", { type: "button", title, onclick: press }, text);
