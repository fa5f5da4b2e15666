// What the page asks its tracker: registration, a token for one rig, and receipts handed in.

import { readUtf8, sha256, utf8 } from "../subtext/bytes.js";
import { chunksOf, readWhole } from "../subtext/carrier.js";
import { TasteError } from "./errors.js";

const MAX_ANSWER_BYTES = 1 << 18;
const MIN_LIFE_SECONDS = 60;
const HASHES_AT_ONCE = 256;

/** No cookie, no cache, no other address than the one that was given. */
export const CAUTIOUS = /** @type {const} */ ({
  cache: "no-store",
  credentials: "omit",
  redirect: "error",
  referrerPolicy: "no-referrer",
});

/**
 * @typedef {object} Token
 * @property {string} token access token, bound to the browser's key
 * @property {number} expires_at Unix seconds
 */

/** The tracker that served the page, asked by one key. */
export class Tracker {
  #identity;
  #name;
  #rootId;
  /** @type {Map<string, Token>} by rig */
  #tokens = new Map();

  /**
   * @param {object} who
   * @param {import("./identity.js").Identity} who.identity
   * @param {string} who.name its origin as it calls itself, which is what requests are signed for
   * @param {string} who.rootId r1…
   */
  constructor({ identity, name, rootId }) {
    this.#identity = identity;
    this.#name = name;
    this.#rootId = rootId;
  }

  /**
   * A token for a rig, the last one while it lives. A key that isn't known yet is registered.
   *
   * @param {string} nodeId
   * @param {object} how
   * @param {string} how.invite empty if there is none
   * @param {() => void} how.onWork called before a long computation
   * @param {AbortSignal} how.signal
   * @returns {Promise<string>}
   * @throws {TasteError}
   */
  async token(nodeId, { invite, onWork, signal }) {
    const kept = this.#tokens.get(nodeId);
    if (kept && kept.expires_at > Date.now() / 1000 + MIN_LIFE_SECONDS) return kept.token;
    const ask = () => this.#post("/api/v1/tokens", { node_id: nodeId, bound: true }, { signal, signed: true });
    let token;
    try {
      token = await ask();
    } catch (error) {
      if (!(error instanceof TasteError && error.code === "registration_required")) throw error;
      await this.#register({ invite, onWork, signal });
      token = await ask();
    }
    this.#tokens.set(nodeId, token);
    return token.token;
  }

  /**
   * The rig doesn't take it any more.
   *
   * @param {string} nodeId
   */
  dropToken(nodeId) {
    this.#tokens.delete(nodeId);
  }

  /**
   * Hand in a receipt; it carries its own signatures.
   *
   * @param {string} body JSON, exactly as it was shown
   * @returns {Promise<{state: string | null, message: string | null}>}
   * @throws {TasteError}
   */
  async handIn(body) {
    const answer = await this.#send("/api/v1/receipts", utf8(body), {});
    const { state = null, message = null } = answer.results?.[0] ?? {};
    return { state, message };
  }

  /** @param {{invite: string, onWork: () => void, signal: AbortSignal}} how */
  async #register({ invite, onWork, signal }) {
    const terms = await this.#send("/api/v1/registration", null, { signal });
    if (terms.mode === "closed") throw new TasteError("closed");
    if (terms.mode === "invite" && !invite) throw new TasteError("invite_needed");
    let work = null;
    if (terms.work_bits > 0) {
      onWork();
      const start = `lr-work v1|${this.#rootId}|${this.#identity.userId}|`;
      work = await solve(start, terms.work_bits, signal);
    }
    const asked = { work, invite: terms.mode === "invite" ? invite : null };
    await this.#post("/api/v1/registration", asked, { signal, signed: true });
  }

  /**
   * @param {string} path
   * @param {object} document
   * @param {{signal: AbortSignal, signed: boolean}} how
   */
  #post(path, document, how) {
    return this.#send(path, utf8(JSON.stringify(document)), how);
  }

  /**
   * @param {string} path
   * @param {Uint8Array | null} body none: a GET
   * @param {{signal?: AbortSignal, signed?: boolean}} how
   * @returns {Promise<any>}
   */
  async #send(path, body, { signal, signed = false }) {
    const method = body ? "POST" : "GET";
    /** @type {Record<string, string>} */
    const headers = { accept: "application/json" };
    if (body) headers["content-type"] = "application/json";
    if (body && signed) headers.dpop = await this.#identity.proof.prove({ method, url: this.#name + path, body });
    let response;
    let bytes;
    try {
      response = await fetch(path, { ...CAUTIOUS, method, headers, body, signal });
      bytes = await readWhole(chunksOf(response.body), MAX_ANSWER_BYTES);
    } catch {
      signal?.throwIfAborted();
      throw new TasteError("unreachable");
    }
    return answerOf(bytes, response.ok);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {boolean} isOk
 * @returns {any} a JSON object
 */
function answerOf(bytes, isOk) {
  let answer;
  try {
    answer = JSON.parse(readUtf8(bytes));
  } catch {
    throw new TasteError("unreachable");
  }
  if (isOk && typeof answer === "object" && answer !== null) return answer;
  const { code, message } = answer?.error ?? {};
  throw new TasteError(String(code ?? "internal_error"), String(message ?? ""));
}

/**
 * Proof of work: protocol/work.py.
 *
 * @param {string} start what the nonce follows
 * @param {number} bits zero bits that the hash begins with, at most 32
 * @param {AbortSignal} signal ends it
 * @returns {Promise<string>} a nonce
 */
export async function solve(start, bits, signal) {
  for (let first = 0; ; first += HASHES_AT_ONCE) {
    signal.throwIfAborted();
    const nonces = Array.from({ length: HASHES_AT_ONCE }, (_, at) => (first + at).toString(16));
    const hashes = await Promise.all(nonces.map((nonce) => sha256(utf8(start + nonce))));
    const found = hashes.findIndex((hash) => zeroBits(hash) >= bits);
    if (found >= 0) return nonces[found];
  }
}

/** @param {Uint8Array} hash */
function zeroBits(hash) {
  return Math.clz32(new DataView(hash.buffer, hash.byteOffset).getUint32(0));
}
