// Text that grows: only what is new is added to the page, and a box that was read to its end is
// scrolled on.

/** @param {HTMLElement} box that scrolls */
export function keepAtEnd(box, /** @type {() => void} */ change) {
  // Whoever has scrolled up is reading there.
  const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  change();
  if (isAtEnd) box.scrollTop = box.scrollHeight;
}

/** Text that comes in pieces: many a frame become one change of the page. */
export class Growing {
  #box;
  #text = document.createTextNode("");
  #waiting = "";
  #isDue = false;

  /** @param {HTMLElement} box */
  constructor(box) {
    this.#box = box;
    box.replaceChildren(this.#text);
  }

  /** @param {string} piece */
  add(piece) {
    this.#waiting += piece;
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => this.flush());
  }

  /** @returns {string} all of it, on the page now */
  flush() {
    this.#isDue = false;
    if (this.#waiting) {
      keepAtEnd(this.#box, () => this.#text.appendData(this.#waiting));
      this.#waiting = "";
    }
    return this.#text.data;
  }
}
