// Figures as people read them, in the page's language.

export const UNKNOWN = "–";

/**
 * @param {number} value
 * @param {number} [digits] after the point, at most
 */
export function formatNumber(value, digits = 0) {
  return value.toLocaleString(document.documentElement.lang, { maximumFractionDigits: digits });
}

/**
 * @param {number | null | undefined} ms
 * @param {import("./words.js").Say} say
 */
export function formatTime(ms, say) {
  if (ms === null || ms === undefined) return UNKNOWN;
  if (ms < 1000) return say("milliseconds", { n: formatNumber(ms) });
  return say("seconds", { n: formatNumber(ms / 1000, 2) });
}
