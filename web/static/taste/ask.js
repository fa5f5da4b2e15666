// One request to the rig, plain or sealed, behind one shape.

import { utf8 } from "../subtext/bytes.js";
import { chunksOf } from "../subtext/carrier.js";
import { SealedRig } from "../subtext/rig.js";
import { CAUTIOUS } from "./tracker.js";

const PATH = "/v1/chat/completions";
const OWN_HEADER = /^luckrig-/;

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

/** A rig behind the tracker's relay. */
export class Rig {
  #url;
  #sealed;
  #onSent = () => {};
  /** @type {Record<string, string>} */
  #visible = {};

  /** @param {{baseUrl: string, nodeId: string}} rig baseUrl ends with /v1 */
  constructor({ baseUrl, nodeId }) {
    this.#url = baseUrl.replace(/\/v1$/, "") + PATH;
    this.#sealed = new SealedRig({ baseUrl, nodeId, fetch: (url, init) => this.#fetch(url, init) });
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
    const signed = { method: "POST", url: this.#url, body: bytes, token };
    const headers = {
      authorization: `DPoP ${token}`,
      "content-type": "application/json",
      dpop: await proof.prove(signed),
    };
    const asked = { ...CAUTIOUS, method: "POST", headers, body: bytes, signal };
    const response = await this.#fetch(this.#url, asked);
    return {
      status: response.status,
      contentType: response.headers.get("content-type") ?? "",
      headers: {},
      stream: chunksOf(response.body),
    };
  }

  /**
   * @param {RequestInfo | URL} url
   * @param {RequestInit} [init]
   */
  async #fetch(url, init) {
    // The list of sealing keys is asked for before, with GET, and is no part of the request.
    if (init?.method === "POST") this.#onSent();
    const response = await globalThis.fetch(url, init);
    const own = [...response.headers].filter(([name]) => OWN_HEADER.test(name));
    this.#visible = Object.fromEntries(own);
    return response;
  }
}
