// Bytes, their spellings, and JSON that has one reading only.

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const STRING = /"(?:[^"\\]|\\.)*"(\s*:)?/g;
const UTF8 = new TextEncoder();
const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * @param {...Uint8Array} parts a few; a call has room for some 10,000 arguments
 * @returns {Uint8Array} all of them, one after the other
 */
export const concat = (...parts) => join(parts);

/**
 * @param {Uint8Array[]} parts any number
 * @returns {Uint8Array} all of them, one after the other
 */
export function join(parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * @param {number} value an integer, at least 0
 * @param {number} length how many bytes
 * @returns {Uint8Array} big endian
 */
export function bigEndian(value, length) {
  const bytes = new Uint8Array(length);
  // No shifts: they are good for 32 bits only, and a time takes eight bytes.
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = value % 256;
    value = Math.floor(value / 256);
  }
  return bytes;
}

/** @param {string} text */
export const utf8 = (text) => UTF8.encode(text);

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 * @throws {TypeError} when they aren't UTF-8; a byte order mark stays in the text
 */
export const readUtf8 = (bytes) => STRICT_UTF8.decode(bytes);

/**
 * @param {Uint8Array} data
 * @returns {Promise<Uint8Array>} SHA-256
 */
export async function sha256(data) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

/**
 * @param {Uint8Array} data
 * @returns {string} base64url without padding
 */
export function toBase64url(data) {
  let binary = "";
  for (const byte of data) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/**
 * @param {string} text canonical base64url: one byte string has exactly one spelling
 * @returns {Uint8Array}
 * @throws {TypeError} on padding, foreign characters, or bits that the last one must not set
 */
export function fromBase64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new TypeError("not base64url");
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const data = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  if (toBase64url(data) !== text) throw new TypeError("not canonical base64url");
  return data;
}

/**
 * @param {Uint8Array} data 5 n bytes
 * @returns {string} 8 n characters of lower-case base32
 */
export function toBase32(data) {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of data) {
    value = ((value & 0xff) << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += BASE32[(value >> (bits - 5)) & 31];
  }
  return text;
}

/**
 * One JSON document. JSON.parse takes the last of two values with one key, other readers the first:
 * so a key that is given twice is refused, and bytes that aren't UTF-8.
 *
 * @param {Uint8Array} bytes
 * @returns {unknown}
 * @throws {Error} on anything else
 */
export function readJson(bytes) {
  const text = readUtf8(bytes);
  const value = JSON.parse(text);
  // In what JSON.parse has read, a string before a colon is a key, and nothing else is.
  let written = 0;
  for (const match of text.matchAll(STRING)) if (match[1]) written += 1;
  if (written !== countKeys(value)) throw new TypeError("a key is given twice");
  return value;
}

/** @param {unknown} value */
function countKeys(value) {
  let keys = 0;
  const waiting = [value];
  while (waiting.length) {
    const next = waiting.pop();
    if (typeof next !== "object" || next === null) continue;
    const inside = Object.values(next);
    if (!Array.isArray(next)) keys += inside.length;
    for (const each of inside) waiting.push(each);
  }
  return keys;
}

/**
 * @param {unknown} value
 * @param {string[]} required names that it must have
 * @param {string[]} [optional] names that it may have
 * @returns {Record<string, unknown>} the same value
 * @throws {TypeError} unless it is an object with exactly those fields
 */
export function exactFields(value, required, optional = []) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError("not an object");
  }
  const names = Object.keys(value);
  const known = names.every((name) => required.includes(name) || optional.includes(name));
  if (!known || !required.every((name) => names.includes(name))) throw new TypeError("wrong fields");
  return /** @type {Record<string, unknown>} */ (value);
}
