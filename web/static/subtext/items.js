// What is inside a reply's frames: a head, events written as their difference from the one before,
// parts of a document. The format stands in protocol/subtext/items.py.

import { concat, exactFields, readUtf8 } from "./bytes.js";
import { SealedError } from "./errors.js";

const HEAD = 1;
const EVENT = 2;
const BYTES = 3;
const MAX_ITEM_BYTES = 1 << 20;
const MAX_EVENT_BYTES = 1 << 14; // five bytes may stand for it, 3,276 times in one frame
const MAX_NUMBER_BYTES = 4;
const MAX_HEADERS = 32;
const MAX_HEADER_CHARS = 1024;
const MAX_TYPE_CHARS = 200;
const HEADER_NAME = /^[a-z0-9-]{1,64}$/;
const VISIBLE = /^[ -~]*$/;

/**
 * @typedef {object} Head What the answer's head really says.
 * @property {number} status
 * @property {string} contentType
 * @property {Record<string, string>} headers of the rig, lower-case names
 */

/** @typedef {{head: Head} | {body: Uint8Array}} Item */

/** Reads items, however they were cut. After an error it is of no use any more. */
export class ItemReader {
  #room = new Uint8Array(1024);
  #buffer = this.#room.subarray(0, 0); // what no item has been read of yet
  #last = new Uint8Array(0);
  #started = false;

  /**
   * @param {Uint8Array} data
   * @returns {Item[]} the items that these bytes complete
   * @throws {SealedError} sealed_invalid on anything else
   */
  feed(data) {
    this.#append(data);
    const items = [];
    let at = 0;
    try {
      for (let read; (read = this.#read(at)); at = read.end) items.push(read.item);
    } catch {
      throw new SealedError("sealed_invalid", "The sealed reply makes no sense.");
    }
    this.#room.copyWithin(0, at, this.#buffer.length);
    this.#buffer = this.#room.subarray(0, this.#buffer.length - at);
    return items;
  }

  /** Whether an answer may end here: its head has come, and the end of each item. */
  get isWhole() {
    return this.#started && this.#buffer.length === 0;
  }

  /** @param {Uint8Array} data */
  #append(data) {
    const length = this.#buffer.length + data.length;
    if (length > this.#room.length) {
      this.#room = new Uint8Array(2 * length); // a long item comes in thousands of frames
      this.#room.set(this.#buffer);
    }
    this.#room.set(data, this.#buffer.length);
    this.#buffer = this.#room.subarray(0, length);
  }

  /**
   * @param {number} at
   * @returns {{item: Item, end: number} | null} the item there; null when it isn't there whole
   */
  #read(at) {
    if (at >= this.#buffer.length) return null;
    const kind = this.#buffer[at];
    const expected = this.#started ? kind === EVENT || kind === BYTES : kind === HEAD;
    if (!expected) throw new TypeError("no item may be here");
    const read = this.#numbers(at + 1, kind === EVENT ? 3 : 1);
    if (!read) return null;
    const length = /** @type {number} */ (read.numbers.pop());
    const end = read.end + length;
    if (length > MAX_ITEM_BYTES) throw new TypeError("too long");
    if (end > this.#buffer.length) return null;
    const data = this.#buffer.subarray(read.end, end);
    if (kind === EVENT) return { item: { body: this.#event(read.numbers, data) }, end };
    if (kind === BYTES) return { item: { body: data.slice() }, end };
    this.#started = true;
    return { item: { head: readHead(data) }, end };
  }

  /**
   * @param {number[]} shared bytes at the beginning and at the end that are the last event's
   * @param {Uint8Array} middle
   */
  #event([prefix, suffix], middle) {
    const last = this.#last;
    if (prefix + suffix > last.length) throw new TypeError("shares more than there is");
    if (prefix + middle.length + suffix > MAX_EVENT_BYTES) throw new TypeError("too long");
    const event = concat(last.subarray(0, prefix), middle, last.subarray(last.length - suffix));
    this.#last = event;
    return event.slice(); // whoever reads it may write to it
  }

  /**
   * @param {number} at
   * @param {number} count
   * @returns {{numbers: number[], end: number} | null} so many of them, and where they end
   */
  #numbers(at, count) {
    const numbers = [];
    while (numbers.length < count) {
      let value = 0;
      for (let place = 0, more = true; more; place++) {
        if (place === MAX_NUMBER_BYTES) throw new TypeError("too large");
        if (at >= this.#buffer.length) return null;
        const byte = this.#buffer[at++];
        value |= (byte & 0x7f) << (7 * place);
        more = byte >= 0x80;
      }
      numbers.push(value);
    }
    return { numbers, end: at };
  }
}

/**
 * @param {Uint8Array} data
 * @returns {Head}
 */
function readHead(data) {
  // The rig wrote it, nobody in between could: a key that stands twice deceives nobody.
  const head = exactFields(JSON.parse(readUtf8(data)), ["status", "content_type"], ["headers"]);
  const { status, content_type: contentType } = head;
  const headers = head.headers === undefined ? [] : Object.entries(exactObject(head.headers));
  const fits =
    Number.isInteger(status) && status >= 200 && status <= 599 &&
    isVisible(contentType, MAX_TYPE_CHARS) &&
    headers.length <= MAX_HEADERS && headers.every(isHeader);
  if (!fits) throw new TypeError("no head");
  return { status, contentType, headers: Object.fromEntries(headers) };
}

/** @param {unknown} value */
function exactObject(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("no object");
  return value;
}

/** @param {[string, unknown]} header */
const isHeader = ([name, value]) => HEADER_NAME.test(name) && isVisible(value, MAX_HEADER_CHARS);

/**
 * @param {unknown} value
 * @param {number} limit in characters
 */
const isVisible = (value, limit) =>
  typeof value === "string" && value.length <= limit && VISIBLE.test(value);
