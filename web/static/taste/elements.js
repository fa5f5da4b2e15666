// Finding and making elements. Texts go in as text.

/**
 * @param {string} id
 * @returns {any} the element of the page with that id
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new TypeError(`no element ${id}`);
  return found;
}

/**
 * @param {string} name
 * @param {Partial<HTMLElement> & Record<string, unknown>} [fields]
 * @param {...(Node | string)} inside
 * @returns {any}
 */
export function make(name, fields = {}, ...inside) {
  const made = Object.assign(document.createElement(name), fields);
  made.append(...inside);
  return made;
}
