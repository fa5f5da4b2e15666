// Signed requests (DPoP, RFC 9449, with a hash of the body): protocol/proofs.py. A bound token is
// worth nothing without them.

import { fromBase64url, sha256, toBase64url, utf8 } from "./bytes.js";
import { idOf } from "./ids.js";
import { signJws } from "./jws.js";

const TYPE = "dpop+jwt";
const ALGORITHM = "Ed25519";
const JTI_BYTES = 16;

/** A key that signs requests. No script can read its private half, ours included. */
export class ProofKey {
  #privateKey;
  #jwk;

  /**
   * @param {CryptoKey} privateKey
   * @param {{crv: string, kty: string, x: string}} jwk
   */
  constructor(privateKey, jwk) {
    this.#privateKey = privateKey;
    this.#jwk = jwk;
  }

  /** @returns {Promise<ProofKey>} a new one, which lives as long as the page */
  static async create() {
    const pair = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
    return ProofKey.of(/** @type {CryptoKeyPair} */ (pair));
  }

  /**
   * @param {CryptoKeyPair} pair such as a page kept in IndexedDB
   * @returns {Promise<ProofKey>}
   */
  static async of({ privateKey, publicKey }) {
    const raw = new Uint8Array(await crypto.subtle.exportKey("raw", publicKey));
    return new ProofKey(privateKey, { crv: "Ed25519", kty: "OKP", x: toBase64url(raw) });
  }

  /** @returns {Promise<string>} RFC 7638 thumbprint: what a token bound to this key names */
  async thumbprint() {
    // The fields stand in RFC 7638's order.
    return toBase64url(await sha256(utf8(JSON.stringify(this.#jwk))));
  }

  /**
   * Any document that names its signer by key, such as a countersignature.
   *
   * @param {string} typ
   * @param {object} claims
   * @returns {Promise<string>} compact JWS
   */
  async sign(typ, claims) {
    return signJws(claims, { typ, jwk: this.#jwk, privateKey: this.#privateKey });
  }

  /** @returns {Promise<string>} the user id of this key: docs/PROTOCOL.md, section 1 */
  async userId() {
    return idOf("u1", fromBase64url(this.#jwk.x));
  }

  /**
   * @param {object} request
   * @param {string} request.method
   * @param {string} request.url absolute; query and fragment are left out
   * @param {Uint8Array} request.body empty if there is none
   * @param {string} [request.token] the access token that it is sent with
   * @param {number} [request.now] Unix seconds
   * @returns {Promise<string>} the `DPoP` header
   */
  async prove({ method, url, body, token, now = Date.now() / 1000 }) {
    const { origin, pathname } = new URL(url);
    const claims = {
      htm: method,
      htu: origin + pathname,
      iat: Math.floor(now),
      jti: toBase64url(crypto.getRandomValues(new Uint8Array(JTI_BYTES))),
      bod: toBase64url(await sha256(body)),
      ...(token === undefined ? {} : { ath: toBase64url(await sha256(utf8(token))) }),
    };
    return this.sign(TYPE, claims);
  }
}
