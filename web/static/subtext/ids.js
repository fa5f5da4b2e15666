// Ids are hashes of keys: protocol/ids.py.

import { sha256, toBase32 } from "./bytes.js";

const HASH_BYTES = 20; // 32 characters of base32

/**
 * @param {"n1" | "u1"} kind of a rig, or of a user
 * @param {Uint8Array} key Ed25519 public key
 * @returns {Promise<string>} the id of whoever has that key
 */
export async function idOf(kind, key) {
  return `${kind}${toBase32((await sha256(key)).subarray(0, HASH_BYTES))}`;
}
