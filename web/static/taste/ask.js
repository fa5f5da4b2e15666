// One request to the rig, plain or sealed, behind one shape.

import { utf8 } from "../subtext/bytes.js";
import { chunksOf } from "../subtext/carrier.js";
import { SealedRig } from "../subtext/rig.js";
import { TasteError } from "./errors.js";
import { CAUTIOUS } from "./tracker.js";

const PATH = "/v1/chat/completions";
const HEALTH_PATH = "/health";
const OWN_HEADER = /^luckrig-/;
const PROBE_MS = 5000;

/** @typedef {"plain" | "subtext"} Mode */

/**
 * @typedef {object} Asking
 * @property {Mode} mode
 * @property {object} body of a chat
 * @property {string} token
 * @property {import("../subtext/proof.js").ProofKey} proof
 * @property {AbortSignal} signal
 * @property {() => void} onSent called each time when the request leaves
 */

/**
 * @typedef {object} Reply
 * @property {number} status
 * @property {string} contentType
 * @property {Record<string, string>} headers the rig's own, luckrig-…
 * @property {AsyncIterable<Uint8Array>} stream
 */

/** A rig behind the tracker's relay, or at an address of its own. */
export class Rig {
  #base;
  #isDirect;
  #sealed;
  #onSent = () => {};
  /** @type {Record<string, string>} */
  #visible = {};

  /** @param {{baseUrl: string, nodeId: string, way: string}} rig baseUrl ends with /v1; way: web/ways.py */
  constructor({ baseUrl, nodeId, way }) {
    this.#base = new URL(baseUrl).href.replace(/\/v1$/, "");
    this.#isDirect = way === "direct";
    this.#sealed = new SealedRig({ baseUrl, nodeId, fetch: (url, init) => this.#fetch(String(url), init) });
  }

  /**
   * @param {Asking} asking
   * @returns {Promise<Reply>} as soon as its head is there
   */
  async ask(asking) {
    this.#onSent = asking.onSent;
    const { status, contentType, headers, stream } = await (asking.mode === "subtext"
      ? this.#sealed.fetch({ path: PATH, ...asking })
      : this.#askPlain(asking));
    // A sealed reply has some of the rig's headers inside; the others name the rig, and are plain.
    return { status, contentType, headers: { ...this.#visible, ...headers }, stream };
  }

  /** @param {Asking} asking */
  async #askPlain({ body, token, proof, signal }) {
    const bytes = utf8(JSON.stringify(body));
    const url = this.#base + PATH;
    const signed = { method: "POST", url, body: bytes, token };
    const headers = {
      authorization: `DPoP ${token}`,
      "content-type": "application/json",
      dpop: await proof.prove(signed),
    };
    const asked = { ...CAUTIOUS, method: "POST", headers, body: bytes, signal };
    const response = await this.#fetch(url, asked);
    return {
      status: response.status,
      contentType: response.headers.get("content-type") ?? "",
      headers: {},
      stream: chunksOf(response.body),
    };
  }

  /**
   * @param {string} url as the rig knows it, and as it is signed
   * @param {RequestInit} [init]
   */
  async #fetch(url, init) {
    // The list of sealing keys is asked for before, with GET, and is no part of the request.
    if (init?.method === "POST") this.#onSent();
    const response = await this.#reach(url, init);
    const own = [...response.headers].filter(([name]) => OWN_HEADER.test(name));
    this.#visible = Object.fromEntries(own);
    return response;
  }

  /**
   * @param {string} url
   * @param {RequestInit} [init]
   */
  async #reach(url, init) {
    // The relay is where this page is, whatever people call that: a forwarded port, for example.
    if (!this.#isDirect) return globalThis.fetch(location.origin + new URL(url).pathname, init);
    try {
      return await globalThis.fetch(url, init);
    } catch {
      init?.signal?.throwIfAborted();
      throw new TasteError((await this.#answers(init?.signal)) ? "not_for_pages" : "rig_unreachable");
    }
  }

  /**
   * Browsers say nothing of why a request failed. One whose answer nobody may read fails only when
   * there is no answer.
   *
   * @param {AbortSignal | null} [signal]
   */
  async #answers(signal) {
    const until = AbortSignal.any([AbortSignal.timeout(PROBE_MS), ...(signal ? [signal] : [])]);
    const { cache, credentials, referrerPolicy } = CAUTIOUS;
    const asked = { cache, credentials, referrerPolicy, mode: /** @type {const} */ ("no-cors"), signal: until };
    return globalThis.fetch(this.#base + HEALTH_PATH, asked).then(
      () => true,
      () => false,
    );
  }
}
