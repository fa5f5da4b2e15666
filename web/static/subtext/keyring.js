// A rig's sealing keys, as the rig itself signs them: protocol/subtext/keyring.py, jws.py, ids.py.
// Whoever hands them on can put no key of theirs in: a rig's id is the hash of the key that signs.

import { exactFields, fromBase64url, readJson, sha256, toBase32, utf8 } from "./bytes.js";
import { SealedError } from "./errors.js";
import { isUsable, KEY_BYTES } from "./hpke.js";

const TYPE = "lr-sealing+jwt";
const ALGORITHM = "Ed25519";
const MAX_CHARS = 20_480;
const MAX_KEYS = 8;
const MAX_KEY_CHARS = 2048;
const MAX_KEY_SECONDS = 7 * 86_400;
const CLOCK_SKEW_SECONDS = 60;
const SIGNING_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const NODE_ID = /^n1[a-z2-7]{32}$/;
const PUBLIC_BYTES = new Map([["x25519", 32], ["mlkem768-x25519", 1216]]);

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
 * @typedef {object} PublishedKey
 * @property {string} kem `x25519` or `mlkem768-x25519`
 * @property {Uint8Array} raw public key
 * @property {number} expiresAt Unix seconds
 */

/**
 * The keys that are good now, in the rig's order; perhaps none.
 *
 * @param {string} text compact JWS
 * @param {{nodeId: string, now: number}} expected now: Unix seconds
 * @returns {Promise<PublishedKey[]>}
 * @throws {SealedError} signature_invalid for a list that the rig of that id didn't sign, or that is
 * malformed or from the future
 */
export async function verifySealingKeys(text, { nodeId, now }) {
  const parsed = wellFormed(() => parseJws(text));
  if ((await nodeIdOf(parsed.signer)) !== nodeId || !(await isSigned(parsed))) {
    throw refused("aren't signed with the rig's key: somebody in between exchanged them");
  }
  const claims = wellFormed(() => readClaims(parsed.payload));
  // Of a hybrid key the last bytes are X25519's. Nothing here seals with the others.
  const usable = claims.keys.map(({ raw }) => isUsable(raw.subarray(-KEY_BYTES)));
  if (!(await Promise.all(usable)).every(Boolean)) throw refused("are malformed");
  if (claims.issuer !== nodeId) throw refused("are another rig's");
  if (claims.signedAt > now + CLOCK_SKEW_SECONDS) {
    throw refused("are from the future; check this device's clock and the rig's");
  }
  return claims.keys.filter(({ expiresAt }) => now < expiresAt && expiresAt <= now + MAX_KEY_SECONDS);
}

/**
 * @param {Uint8Array} signer Ed25519 public key
 * @returns {Promise<string>} the id of the rig with that key
 */
export async function nodeIdOf(signer) {
  return `n1${toBase32((await sha256(signer)).subarray(0, 20))}`;
}

/**
 * @template T
 * @param {() => T} read
 * @returns {T}
 */
function wellFormed(read) {
  try {
    return read();
  } catch {
    throw refused("are malformed");
  }
}

/** @param {string} text */
function parseJws(text) {
  const parts = text.split(".");
  if (text.length > MAX_CHARS || parts.length !== 3) throw new TypeError("not a compact JWS");
  const header = exactFields(readJson(fromBase64url(parts[0])), ["alg", "jwk", "typ"]);
  const jwk = exactFields(header.jwk, ["crv", "kty", "x"]);
  if (header.alg !== ALGORITHM || header.typ !== TYPE) throw new TypeError("wrong algorithm or type");
  if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519") throw new TypeError("not an Ed25519 key");
  const signer = fromBase64url(string(jwk.x));
  const signature = fromBase64url(parts[2]);
  if (signer.length !== SIGNING_KEY_BYTES || signature.length !== SIGNATURE_BYTES) {
    throw new TypeError("wrong length");
  }
  const signed = utf8(`${parts[0]}.${parts[1]}`);
  return { signer, signature, signed, payload: fromBase64url(parts[1]) };
}

/** @param {{signer: Uint8Array, signature: Uint8Array, signed: Uint8Array}} parsed */
async function isSigned({ signer, signature, signed }) {
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

/** @param {Uint8Array} payload */
function readClaims(payload) {
  const claims = exactFields(readJson(payload), ["iss", "iat", "keys"]);
  const { iss, keys } = claims;
  if (!NODE_ID.test(string(iss))) throw new TypeError("no node id");
  if (!Array.isArray(keys) || keys.length < 1 || keys.length > MAX_KEYS) throw new TypeError("wrong keys");
  return { issuer: iss, signedAt: seconds(claims.iat), keys: keys.map(readKey) };
}

/**
 * @param {unknown} value
 * @returns {PublishedKey}
 */
function readKey(value) {
  const claim = exactFields(value, ["kem", "key", "exp"]);
  const kem = string(claim.kem);
  const text = string(claim.key);
  if (text.length > MAX_KEY_CHARS) throw new TypeError("too long");
  const raw = fromBase64url(text);
  if (raw.length !== PUBLIC_BYTES.get(kem)) throw new TypeError("wrong length, or unknown kem");
  return { kem, raw, expiresAt: seconds(claim.exp) };
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function string(value) {
  if (typeof value !== "string") throw new TypeError("not a text");
  return value;
}

/**
 * @param {unknown} value
 * @returns {number}
 */
function seconds(value) {
  if (!Number.isInteger(value) || value < 0 || value > 2 ** 53) throw new TypeError("no time");
  return /** @type {number} */ (value);
}

/** @param {string} why */
const refused = (why) =>
  new SealedError("signature_invalid", `The rig's sealing keys ${why}. Nothing was sent.`);
