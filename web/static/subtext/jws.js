// Signed documents that carry their signer's key, with exactly one algorithm: protocol/jws.py.

import { exactFields, fromBase64url, readJson, toBase64url, utf8 } from "./bytes.js";

const ALGORITHM = "Ed25519";
const SIGNING_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/**
 * y of all points of small order, in every spelling, less the sign bit. Such a key "signs" anything
 * with one signature; browsers differ in whether they refuse it.
 */
const SMALL_ORDER = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

/**
 * @typedef {object} ParsedJws
 * @property {Uint8Array} signer Ed25519 public key
 * @property {Uint8Array} signature
 * @property {Uint8Array} signed what the signature is of
 * @property {Uint8Array} payload
 */

/**
 * @param {string} text compact JWS with its signer's key in the header
 * @param {{typ: string, maxChars: number}} expected
 * @returns {ParsedJws} not verified yet
 * @throws {Error} on anything else
 */
export function parseJws(text, { typ, maxChars }) {
  const parts = text.split(".");
  if (text.length > maxChars || parts.length !== 3) throw new TypeError("not a compact JWS");
  const header = exactFields(readJson(fromBase64url(parts[0])), ["alg", "jwk", "typ"]);
  const jwk = exactFields(header.jwk, ["crv", "kty", "x"]);
  if (header.alg !== ALGORITHM || header.typ !== typ) throw new TypeError("wrong algorithm or type");
  const { kty, crv, x } = jwk;
  if (kty !== "OKP" || crv !== "Ed25519" || typeof x !== "string") throw new TypeError("not an Ed25519 key");
  const signer = fromBase64url(x);
  const signature = fromBase64url(parts[2]);
  if (signer.length !== SIGNING_KEY_BYTES || signature.length !== SIGNATURE_BYTES) {
    throw new TypeError("wrong length");
  }
  const signed = utf8(`${parts[0]}.${parts[1]}`);
  return { signer, signature, signed, payload: fromBase64url(parts[1]) };
}

/**
 * @param {ParsedJws} parsed
 * @returns {Promise<boolean>} whether the key in the header made the signature
 */
export async function isSigned({ signer, signature, signed }) {
  if (SMALL_ORDER.has(hexOfY(signer))) return false;
  try {
    const key = await crypto.subtle.importKey("raw", signer, ALGORITHM, false, ["verify"]);
    return await crypto.subtle.verify(ALGORITHM, key, signature, signed);
  } catch {
    return false; // 32 bytes that are no point
  }
}

/** @param {Uint8Array} point */
function hexOfY(point) {
  const y = point.slice();
  y[y.length - 1] &= 0x7f; // the sign of x
  return Array.from(y, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {object} claims
 * @param {{typ: string, jwk: object, privateKey: CryptoKey}} signer
 * @returns {Promise<string>} compact JWS
 */
export async function signJws(claims, { typ, jwk, privateKey }) {
  const header = { alg: ALGORITHM, jwk, typ };
  const signed = [header, claims].map((part) => toBase64url(utf8(JSON.stringify(part)))).join(".");
  const signature = await crypto.subtle.sign(ALGORITHM, privateKey, utf8(signed));
  return `${signed}.${toBase64url(new Uint8Array(signature))}`;
}
