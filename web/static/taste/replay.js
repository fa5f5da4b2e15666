// Makes a replay of what passes by: docs/REPLAYS.md, client/history/recorder.py. Nothing of it is
// sent anywhere.

/** Of what a replay holds; labels and titles in characters. */
export const LIMITS = { events: 200_000, queueLooks: 1_000, label: 200, title: 120 };

const MAX_TEXT_BYTES = 1 << 22; // as JSON writes it, in UTF-8
const MAX_FIGURES_CHARS = 16_000 / 4;
const MAX_NESTING = 30;
const MAX_FIGURE = 1e9;
const SALT_CHARS = "0123456789abcdefghijklmnopqrstuvwxyz";

/** @typedef {import("./documents.js").Heard} Heard */

/**
 * @typedef {object} Asked
 * @property {string} tracker origin
 * @property {object} rig as replays name it: node_id, model and what else is known
 * @property {import("./ask.js").Mode} mode
 * @property {object} request the JSON that was asked, without headers
 * @property {string} prompt
 * @property {number} createdAt Unix seconds
 */

export class Recorder {
  #asked;
  #sentAt;
  #lastMs = 0;
  #textBytes = 0;
  #isCut = false;
  #unread = 0;
  /** @type {[number, string, string][]} */
  #events = [];
  /** @type {[number, number, number | null][]} */
  #queue = [];
  /** @type {Record<string, any> | null} */
  #usage = null;
  /** @type {Record<string, any> | null} */
  #timing = null;

  /**
   * @param {Asked} asked
   * @param {number} sentAt milliseconds of the clock that all times here are of
   */
  constructor(asked, sentAt) {
    this.#asked = asked;
    this.#sentAt = sentAt;
    this.id = replayId(asked.createdAt);
  }

  /**
   * @param {Heard | null} heard
   * @param {number} at
   */
  see(heard, at) {
    if (!heard) {
      this.#unread += 1;
      return;
    }
    for (const { kind, text } of heard.pieces) this.#add(this.#since(at), kind, wellFormed(text));
    this.#usage = bounded(heard.usage) ?? this.#usage;
    this.#timing = bounded(heard.timing) ?? this.#timing;
  }

  /**
   * @param {{position: number, eta: number | null}} place
   * @param {number} at
   */
  queued({ position, eta }, at) {
    if (this.#queue.length < LIMITS.queueLooks) this.#queue.push([this.#since(at), position, eta]);
  }

  /**
   * @param {"complete" | "cut" | "failed"} outcome
   * @param {string | null} code of what failed
   * @param {number} at
   * @param {import("./meter.js").Meter} meter
   * @returns {string} the file
   */
  end(outcome, code, at, meter) {
    const { tracker, rig, mode, request, prompt, createdAt } = this.#asked;
    return JSON.stringify({
      schema_version: 1,
      replay_id: this.id,
      created_at: createdAt,
      tracker: clip(tracker, 300),
      rig: labels(rig),
      endpoint: "/v1/chat/completions",
      mode,
      streamed: true,
      title: clip(prompt.trim().split(/\r\n|[\n\r]/)[0].trim(), LIMITS.title),
      outcome,
      error_code: outcome === "failed" && code ? clip(code, 64) : null,
      truncated: this.#isCut,
      figures: this.#figures(at, meter),
      request,
      usage: this.#usage,
      timing: this.#timing,
      unread: this.#unread,
      queue: this.#queue,
      events: this.#events,
    });
  }

  /**
   * @param {number} at
   * @param {import("./meter.js").Meter} meter
   */
  #figures(at, meter) {
    const counted = count(this.#usage?.completion_tokens ?? this.#timing?.completion_tokens);
    const tokens = counted ?? (meter.pieces || null);
    return {
      total_ms: Math.max(this.#since(at), this.#lastMs),
      ttft_ms: figure(meter.ttftMs),
      tokens_per_second: figure(meter.finalRate(tokens), 2),
      prompt_tokens: count(this.#usage?.prompt_tokens ?? this.#timing?.prompt_tokens),
      completion_tokens: tokens,
      counted: tokens === null ? null : counted === null ? "pieces" : "engine",
      rig_queue_ms: figure(this.#timing?.queue_ms),
      rig_ttft_ms: figure(this.#timing?.ttft_ms),
      rig_tokens_per_second: figure(this.#timing?.tokens_per_second),
    };
  }

  /** @param {number} at */
  #since(at) {
    this.#lastMs = Math.min(Math.max(round(at - this.#sentAt, 3), this.#lastMs), MAX_FIGURE);
    return this.#lastMs;
  }

  /**
   * @param {number} atMs
   * @param {string} kind
   * @param {string} text
   */
  #add(atMs, kind, text) {
    const bytes = new TextEncoder().encode(JSON.stringify(text)).length;
    if (this.#events.length === LIMITS.events || this.#textBytes + bytes > MAX_TEXT_BYTES) this.#isCut = true;
    if (this.#isCut) return;
    this.#textBytes += bytes;
    this.#events.push([atMs, kind, text]);
  }
}

/** @param {number} createdAt Unix seconds */
function replayId(createdAt) {
  const [date, time] = new Date(createdAt * 1000).toISOString().split("T");
  const salt = Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => SALT_CHARS[byte % 36]);
  const clock = `${time.slice(0, 8).replaceAll(":", "")}-${time.slice(9, 12)}`;
  return `${date.replaceAll("-", "")}-${clock}-${salt.join("")}`;
}

/**
 * @param {object} rig
 * @returns {object} texts no longer than replays take
 */
function labels(rig) {
  const clipped = Object.entries(rig).map(([name, value]) => {
    return [name, typeof value === "string" ? clip(value, LIMITS.label) : value];
  });
  return Object.fromEntries(clipped);
}

/**
 * @param {string} text
 * @param {number} length in characters, not in halves of them
 */
const clip = (text, length) => Array.from(wellFormed(text)).slice(0, length).join("");

/**
 * Half a character is no Unicode; a piece may end with one.
 *
 * @param {string} text
 */
export const wellFormed = (text) => new TextDecoder().decode(new TextEncoder().encode(text));

/**
 * @param {Record<string, any> | null} document
 * @returns {Record<string, any> | null} null for one that is larger or deeper than replays take
 */
function bounded(document) {
  const text = JSON.stringify(document);
  return text.length <= MAX_FIGURES_CHARS && text.split(/[[{]/).length <= MAX_NESTING ? document : null;
}

/** @param {unknown} value */
const count = (value) => (Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : null);

/**
 * @param {unknown} value a rig may claim any
 * @param {number} digits
 */
function figure(value, digits = 3) {
  return typeof value === "number" && value >= 0 && value <= MAX_FIGURE ? round(value, digits) : null;
}

/**
 * @param {number} value
 * @param {number} digits
 */
const round = (value, digits) => Number(value.toFixed(digits));
