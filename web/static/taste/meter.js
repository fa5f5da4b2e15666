// How fast a reply came, by this browser's clock. Pure: whoever counts says when, in milliseconds
// of one monotonic clock.

const RECENT = 32; // pieces that the live rate is of

export class Meter {
  #sentAt;
  /** @type {number | null} */
  #firstAt = null;
  #lastAt;
  /** @type {number[]} */
  #recent = [];
  pieces = 0;

  /** @param {number} sentAt when the request left */
  constructor(sentAt) {
    this.#sentAt = sentAt;
    this.#lastAt = sentAt;
  }

  /**
   * A piece of the reply came: a token, about.
   *
   * @param {number} at
   */
  piece(at) {
    this.pieces += 1;
    this.#firstAt ??= at;
    this.#lastAt = at;
    this.#recent.push(at);
    if (this.#recent.length > RECENT) this.#recent.shift();
  }

  /** @returns {number | null} milliseconds until the first piece: network, queue and rig together */
  get ttftMs() {
    return this.#firstAt === null ? null : this.#firstAt - this.#sentAt;
  }

  /** @returns {number | null} milliseconds from the first piece to the last */
  get generationMs() {
    return this.#firstAt === null ? null : this.#lastAt - this.#firstAt;
  }

  /** @returns {number | null} pieces a second over the last few of them; null while that is unknown */
  get liveRate() {
    return rate(this.#recent.length, this.#recent[this.#recent.length - 1] - this.#recent[0]);
  }

  /**
   * @param {number | null} tokens as they were counted in the end
   * @returns {number | null} a second; the first token ends the time to first token, so it isn't counted
   */
  finalRate(tokens) {
    return this.generationMs === null ? null : rate(tokens ?? this.pieces, this.generationMs);
  }
}

/**
 * @param {number} tokens
 * @param {number} ms from the first to the last
 */
function rate(tokens, ms) {
  return tokens >= 2 && ms > 0 ? ((tokens - 1) * 1000) / ms : null;
}
