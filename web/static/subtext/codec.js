// Bytes as Unicode variation selectors, and the frames in a run of them. The format stands in
// protocol/subtext/codec.py; this side reads and writes the same.

import { bigEndian, concat } from "./bytes.js";
import { SealedError } from "./errors.js";

export const REQUEST = 1;
export const REPLY = 2;
export const LAST_REPLY = 3;

const VERSION = 1;
const HEADER_BYTES = 8;
const MAX_PAYLOAD_BYTES = 1 << 20;
const RUN_SELECTORS = 8; // in a row; an honest text has one after a character
const MAGIC = [0x4c, 0x52]; // LR

const FIRST_LOW = 0xfe00; // 0 to 15, one UTF-16 code unit
const LOW = 16;
const HIGH_LEAD = 0xdb40; // 16 to 255: this one, and one of the 240 from FIRST_TRAIL on
const FIRST_TRAIL = 0xdd00;
const LAST_TRAIL = 0xddef;
const UNITS_AT_ONCE = 8192; // arguments of one call; engines have limits, Safari's is 65,536

/**
 * @typedef {object} Frame
 * @property {number} kind REQUEST, REPLY or LAST_REPLY
 * @property {Uint8Array} payload
 */

/**
 * @param {Uint8Array} data
 * @returns {string} one selector for each byte
 */
export function toSelectors(data) {
  const units = new Uint16Array(2 * data.length);
  let end = 0;
  for (const byte of data) {
    if (byte < LOW) {
      units[end++] = FIRST_LOW + byte;
    } else {
      units[end++] = HIGH_LEAD;
      units[end++] = FIRST_TRAIL + byte - LOW;
    }
  }
  let text = "";
  for (let at = 0; at < end; at += UNITS_AT_ONCE) {
    text += String.fromCharCode.apply(null, units.subarray(at, Math.min(end, at + UNITS_AT_ONCE)));
  }
  return text;
}

/**
 * @param {string} text selectors only
 * @returns {Uint8Array}
 * @throws {TypeError} on any other character
 */
export function fromSelectors(text) {
  const run = readRun(text, 0);
  if (run.end !== text.length) throw new TypeError("not a variation selector");
  return run.data;
}

/**
 * @param {number} kind
 * @param {Uint8Array} payload
 * @returns {string} a frame as selectors
 * @throws {TypeError} when the payload is longer than a frame may be
 */
export function toFrame(kind, payload) {
  if (payload.length > MAX_PAYLOAD_BYTES) throw new TypeError("too long for a frame");
  const head = Uint8Array.of(...MAGIC, VERSION, kind);
  return toSelectors(concat(head, bigEndian(payload.length, 4), payload));
}

/**
 * The frames of the one run in a text; none when it has no run that begins with the magic.
 *
 * @param {string} text
 * @returns {Frame[]}
 * @throws {SealedError} sealed_invalid for a run that begins like ours and isn't whole, has another
 * version, or has a second run beside it: a text that was cut, or put together of two
 */
export function readFrames(text) {
  const runs = findRuns(text);
  const sealed = runs.find((run) => run[0] === MAGIC[0] && run[1] === MAGIC[1]);
  if (!sealed) return [];
  if (runs.length !== 1) throw refused("holds more than one sealed run");
  return split(sealed);
}

/**
 * @param {string} text
 * @returns {Uint8Array[]} what stands in runs of RUN_SELECTORS or more
 */
function findRuns(text) {
  const runs = [];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit !== HIGH_LEAD && (unit < FIRST_LOW || unit >= FIRST_LOW + LOW)) continue;
    const run = readRun(text, at);
    if (run.data.length >= RUN_SELECTORS) runs.push(run.data);
    at = Math.max(at, run.end - 1);
  }
  return runs;
}

/**
 * @param {string} text
 * @param {number} start
 * @returns {{data: Uint8Array, end: number}} the selectors from there on, and where they end
 */
function readRun(text, start) {
  let data = new Uint8Array(64);
  let length = 0;
  let at = start;
  for (; at < text.length; at++) {
    let byte = text.charCodeAt(at) - FIRST_LOW;
    if (byte < 0 || byte >= LOW) {
      const trail = byte === HIGH_LEAD - FIRST_LOW ? text.charCodeAt(at + 1) : 0;
      if (!(trail >= FIRST_TRAIL && trail <= LAST_TRAIL)) break; // NaN at the text's end, too
      byte = trail - FIRST_TRAIL + LOW;
      at += 1;
    }
    if (length === data.length) data = grown(data);
    data[length++] = byte;
  }
  return { data: data.subarray(0, length), end: at };
}

/** @param {Uint8Array} data */
function grown(data) {
  const larger = new Uint8Array(4 * data.length);
  larger.set(data);
  return larger;
}

/**
 * @param {Uint8Array} data
 * @returns {Frame[]}
 */
function split(data) {
  const frames = [];
  for (let at = 0; at < data.length; ) {
    const head = data.subarray(at, at + HEADER_BYTES);
    if (head.length < HEADER_BYTES || head[0] !== MAGIC[0] || head[1] !== MAGIC[1]) throw cut();
    if (head[2] !== VERSION) {
      throw refused(`has version ${head[2]} of the format; this page speaks ${VERSION}`);
    }
    const length = new DataView(data.buffer, data.byteOffset + at + 4, 4).getUint32(0);
    const start = at + HEADER_BYTES;
    at = start + length;
    if (length > MAX_PAYLOAD_BYTES || at > data.length) throw cut();
    const kind = head[3];
    if (kind < REQUEST || kind > LAST_REPLY) throw refused("has a frame of no known kind");
    frames.push({ kind, payload: data.subarray(start, at) });
  }
  return frames;
}

const cut = () => refused("was cut or changed on its way");

/** @param {string} why */
const refused = (why) => new SealedError("sealed_invalid", `The sealed text ${why}.`);
