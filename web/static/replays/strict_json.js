// JSON of strangers: what JSON.parse would let pass is refused. Two readers that differ would show
// two replays of one file. protocol/strictjson.py is the same in Python.

import { wellFormed } from "../taste/replay.js";

export const MAX_DEPTH = 40; // a request may be 32 deep
export const MAX_VALUES = 1_000_000; // an event has four

const LONG_INTEGER = /^-?[0-9]{19,}$/;
const MAX_DIGITS = 20;
const LEAST = -(2n ** 63n);
const MOST = 2n ** 64n - 1n;

/**
 * @param {string} text
 * @returns {unknown}
 * @throws {SyntaxError} for what isn't JSON, is too deep or too long, says a key twice, or holds a
 *   number or half a character that others read differently
 */
export function parseStrictly(text) {
  scan(text);
  return JSON.parse(text);
}

/**
 * Exact for all that JSON.parse takes; it refuses the rest.
 *
 * @param {string} text
 */
function scan(text) {
  /** @type {(Set<string> | null)[]} the keys of each open object; null for an array */
  const open = [];
  let values = 0;
  let at = 0;
  while (at < text.length) {
    const char = text[at];
    if (char === '"') {
      const end = endOfString(text, at);
      const string = readString(text.slice(at, end));
      at = end;
      if (isKey(text, end)) addKey(open[open.length - 1] ?? null, string);
      else values += 1;
    } else if (char === "{" || char === "[") {
      open.push(char === "{" ? new Set() : null);
      values += 1;
      at += 1;
    } else if (char === "}" || char === "]") {
      open.pop();
      at += 1;
    } else if (/[-0-9tfn]/.test(char)) {
      const end = endOfWord(text, at);
      checkNumber(text.slice(at, end));
      values += 1;
      at = end;
    } else {
      at += 1;
    }
    if (open.length > MAX_DEPTH || values > MAX_VALUES) throw new SyntaxError("too much");
  }
}

/**
 * @param {string} text
 * @param {number} start of its quote
 * @returns {number} after its other quote
 */
function endOfString(text, start) {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/**
 * @param {string} raw with its quotes
 * @returns {string}
 */
function readString(raw) {
  if (!raw.includes("\\")) return raw.slice(1, -1);
  const read = JSON.parse(raw);
  if (raw.includes("\\u") && wellFormed(read) !== read) throw new SyntaxError("half a character");
  return read;
}

/**
 * @param {string} text
 * @param {number} end of a string
 */
function isKey(text, end) {
  let at = end;
  while (" \t\r\n".includes(text[at] ?? "x")) at += 1;
  return text[at] === ":";
}

/**
 * @param {Set<string> | null} keys
 * @param {string} key
 */
function addKey(keys, key) {
  if (!keys || keys.has(key)) throw new SyntaxError("twice");
  keys.add(key);
}

/**
 * @param {string} text
 * @param {number} start
 */
function endOfWord(text, start) {
  let at = start + 1;
  while (at < text.length && /[-+.0-9a-zA-Z]/.test(text[at])) at += 1;
  return at;
}

/** @param {string} word */
function checkNumber(word) {
  if (LONG_INTEGER.test(word)) {
    // The length goes first: reading a long number takes quadratic time.
    const digits = word.length - (word[0] === "-" ? 1 : 0);
    if (digits > MAX_DIGITS || BigInt(word) < LEAST || BigInt(word) > MOST) throw new SyntaxError("long integer");
  } else if (!/^[tfn]/.test(word) && !Number.isFinite(Number(word))) {
    throw new SyntaxError("no number");
  }
}
