// Asking a rig so that nobody in between reads what is asked and answered; who asks which rig, when
// and how much, can still be seen. Nothing else is asked of anybody, and nothing is kept.

import { readUtf8, utf8 } from "./bytes.js";
import { chunksOf, notSealed, readCarrier, readWhole } from "./carrier.js";
import { SealedError } from "./errors.js";
import { verifySealingKeys } from "./keyring.js";
import { cutOff, ReplyOpener } from "./reply.js";
import { CARRIER_PATH, MAX_BODY_BYTES, requestBody, sealRequest } from "./request.js";

const SEALING_PATH = "/luckrig/sealing";
const KEM = "x25519";
const MAX_PLAIN_BYTES = 1 << 16; // of a refusal, or of a list of keys

/** What this side says about the codes that a rig refuses sealed requests with. */
const REFUSALS = new Map([
  [
    "sealed_invalid",
    "The rig can't open what was sealed: it was changed on its way, perhaps by something that " +
      "removes invisible characters. Ask again.",
  ],
  [
    "sealed_stale",
    "The rig says that the request is more than 2 minutes old. Check this device's clock, then " +
      "ask again.",
  ],
  [
    "sealing_key_unknown",
    "The rig doesn't know the sealing keys that it told just now. Ask again.",
  ],
]);

/**
 * @typedef {object} SealedReply
 * @property {number} status as the rig would have answered a request that isn't sealed
 * @property {string} contentType
 * @property {Record<string, string>} headers of the rig; none when it isn't sealed
 * @property {AsyncIterable<Uint8Array>} stream the body: an event at a time, or parts of a document.
 * Throws SealedError sealed_invalid if it was cut or changed. Read it to its end, or leave its loop.
 * @property {boolean} isSealed false for a refusal from before the request was opened, such as 401:
 * anybody in between may have written that
 */

/** One rig, and its sealing keys once they are known. */
export class SealedRig {
  #base;
  #nodeId;
  #now;
  #fetch;
  /** @type {import("./keyring.js").PublishedKey[]} */
  #keys = [];

  /**
   * @param {object} rig
   * @param {string} rig.baseUrl as the map names it; ends with /v1
   * @param {string} rig.nodeId the rig that is meant: whoever answers must have its key
   * @param {() => number} [rig.now] Unix seconds
   * @param {typeof globalThis.fetch} [rig.fetch]
   */
  constructor({ baseUrl, nodeId, now = currentSeconds, fetch = currentFetch }) {
    const url = new URL(baseUrl, globalThis.location?.href);
    if (!url.pathname.endsWith("/v1") || url.search || url.hash) {
      throw new TypeError("a rig's base URL ends with /v1");
    }
    this.#base = url.href.slice(0, -"/v1".length);
    this.#nodeId = nodeId;
    this.#now = now;
    this.#fetch = fetch;
  }

  /**
   * Ask the rig, sealed.
   *
   * @param {object} request
   * @param {string} request.path what is really asked, such as /v1/responses
   * @param {object} request.body what is really asked; streams if its `stream` is true
   * @param {string} request.token access token for this rig
   * @param {import("./proof.js").ProofKey} [request.proof] the key that the token is bound to
   * @param {AbortSignal} [request.signal] ends it, whatever it is doing
   * @returns {Promise<SealedReply>} as soon as the head is there
   * @throws {SealedError} with one of luckrig's codes; the signal's reason; TypeError of fetch() when
   * nothing answers
   */
  async fetch(request) {
    const first = await this.#ask(request);
    if (first.code !== "sealing_key_unknown") return first.reply ?? refuse(first.code);
    // A rig makes new keys each day, and forgets all of them when it starts anew.
    this.#keys = [];
    const second = await this.#ask(request);
    return second.reply ?? refuse(second.code);
  }

  /**
   * @param {Parameters<SealedRig["fetch"]>[0]} request
   * @returns {Promise<{code: string, reply?: undefined} | {code: null, reply: SealedReply}>} a code of
   * REFUSALS, or the reply
   */
  async #ask({ path, body, token, proof, signal }) {
    const bytes = utf8(JSON.stringify(body));
    if (bytes.length > MAX_BODY_BYTES) {
      throw new SealedError(
        "body_too_large",
        "This is more than a sealed request can carry. Make it shorter.",
      );
    }
    const isStream = /** @type {{stream?: unknown}} */ (body).stream === true;
    const key = await this.#key(signal);
    const to = { key, nodeId: this.#nodeId, token, now: this.#now() };
    const sealed = await sealRequest({ path, body: bytes }, to);
    const carrier = utf8(requestBody(sealed.payload, { stream: isStream }));
    const response = await this.#post(carrier, { token, proof, signal });
    if (response.status !== 200) return refusalOf(response);
    return { code: null, reply: await openReply(response, { sealed, isStream, signal }) };
  }

