// A rig's sealing keys, as the rig itself signs them: protocol/subtext/keyring.py, ids.py.
// Whoever hands them on can put no key of theirs in: a rig's id is the hash of the key that signs.

import { exactFields, fromBase64url, readJson } from "./bytes.js";
import { SealedError } from "./errors.js";
import { isUsable, KEY_BYTES } from "./hpke.js";
import { idOf } from "./ids.js";
import { isSigned, parseJws } from "./jws.js";

const TYPE = "lr-sealing+jwt";
const MAX_CHARS = 20_480;
const MAX_KEYS = 8;
const MAX_KEY_CHARS = 2048;
const MAX_KEY_SECONDS = 7 * 86_400;
const CLOCK_SKEW_SECONDS = 60;
const NODE_ID = /^n1[a-z2-7]{32}$/;
const PUBLIC_BYTES = new Map([["x25519", 32], ["mlkem768-x25519", 1216]]);

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
  const parsed = wellFormed(() => parseJws(text, { typ: TYPE, maxChars: MAX_CHARS }));
  if ((await idOf("n1", parsed.signer)) !== nodeId || !(await isSigned(parsed))) {
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
