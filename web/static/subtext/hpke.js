// HPKE (RFC 9180), base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM; one message.
// The hybrid with ML-KEM that rigs offer beside it has to wait until browsers have ML-KEM.

import { bigEndian, concat, sha256, utf8 } from "./bytes.js";

export const KEY_ID_BYTES = 8;
export const KEY_BYTES = 32;
export const TAG_BYTES = 16;

const HASH_BYTES = 32;
const AEAD_KEY_BYTES = 16;
const NONCE_BYTES = 12;
const VERSION = utf8("HPKE-v1");
const KEM_SUITE = concat(utf8("KEM"), bigEndian(0x0020, 2));
const SUITE = concat(utf8("HPKE"), bigEndian(0x0020, 2), bigEndian(0x0001, 2), bigEndian(0x0001, 2));
const NOTHING = new Uint8Array(0);
const HMAC = { name: "HMAC", hash: "SHA-256" };

/**
 * @param {Uint8Array} raw an X25519 public key
 * @returns {Promise<Uint8Array>} KEY_ID_BYTES bytes that name it
 */
export async function keyId(raw) {
  return (await sha256(concat(utf8("x25519\0"), raw))).subarray(0, KEY_ID_BYTES);
}

/** @returns {Promise<CryptoKeyPair>} a fresh pair, whose private half can't be read by any script */
export const generateEphemeral = () =>
  /** @type {Promise<CryptoKeyPair>} */ (crypto.subtle.generateKey("X25519", false, ["deriveBits"]));

/**
 * @param {Uint8Array} raw
 * @returns {Promise<boolean>} whether something can be sealed to it: false for points of small
 * order, which give the same secret with every key
 */
export async function isUsable(raw) {
  try {
    const { privateKey } = await generateEphemeral();
    await diffieHellman(privateKey, raw);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {Uint8Array} plaintext
 * @param {object} to
 * @param {Uint8Array} to.key X25519 public key, KEY_BYTES
 * @param {Uint8Array} to.info
 * @param {Uint8Array} [to.aad] luckrig has none; RFC 9180's vectors do
 * @param {CryptoKeyPair} [to.ephemeral] for tests against vectors; never use one twice
 * @returns {Promise<{encapsulation: Uint8Array, ciphertext: Uint8Array}>} ciphertext and tag
 * @throws {DOMException | TypeError} on a key that is no point, or of small order
 */
export async function seal(plaintext, { key, info, aad = NOTHING, ephemeral }) {
  if (key.length !== KEY_BYTES) throw new TypeError("an X25519 key has 32 bytes");
  const pair = ephemeral ?? (await generateEphemeral());
  const encapsulation = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const shared = await decapsulated(pair.privateKey, key, concat(encapsulation, key));
  const { aead, iv } = await schedule(shared, info, "encrypt");
  const sealed = await crypto.subtle.encrypt(parameters(iv, aad), aead, plaintext);
  return { encapsulation, ciphertext: new Uint8Array(sealed) };
}

/**
 * The other direction, which a browser never needs; tests do.
 *
 * @param {Uint8Array} sealed encapsulation, ciphertext, tag
 * @param {object} by
 * @param {CryptoKeyPair} by.pair the receiver's
 * @param {Uint8Array} by.info
 * @param {Uint8Array} [by.aad]
 * @returns {Promise<Uint8Array>}
 * @throws {DOMException | TypeError} for what wasn't sealed to that key with that info
 */
export async function open(sealed, { pair, info, aad = NOTHING }) {
  const encapsulation = sealed.slice(0, KEY_BYTES);
  if (encapsulation.length !== KEY_BYTES) throw new TypeError("too short");
  const own = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const shared = await decapsulated(pair.privateKey, encapsulation, concat(encapsulation, own));
  const { aead, iv } = await schedule(shared, info, "decrypt");
  const opened = await crypto.subtle.decrypt(parameters(iv, aad), aead, sealed.subarray(KEY_BYTES));
  return new Uint8Array(opened);
}

/**
 * DHKEM's shared secret: extract-and-expand of the Diffie-Hellman value.
 *
 * @param {CryptoKey} own private
 * @param {Uint8Array} other public
 * @param {Uint8Array} context encapsulation ‖ receiver's public key
 */
async function decapsulated(own, other, context) {
  const secret = await extract(KEM_SUITE, NOTHING, "eae_prk", await diffieHellman(own, other));
  return expand(KEM_SUITE, secret, "shared_secret", context, HASH_BYTES);
}

/**
 * @param {CryptoKey} own private
 * @param {Uint8Array} other public
 * @throws {DOMException} where the result would be zeros
 */
async function diffieHellman(own, other) {
  const peer = await crypto.subtle.importKey("raw", other, "X25519", false, []);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: peer }, own, 256));
}

/**
 * The key schedule of base mode, up to the key and the nonce of the first message.
 *
 * @param {Uint8Array} shared
 * @param {Uint8Array} info
 * @param {KeyUsage} usage
 */
async function schedule(shared, info, usage) {
  const [pskIdHash, infoHash, secret] = await Promise.all([
    extract(SUITE, NOTHING, "psk_id_hash", NOTHING),
    extract(SUITE, NOTHING, "info_hash", info),
    extract(SUITE, shared, "secret", NOTHING),
  ]);
  const context = concat(Uint8Array.of(0), pskIdHash, infoHash);
  const [key, iv] = await Promise.all([
    expand(SUITE, secret, "key", context, AEAD_KEY_BYTES),
    expand(SUITE, secret, "base_nonce", context, NONCE_BYTES),
  ]);
  return { aead: await crypto.subtle.importKey("raw", key, "AES-GCM", false, [usage]), iv };
}

/**
 * LabeledExtract.
 *
 * @param {Uint8Array} suite
 * @param {Uint8Array} salt
 * @param {string} label
 * @param {Uint8Array} material
 */
function extract(suite, salt, label, material) {
  // HMAC fills a short key with zeros, and WebCrypto takes no empty one.
  const key = salt.length ? salt : new Uint8Array(HASH_BYTES);
  return hmac(key, concat(VERSION, suite, utf8(label), material));
}

/**
 * LabeledExpand, of at most one block.
 *
 * @param {Uint8Array} suite
 * @param {Uint8Array} secret
 * @param {string} label
 * @param {Uint8Array} context
 * @param {number} length at most HASH_BYTES
 */
async function expand(suite, secret, label, context, length) {
  const info = concat(bigEndian(length, 2), VERSION, suite, utf8(label), context);
  return (await hmac(secret, concat(info, Uint8Array.of(1)))).subarray(0, length);
}

/**
 * @param {Uint8Array} key
 * @param {Uint8Array} data
 */
async function hmac(key, data) {
  const imported = await crypto.subtle.importKey("raw", key, HMAC, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, data));
}

/**
 * @param {Uint8Array} iv
 * @param {Uint8Array} aad
 */
const parameters = (iv, aad) => ({ name: "AES-GCM", iv, additionalData: aad, tagLength: 8 * TAG_BYTES });