  /**
   * @param {Uint8Array} body
   * @param {{token: string, proof?: import("./proof.js").ProofKey, signal?: AbortSignal}} by
   */
  async #post(body, { token, proof, signal }) {
    const url = this.#base + CARRIER_PATH;
    /** @type {Record<string, string>} */
    const headers = {
      authorization: `${proof ? "DPoP" : "Bearer"} ${token}`,
      "content-type": "application/json",
    };
    const signed = { method: "POST", url, body, token, now: this.#now() };
    if (proof) headers.dpop = await proof.prove(signed);
    return this.#fetch(url, { ...CAUTIOUS, method: "POST", headers, body, signal });
  }

  /**
   * @param {AbortSignal} [signal]
   * @returns {Promise<Uint8Array>} the key to seal to, asked for again when it has expired
   */
  async #key(signal) {
    const good = () => this.#keys.find(({ expiresAt }) => expiresAt > this.#now());
    if (!good()) this.#keys = await this.#fetchKeys(signal);
    const key = good();
    if (!key) {
      throw new SealedError(
        "sealing_key_unknown",
        "The rig has no sealing key that this browser can use now. Check this device's clock.",
      );
    }
    return key.raw;
  }

  /** @param {AbortSignal} [signal] */
  async #fetchKeys(signal) {
    const response = await this.#fetch(this.#base + SEALING_PATH, { ...CAUTIOUS, signal });
    const bytes = await readWhole(chunksOf(response.body), MAX_PLAIN_BYTES);
    const text = fieldOf(bytes, (document) => document.sealing);
    if (response.status !== 200 || text === undefined) {
      throw new SealedError(
        "sealing_key_unknown",
        "The rig didn't tell its sealing keys: it is away, or takes no sealed requests.",
      );
    }
    const keys = await verifySealingKeys(text, { nodeId: this.#nodeId, now: this.#now() });
    return keys.filter(({ kem }) => kem === KEM);
  }
}

const currentSeconds = () => Date.now() / 1000;

/** @type {typeof globalThis.fetch} */
const currentFetch = (...asked) => globalThis.fetch(...asked);

/** No cookie, no cache, no other address than the one that was given. */
const CAUTIOUS = /** @type {const} */ ({
  cache: "no-store",
  credentials: "omit",
  redirect: "error",
  referrerPolicy: "no-referrer",
});

/**
 * @param {Response} response whose status isn't 200
 * @returns {Promise<{code: string, reply?: undefined} | {code: null, reply: SealedReply}>}
 */
async function refusalOf(response) {
  const bytes = await readWhole(chunksOf(response.body), MAX_PLAIN_BYTES);
  const code = fieldOf(bytes, (document) => document.error?.code);
  if (code !== undefined && REFUSALS.has(code)) return { code };
  const contentType = response.headers.get("content-type") ?? "";
  const visible = { status: response.status, contentType, headers: {}, isSealed: false };
  return { code: null, reply: { ...visible, stream: oneChunk(bytes) } };
}

/** @param {Uint8Array} bytes */
async function* oneChunk(bytes) {
  yield bytes;
}

/**
 * @param {Uint8Array} bytes JSON, perhaps
 * @param {(document: any) => unknown} pick
 * @returns {string | undefined} the text that was picked, if there is one
 */
function fieldOf(bytes, pick) {
  try {
    const picked = pick(JSON.parse(readUtf8(bytes)));
    return typeof picked === "string" ? picked : undefined;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} code
 * @returns {never}
 */
function refuse(code) {
  throw new SealedError(code, REFUSALS.get(code) ?? "");
}

/**
 * @param {Response} response
 * @param {{sealed: import("./request.js").Sealed, isStream: boolean, signal?: AbortSignal}} asked
 * @returns {Promise<SealedReply>}
 */
async function openReply(response, { sealed, isStream, signal }) {
  const items = openItems(readCarrier(chunksOf(response.body), isStream), { sealed, signal });
  const first = await items.next();
  if (first.done || !("head" in first.value)) throw notSealed();
  return { ...first.value.head, stream: bodies(items), isSealed: true };
}

/** @param {AsyncGenerator<import("./items.js").Item, void>} items */
async function* bodies(items) {
  for await (const item of items) if ("body" in item) yield item.body;
}

/**
 * @param {AsyncIterable<import("./codec.js").Frame>} frames
 * @param {{sealed: import("./request.js").Sealed, signal?: AbortSignal}} asked
 * @returns {AsyncGenerator<import("./items.js").Item, void>}
 */
async function* openItems(frames, { sealed, signal }) {
  const opener = new ReplyOpener(sealed);
  try {
    for await (const frame of frames) {
      signal?.throwIfAborted(); // what has come already isn't wanted any more, either
      yield* await opener.feed(frame);
    }
  } catch (error) {
    if (error instanceof SealedError) throw error;
    signal?.throwIfAborted();
    if (!opener.isComplete) throw cutOff(); // the connection broke
  }
  opener.close();
}
