// One replay along its time: what had come after so many milliseconds. Pure.

import { Meter } from "../taste/meter.js";

const RATED = 32; // pieces that the live rate is of, as in the console
const MAX_TRIED = 1_000; // arguments that are looked at for their end; more of them would stop the page
const MAX_ARGUMENTS = 100_000;
const NAME = /^[^\s"{}[\]:,]+\n/;

/**
 * @typedef {object} Step an event, and where its text belongs
 * @property {number} at
 * @property {"text" | "reasoning" | "tool"} box
 * @property {string} text
 * @property {number} call of a tool: which one, from 0
 * @property {string | null} name of a tool: at the start of a call, what is called
 */

export class Track {
  /** @type {Step[]} */
  steps;
  #queue;
  /** Until all of it is over. */
  durationMs;

  /** @param {import("./format.js").Replay} replay */
  constructor(replay) {
    this.replay = replay;
    this.steps = stepsOf(replay.events);
    this.#queue = replay.queue;
    this.durationMs = Math.max(replay.figures.total_ms, this.steps.at(-1)?.at ?? 0);
  }

  /**
   * @param {number} ms
   * @returns {number} how many steps had come by then
   */
  countAt(ms) {
    let low = 0;
    let high = this.steps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.steps[middle].at <= ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * @param {number} ms
   * @returns {number | null} the place in the queue that was known by then
   */
  placeAt(ms) {
    return this.#queue.findLast(([at]) => at <= ms)?.[1] ?? null;
  }

  /**
   * @param {number} count of steps that have come
   * @returns {number | null} pieces a second over the last of them
   */
  rateAt(count) {
    const meter = new Meter(0);
    for (const { at } of this.steps.slice(Math.max(count - RATED, 0), count)) meter.piece(at);
    return meter.liveRate;
  }
}

/**
 * @param {import("./format.js").Event[]} events
 * @returns {Step[]}
 */
function stepsOf(events) {
  const calls = new Calls();
  return events.map(([at, kind, text]) => {
    if (kind === "tool") return { at, box: kind, ...calls.next(text) };
    // A refusal stands where the reply would, as in the console.
    return { at, box: kind === "reasoning" ? kind : "text", text, call: 0, name: null };
  });
}

/** Tells calls apart: a replay has them one after the other, each a name, a line break, arguments. */
class Calls {
  #call = -1;
  #given = "";
  #tried = 0;

  /**
   * @param {string} text
   * @returns {{text: string, call: number, name: string | null}}
   */
  next(text) {
    if (!this.#isStart(text)) {
      this.#given += text;
      return { text, call: this.#call, name: null };
    }
    const end = text.indexOf("\n");
    this.#call += 1;
    this.#given = text.slice(end + 1);
    return { text: this.#given, call: this.#call, name: text.slice(0, Math.max(end, 0)) };
  }

  /** @param {string} text */
  #isStart(text) {
    if (this.#call < 0) return true;
    return NAME.test(text) && this.#isOver();
  }

  /** Whether the arguments so far are whole. */
  #isOver() {
    if (this.#given.trim() === "") return true;
    this.#tried += 1;
    if (this.#tried > MAX_TRIED || this.#given.length > MAX_ARGUMENTS) return false;
    try {
      JSON.parse(this.#given);
      return true;
    } catch {
      return false;
    }
  }
}
