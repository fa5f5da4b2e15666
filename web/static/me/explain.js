// What a refusal of the tracker reads like.

import { Refused } from "./asking.js";

/**
 * @param {import("../taste/words.js").Say} say
 * @param {unknown} error
 * @returns {string} for a person
 */
export function explain(say, error) {
  if (!(error instanceof Refused)) throw error;
  if (error.code === "unreachable") return say("script.unreachable");
  return say("script.failed", { message: error.message, code: error.code });
}
