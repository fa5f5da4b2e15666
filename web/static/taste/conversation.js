// What was said before, which follow-ups send along. Pure.

const BYTES_PER_TOKEN = 3; // English has some four, Japanese three: rather too many tokens than too few
const TOKENS_PER_MESSAGE = 8; // roles and marks around it
const UNKNOWN_CONTEXT = 4096; // where the rig doesn't say: nearly all models have more
const REPLY_SHARE = 0.25; // of the context, kept free for the reply where no limit is set
const MAX_TURNS = 100;
const MAX_BYTES = 1 << 19; // a rig takes a request of 1 MiB, and JSON writes some characters as two
const UTF8 = new TextEncoder();

/** @typedef {import("./ask.js").Mode} Mode */
/** @typedef {{role: "user" | "assistant", content: string}} Message */

/**
 * @typedef {object} Turn
 * @property {string} prompt
 * @property {string} reply
 * @property {Mode} mode
 */

/**
 * @typedef {object} Room
 * @property {number | null} context of the model, in tokens
 * @property {number | null} maxTokens of the reply
 * @property {string} now what is sent in any case: prompt, system message, tools
 */

export class Conversation {
  /** @type {Turn[]} */
  #turns = [];
  #gone = 0;

  /** @returns {readonly Turn[]} the last MAX_TURNS */
  get turns() {
    return this.#turns;
  }

  get isEmpty() {
    return this.#turns.length === 0;
  }

  /**
   * Whether a question on that way may carry what was said before. What was sealed isn't sent on in
   * the clear.
   *
   * @param {Mode} mode
   */
  fits(mode) {
    return mode === "subtext" || this.#turns.every((turn) => turn.mode === "plain");
  }

  /**
   * The newest turns that the model has room for.
   *
   * @param {Room} room
   * @returns {{messages: Message[], unsent: number, leftOut: number}} unsent: how many of `turns`,
   *   from the oldest, have no room; leftOut: with those that are no longer among them
   */
  messages({ context, maxTokens, now }) {
    const whole = context ?? UNKNOWN_CONTEXT;
    let tokens = whole - (maxTokens ?? whole * REPLY_SHARE) - tokensOf(now);
    let bytes = MAX_BYTES - bytesOf(now);
    let from = this.#turns.length;
    while (from > 0) {
      const { prompt, reply } = this.#turns[from - 1];
      tokens -= tokensOf(prompt) + tokensOf(reply);
      bytes -= bytesOf(prompt) + bytesOf(reply);
      if (tokens < 0 || bytes < 0) break;
      from -= 1;
    }
    const messages = this.#turns.slice(from).flatMap(({ prompt, reply }) => [
      { role: /** @type {const} */ ("user"), content: prompt },
      { role: /** @type {const} */ ("assistant"), content: reply },
    ]);
    return { messages, unsent: from, leftOut: this.#gone + from };
  }

  /** @param {Turn} turn that was answered, if only in part */
  add(turn) {
    this.#turns.push(turn);
    if (this.#turns.length > MAX_TURNS) {
      this.#turns.shift();
      this.#gone += 1;
    }
  }

  clear() {
    this.#turns = [];
    this.#gone = 0;
  }
}

/** @param {string} text */
const bytesOf = (text) => UTF8.encode(text).length;

/** @param {string} text */
const tokensOf = (text) => Math.ceil(bytesOf(text) / BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE;
