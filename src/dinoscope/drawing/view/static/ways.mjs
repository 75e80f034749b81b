/** Every way of looking that asks the server, by its mode. */

import { ATTENTION } from "./attention.mjs";
import { CLICKS } from "./clicks.mjs";
import { FACETS } from "./facets.mjs";
import { CLUSTERS, SPECTRAL } from "./groups.mjs";
import { MATCHES } from "./matches.mjs";
import { REPAIR } from "./repair.mjs";
import { WORDS } from "./texts.mjs";
import { UPSAMPLED } from "./upsampled.mjs";

/** @type {Record<string, import("./asking.mjs").Way>} */
export const WAYS = {
  attention: ATTENTION,
  facet: FACETS,
  clusters: CLUSTERS,
  spectral: SPECTRAL,
  upsampled: UPSAMPLED,
  repair: REPAIR,
  segment: CLICKS,
  match: MATCHES,
  words: WORDS,
};
