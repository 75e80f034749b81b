/** The search page's switches: which tables, among what, how pooled and suppressed. */

import { h } from "./dom.mjs";
import { offerFilters } from "./filters.mjs";
import { part } from "./page.mjs";

/** @typedef {{name: string, backbone: string, kind: string, n: number, dense: boolean, shots: import("./filters.mjs").Shots}} Table */

export const fields = {
  table: part("table", HTMLSelectElement),
  beside: part("beside", HTMLSelectElement),
  among: part("among", HTMLSelectElement),
  pooling: part("pooling", HTMLSelectElement),
  suppress: part("suppress", HTMLSelectElement),
  components: part("components", HTMLInputElement),
};

/** A table's model, and that it is a control or a toy where it is one. @param {Table} table */
export const modelOf = ({ backbone, kind }) => backbone + (kind && ` (${kind})`);

/** @type {Table[]} */
let tables = [];

/** The table that a field names; none where it names none. @param {HTMLSelectElement} field */
export const take = (field) => tables.find(({ name }) => name === field.value) ?? null;

/** What the fields say, for the page's address. @returns {Record<string, string>} */
export function settings() {
  const { table, beside, among, pooling, suppress, components } = fields;
  const said = { model: table.value, among: among.value, pooling: pooling.value, suppress: suppress.value, directions: components.value };
  const kept = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== ""));
  return tables.length > 1 ? { ...kept, beside: beside.value } : kept;
}

/**
 * Fills the fields with the store's tables, or with what an address says.
 * @param {Map<string, string>} [words] @param {Table[]} [found]
 */
export function offerTables(words = new Map(), found = tables) {
  const before = { table: words.get("model") ?? fields.table.value, beside: words.get("beside") ?? (found === tables ? fields.beside.value : null) };
  tables = found;
  const named = (/** @type {Table} */ { name, backbone }) => (tables.filter((other) => other.backbone === backbone).length > 1 ? name : backbone);
  const option = (/** @type {Table} */ table) => h("option", { value: table.name }, named(table));
  fields.table.replaceChildren(...tables.map(option));
  if (tables.some(({ name }) => name === before.table)) fields.table.value = before.table;
  const others = tables.filter(({ name }) => name !== fields.table.value);
  fields.beside.replaceChildren(h("option", { value: "" }, "nothing"), ...others.map(option));
  const known = before.beside === "" || others.some(({ name }) => name === before.beside);
  fields.beside.value = known ? before.beside ?? "" : others[0]?.name ?? "";
  part("table-field", HTMLElement).hidden = part("beside-field", HTMLElement).hidden = tables.length < 2;
  for (const [name, field] of /** @type {const} */ ([["among", fields.among], ["pooling", fields.pooling], ["suppress", fields.suppress]])) {
    const value = words.get(name) ?? "";
    if ([...field.options].some((one) => one.value === value)) field.value = value;
  }
  fields.components.value = words.get("directions") ?? fields.components.value;
  const table = take(fields.table);
  if (!table) return;
  const patches = fields.among.options[1];
  patches.disabled = !table.dense;
  patches.textContent = table.dense ? "patches" : "patches (not kept: embed --dense)";
  if (!table.dense) fields.among.value = "photographs";
  offerFilters(table.shots);
}
