// A sealed reply: frames of few sizes, each sealed with the next nonce. The format stands in
// protocol/subtext/reply.py.

import { concat, utf8 } from "./bytes.js";
import { LAST_REPLY, REPLY } from "./codec.js";
import { SealedError } from "./errors.js";
import { ItemReader } from "./items.js";

const LABEL = utf8("luckrig subtext 1 reply");
const NONCE_BYTES = 32;
const FRAME_BYTES = [128, 256, 512, 1024, 16_384];
const TAG_BYTES = 16;
const LENGTH_BYTES = 2;
const KEY_BYTES = 16;
const IV_BYTES = 12;
const FINAL = utf8("final");
const NOTHING = new Uint8Array(0);

/** Opens a reply's frames in their order. Wait for one feed() before the next. */
export class ReplyOpener {
  #secret;
  #encapsulation;
  /** @type {{aead: CryptoKey, base: Uint8Array} | null} */
  #keys = null;
  #count = 0;
  #items = new ItemReader();
  #isBroken = false;
  /** Whether the last frame was opened. */
  isComplete = false;

  /** @param {{secret: Uint8Array, encapsulation: Uint8Array}} sealed the request */
  constructor({ secret, encapsulation }) {
    this.#secret = secret;
    this.#encapsulation = encapsulation;
  }

  /**
   * @param {import("./codec.js").Frame} frame
   * @returns {Promise<import("./items.js").Item[]>} the items that it completes
   * @throws {SealedError} sealed_invalid for a frame that is changed, out of order, of another reply
   * or after the last one; nothing of it comes out, and nothing of any that follows
   */
  async feed({ kind, payload }) {
    if (this.#isBroken || this.isComplete) throw broken();
    this.#isBroken = true; // until this one is known to be good: no hole is ever read over
    if (kind !== REPLY && kind !== LAST_REPLY) throw broken();
    const isFinal = kind === LAST_REPLY;
    const items = this.#items.feed(partOf(await this.#open(payload, isFinal)));
    if (isFinal && !this.#items.isWhole) throw broken();
    this.isComplete = isFinal;
    this.#isBroken = false;
    return items;
  }

  /**
   * The carrier has ended.
   *
   * @throws {SealedError} sealed_invalid unless the last frame came
   */
  close() {
    if (!this.isComplete) throw cutOff();
  }

  /**
   * @param {Uint8Array} payload
   * @param {boolean} isFinal
   */
  async #open(payload, isFinal) {
    try {
      if (!this.#keys) {
        this.#keys = await this.#derive(payload.subarray(0, NONCE_BYTES));
        payload = payload.subarray(NONCE_BYTES);
      }
      if (!FRAME_BYTES.includes(payload.length - TAG_BYTES)) throw broken();
      const { aead, base } = this.#keys;
      const additionalData = isFinal ? FINAL : NOTHING;
      const parameters = { name: "AES-GCM", iv: nonce(base, this.#count++), additionalData };
      return new Uint8Array(await crypto.subtle.decrypt(parameters, aead, payload));
    } catch {
      throw broken();
    }
  }

  /** @param {Uint8Array} random of the rig */
  async #derive(random) {
    const salt = concat(this.#encapsulation, random);
    const secret = await crypto.subtle.importKey("raw", this.#secret, "HKDF", false, ["deriveBits"]);
    const parameters = { name: "HKDF", hash: "SHA-256", salt, info: LABEL };
    const bits = await crypto.subtle.deriveBits(parameters, secret, 8 * (KEY_BYTES + IV_BYTES));
    const derived = new Uint8Array(bits);
    const key = derived.subarray(0, KEY_BYTES);
    const aead = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
    return { aead, base: derived.subarray(KEY_BYTES) };
  }
}

/**
 * @param {Uint8Array} base
 * @param {number} count of frames before
 */
function nonce(base, count) {
  const iv = base.slice();
  const low = new DataView(iv.buffer, IV_BYTES - 8);
  low.setUint32(0, low.getUint32(0) ^ Math.floor(count / 2 ** 32));
  low.setUint32(4, low.getUint32(4) ^ (count % 2 ** 32));
  return iv;
}

/** @param {Uint8Array} plaintext */
function partOf(plaintext) {
  const end = LENGTH_BYTES + 256 * plaintext[0] + plaintext[1];
  if (end > plaintext.length || plaintext.subarray(end).some(Boolean)) throw broken();
  return plaintext.subarray(LENGTH_BYTES, end);
}

export const cutOff = () =>
  new SealedError("sealed_invalid", "The sealed reply was cut off before its end. Ask again.");

const broken = () =>
  new SealedError(
    "sealed_invalid",
    "The sealed reply doesn't open: it was changed, reordered or mixed up on its way.",
  );
