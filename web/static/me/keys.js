// The keys of this browser: which one is in use, whether a file of it was ever made, and the move
// from one to the next. The store is the console's; what is kept there can sign and can't be read.

import { ProofKey } from "../subtext/proof.js";
import { loadIdentity } from "../taste/identity.js";
import { handOver, Refused } from "./asking.js";

const OWN = "own";
const NEXT = "next";
const SAVED = "own-saved";

/** @typedef {import("../taste/identity.js").Identity} Identity */

export class BrowserKeys {
  #store;
  #tracker;

  /**
   * @param {import("../taste/store.js").BrowserStore} store
   * @param {{origin: string, rootId: string}} tracker
   */
  constructor(store, tracker) {
    this.#store = store;
    this.#tracker = tracker;
  }

  /** @returns {Promise<Identity | null>} the key in use */
  current() {
    return loadIdentity(this.#store);
  }

  /** @returns {Promise<number | null>} when its file was saved or read, Unix seconds */
  async savedAt() {
    return (await this.#store.get("keys", SAVED)) ?? null;
  }

  /**
   * Use a key that came from a file.
   *
   * @param {CryptoKeyPair} pair
   */
  async replace(pair) {
    await this.#store.put("keys", OWN, pair);
    await this.#store.put("keys", SAVED, Math.floor(Date.now() / 1000));
    await this.#store.remove("keys", NEXT);
  }

  /** Whether a move was begun and not ended: the page went away in between. */
  async isMoving() {
    return Boolean(await this.#store.get("keys", NEXT));
  }

  /**
   * Move to a key whose file somebody has. It is kept first: whatever fails, no key is lost.
   *
   * @param {CryptoKeyPair} pair
   * @returns {Promise<Identity>} who this browser is now
   * @throws {Refused}
   */
  async move(pair) {
    await this.#store.put("keys", NEXT, pair);
    return this.finish();
  }

  /**
   * End a move that was begun.
   *
   * @returns {Promise<Identity>}
   * @throws {Refused} and the move is called off if the tracker has surely refused it
   */
  async finish() {
    const pair = await this.#store.get("keys", NEXT);
    const next = await identityOf(pair);
    const old = await this.current();
    if (old && old.userId !== next.userId) {
      try {
        await handOver(this.#tracker, old, next);
      } catch (error) {
        if (error instanceof Refused && error.isFinal) await this.#store.remove("keys", NEXT);
        throw error;
      }
    }
    await this.replace(pair);
    return next;
  }
}

/**
 * @param {CryptoKeyPair} pair
 * @returns {Promise<Identity>}
 */
export async function identityOf(pair) {
  const proof = await ProofKey.of(pair);
  return { proof, userId: await proof.userId(), isNew: false };
}
