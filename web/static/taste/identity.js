// The key that this browser signs with. Its private half never leaves WebCrypto.

import { ProofKey } from "../subtext/proof.js";

const OWN = "own";

/**
 * @typedef {object} Identity
 * @property {ProofKey} proof
 * @property {string} userId u1…
 * @property {boolean} isNew whether it was made just now
 */

/**
 * @param {import("./store.js").BrowserStore} store
 * @returns {Promise<Identity | null>} none unless one was made before
 */
export async function loadIdentity(store) {
  const pair = await store.get("keys", OWN);
  return pair ? identityOf(pair, false) : null;
}

/**
 * @param {import("./store.js").BrowserStore} store
 * @returns {Promise<Identity>} the one that is there, else a new one
 */
export async function makeIdentity(store) {
  const before = await loadIdentity(store);
  if (before) return before;
  const made = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  // Another tab may have been quicker; its key counts then.
  return identityOf(await store.putFirst("keys", OWN, made), true);
}

/**
 * @param {CryptoKeyPair} pair
 * @param {boolean} isNew
 * @returns {Promise<Identity>}
 */
async function identityOf(pair, isNew) {
  const proof = await ProofKey.of(pair);
  return { proof, userId: await proof.userId(), isNew };
}
