// One question and its answer: asks, listens, measures, and keeps what a replay and a receipt need.
// Shows nothing itself; it tells whoever listens.

import { SealedError } from "../subtext/errors.js";
import { hear } from "./documents.js";
import { TasteError } from "./errors.js";
import { Meter } from "./meter.js";
import { Recorder } from "./replay.js";
import { readReply } from "./stream.js";

const DONE = "[DONE]";
const MAX_REPLY_CHARS = 1 << 22; // a page with more is of no use to anybody
const TOKEN_REFUSED = new Set(["token_expired", "token_invalid", "proof_invalid"]);
const UTF8 = new TextEncoder();

/**
 * @typedef {object} Listener
 * @property {(place: import("./stream.js").Place) => void} onQueue
 * @property {(piece: import("./documents.js").Piece, meter: Meter) => void} onPiece
 * @property {() => void} onSent
 */

/**
 * @typedef {object} Result
 * @property {"complete" | "cut" | "failed"} outcome
 * @property {{code: string, message: string} | null} error
 * @property {string | null} finish
 * @property {Record<string, string>} headers the rig's
 * @property {Record<string, any> | null} timing
 * @property {number | null} tokens as the engine counted
 * @property {Meter} meter
 * @property {{id: string, file: string} | null} replay none if nothing was asked
 * @property {Omit<import("./receipt.js").Witnessed, "nodeId"> | null} witnessed null without a receipt
 */

/**
 * @typedef {object} Question
 * @property {import("./ask.js").Mode} mode
 * @property {Record<string, any>} body
 * @property {(signal: AbortSignal) => Promise<string>} token
 * @property {() => void} dropToken
 * @property {import("../subtext/proof.js").ProofKey} proof
 * @property {Omit<import("./replay.js").Asked, "createdAt">} asked
 * @property {AbortSignal} signal
 */

export class Run {
  #rig;
  #question;
  #listener;
  /** @type {Recorder | null} */
  #recorder = null;
  #meter = new Meter(performance.now());
  #chars = 0;
  #outputBytes = 0;
  #token = "";
  #isDone = false;
  /** @type {Record<string, string>} */
  #headers = {};
  /** @type {string | null} */
  #finish = null;
  /** @type {string | null} */
  #receipt = null;
  /** @type {Record<string, any> | null} */
  #timing = null;
  /** @type {{code: string, message: string} | null} */
  #error = null;

  /**
   * @param {import("./ask.js").Rig} rig
   * @param {Question} question
   * @param {Listener} listener
   */
  constructor(rig, question, listener) {
    this.#rig = rig;
    this.#question = question;
    this.#listener = listener;
  }

  /** @returns {Promise<Result>} whatever happens; only our own faults are thrown */
  async finish() {
    let isCut = false;
    try {
      // A token may have been revoked, or the rig's clock be ahead: one new one is worth a try.
      if (!(await this.#ask())) await this.#ask();
    } catch (error) {
      isCut = this.#question.signal.aborted;
      if (!isCut) this.#error = this.#readable(error);
    }
    return this.#result(isCut);
  }

  /** @returns {Promise<boolean>} false: the token was refused, and another one may help */
  async #ask() {
    const { mode, body, proof, signal, token, dropToken } = this.#question;
    const isFirst = this.#token === "";
    this.#token = await token(signal);
    const onSent = () => this.#start();
    const asking = { mode, body, token: this.#token, proof, signal, onSent };
    const reply = await this.#rig.ask(asking);
    this.#headers = reply.headers;
    for await (const happening of readReply(reply.stream, reply.contentType)) {
      if ("queue" in happening) this.#queued(happening.queue);
      else if (!this.#isDone) this.#document(happening.data);
    }
    if (this.#error && isFirst && reply.status === 401 && TOKEN_REFUSED.has(this.#error.code)) {
      dropToken();
      this.#error = null;
      return false;
    }
    if (!this.#error && !this.#isDone) throw new TasteError("cut_off");
    return true;
  }

  #start() {
    const now = performance.now();
    this.#meter = new Meter(now);
    this.#recorder = new Recorder({ ...this.#question.asked, createdAt: Date.now() / 1000 }, now);
    this.#listener.onSent();
  }

  /** @param {import("./stream.js").Place} place */
  #queued(place) {
    this.#recorder?.queued(place, performance.now());
    this.#listener.onQueue(place);
  }

  /** @param {string} text */
  #document(text) {
    const now = performance.now();
    if (text === DONE) {
      this.#isDone = true;
      return;
    }
    const heard = hear(text);
    this.#recorder?.see(heard, now);
    if (!heard) return;
    for (const piece of heard.pieces) this.#piece(piece, now);
    this.#finish = heard.finish ?? this.#finish;
    this.#timing = heard.timing ?? this.#timing;
    this.#receipt = heard.receipt ?? this.#receipt;
    this.#error = heard.error ?? this.#error;
  }

  /**
   * @param {import("./documents.js").Piece} piece
   * @param {number} now
   */
  #piece(piece, now) {
    this.#meter.piece(now);
    this.#chars += piece.text.length;
    this.#outputBytes += UTF8.encode(piece.text).length;
    if (this.#chars > MAX_REPLY_CHARS) throw new TasteError("too_long");
    this.#listener.onPiece(piece, this.#meter);
  }

  /**
   * @param {unknown} error
   * @returns {{code: string, message: string}}
   */
  #readable(error) {
    if (error instanceof TasteError || error instanceof SealedError) {
      return { code: error.code, message: error.message };
    }
    // fetch() and its streams throw TypeErrors for whatever the network does, and so do our faults
    // for those who read the console.
    console.debug(error);
    return { code: Object.keys(this.#headers).length ? "cut_off" : "unreachable", message: "" };
  }

  /**
   * @param {boolean} isCut
   * @returns {Result}
   */
  #result(isCut) {
    const outcome = isCut ? "cut" : this.#error ? "failed" : "complete";
    const meter = this.#meter;
    const recorder = this.#recorder;
    const file = recorder?.end(outcome, this.#error?.code ?? null, performance.now(), meter);
    const count = this.#timing?.completion_tokens;
    return {
      outcome,
      error: this.#error,
      finish: this.#finish,
      headers: this.#headers,
      timing: this.#timing,
      tokens: Number.isSafeInteger(count) ? count : null,
      meter,
      replay: recorder && file ? { id: recorder.id, file } : null,
      witnessed: this.#receipt ? this.#witnessed(this.#receipt) : null,
    };
  }

  /** @param {string} receipt */
  #witnessed(receipt) {
    const { ttftMs, generationMs } = this.#meter;
    const known = ttftMs !== null && generationMs !== null;
    const measured = known ? { ttft_ms: rounded(ttftMs), generation_ms: rounded(generationMs) } : null;
    return { receipt, token: this.#token, outputBytes: this.#outputBytes, measured };
  }
}

/** @param {number} ms */
const rounded = (ms) => Math.round(ms * 1000) / 1000;
