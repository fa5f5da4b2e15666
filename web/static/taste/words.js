// What scripts say, in the page's language: the page brings the texts along.

/**
 * @callback Say
 * @param {string} name such as "queued"
 * @param {Record<string, string | number>} [values] of its placeholders
 * @returns {string}
 */

/**
 * @param {Element} list of elements with data-word
 * @returns {Say}
 */
export function readWords(list) {
  const texts = new Map();
  for (const each of list.querySelectorAll("[data-word]")) {
    texts.set(each.getAttribute("data-word"), each.textContent);
  }
  return (name, values = {}) => {
    const text = texts.get(name);
    if (text === undefined) throw new TypeError(`no word ${name}`);
    // In one pass: a value that holds braces is no placeholder.
    return text.replace(/\{([a-z]+)\}/g, (whole, key) => String(values[key] ?? whole));
  };
}
