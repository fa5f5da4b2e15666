// A key as `luckrig keys` saves it: Ed25519, PKCS 8, PEM, not encrypted. Both ways, so that a
// browser's key works in a terminal and the other way round.

import { concat } from "../subtext/bytes.js";

export const MAX_FILE_BYTES = 4096;
const ALGORITHM = "Ed25519";
const USES = /** @type {KeyUsage[]} */ (["sign"]);
const LINE_CHARS = 64;
const SEED_BYTES = 32;
/** What stands before the 32 bytes of an Ed25519 key: RFC 8410, section 7. */
const PREFIX = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20);

/** A file that holds no key; reason: a word of me.restore. */
export class NoKey extends Error {
  /** @param {"too_large" | "not_key" | "locked" | "other_kind"} reason */
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * @param {string} text of a file
 * @returns {Promise<CryptoKeyPair>} from which no script can read the key again
 * @throws {NoKey}
 */
export async function readKey(text) {
  if (text.length > MAX_FILE_BYTES) throw new NoKey("too_large");
  const found = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/.exec(text);
  if (!found) throw new NoKey(text.includes("ENCRYPTED") ? "locked" : "not_key");
  if (found[1] === "ENCRYPTED PRIVATE KEY") throw new NoKey("locked");
  if (found[1] !== "PRIVATE KEY") throw new NoKey(/ PRIVATE KEY$/.test(found[1]) ? "other_kind" : "not_key");
  return pairOf(seedOf(found[2]));
}

/** @param {string} base64 */
function seedOf(base64) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(base64.replace(/\s/g, "")), (character) => character.charCodeAt(0));
  } catch {
    throw new NoKey("not_key");
  }
  const isOurs = bytes.length === PREFIX.length + SEED_BYTES && PREFIX.every((byte, at) => bytes[at] === byte);
  if (!isOurs) throw new NoKey("other_kind");
  return bytes.slice(PREFIX.length);
}

/**
 * @param {Uint8Array} seed 32 bytes
 * @returns {Promise<CryptoKeyPair>}
 */
async function pairOf(seed) {
  const bytes = concat(PREFIX, seed);
  // Readable for a moment, since nothing else tells the public half.
  const readable = await crypto.subtle.importKey("pkcs8", bytes, ALGORITHM, true, USES);
  const { kty, crv, x } = await crypto.subtle.exportKey("jwk", readable);
  const publicKey = await crypto.subtle.importKey("jwk", { kty, crv, x }, ALGORITHM, true, ["verify"]);
  const privateKey = await crypto.subtle.importKey("pkcs8", bytes, ALGORITHM, false, USES);
  bytes.fill(0);
  return { privateKey, publicKey };
}

/**
 * A new key and its file. The key itself can't be read out of what a browser keeps of it, so this is
 * the only moment at which there can be a file.
 *
 * @returns {Promise<{pair: CryptoKeyPair, pem: string}>}
 */
export async function makeKey() {
  const seed = crypto.getRandomValues(new Uint8Array(SEED_BYTES));
  const pair = await pairOf(seed);
  const base64 = btoa(String.fromCharCode(...PREFIX, ...seed));
  seed.fill(0);
  const lines = base64.match(new RegExp(`.{1,${LINE_CHARS}}`, "g")) ?? [];
  return { pair, pem: ["-----BEGIN PRIVATE KEY-----", ...lines, "-----END PRIVATE KEY-----", ""].join("\n") };
}
