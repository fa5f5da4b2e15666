// What lists and tables say of a replay.

import { formatNumber, UNKNOWN } from "../taste/numbers.js";

/** @typedef {import("../taste/words.js").Say} Say */

/** @param {import("./format.js").RigFacts} rig */
export const rigName = (rig) => rig.gpu || rig.name || rig.node_id.slice(0, 10);

/** @param {number | null | undefined} rate */
export const rateOf = (rate) => (rate === null || rate === undefined ? UNKNOWN : formatNumber(rate, 1));

/**
 * @param {import("./format.js").Figures} figures
 * @param {Say} say
 */
export function tokensOf({ completion_tokens: tokens, counted }, say) {
  if (tokens === null || tokens === undefined) return UNKNOWN;
  // Pieces are no more than the tokens.
  return counted === "pieces" ? say("about", { n: formatNumber(tokens) }) : formatNumber(tokens);
}

/**
 * @param {import("./format.js").Replay} replay
 * @param {Say} say
 */
export function outcomeOf({ outcome, error_code: code }, say) {
  return outcome === "failed" && code ? say("failed_code", { code }) : say(`outcome_${outcome}`);
}

/** @param {number} seconds Unix */
export function whenOf(seconds) {
  const language = document.documentElement.lang;
  return new Date(seconds * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
}
