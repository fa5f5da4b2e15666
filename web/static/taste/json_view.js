// JSON laid out for people. All of it is text in elements: nothing a model writes becomes markup.

const MAX_CHARS = 100_000; // more elements than these make a page slow
const MAX_DEPTH = 32;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/**
 * @param {string} text
 * @returns {string | null} the object or list that it is, indented; null for anything else
 */
export function indented(text) {
  const start = text.trimStart()[0];
  if ((start !== "{" && start !== "[") || text.length > MAX_CHARS || depthOf(text) > MAX_DEPTH) return null;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

/**
 * @param {string} text JSON that is indented
 * @returns {DocumentFragment} the same, with keys, texts and other values told apart
 */
export function colour(text) {
  const made = new DocumentFragment();
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    made.append(text.slice(at, match.index));
    const span = document.createElement("span");
    span.className = match[2] !== undefined ? "key" : match[1] !== undefined ? "text" : "value";
    span.textContent = match[1] ?? match[0];
    made.append(span, match[2] ?? "");
    at = match.index + match[0].length;
  }
  made.append(text.slice(at));
  return made;
}

/**
 * Every level is indented further than the one around it, so deep JSON would grow by its square.
 *
 * @param {string} text
 */
function depthOf(text) {
  let depth = 0;
  let deepest = 0;
  for (const [bracket] of text.replace(/"(?:[^"\\]|\\.)*"/g, "").matchAll(/[[\]{}]/g)) {
    depth += bracket === "[" || bracket === "{" ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}
