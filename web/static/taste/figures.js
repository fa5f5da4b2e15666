// The four figures above an answer: by this browser's clock, while it streams and in the end.

import { byId } from "./elements.js";

const UNKNOWN = "–";

export class FiguresView {
  #say;
  #language = document.documentElement.lang;

  /** @param {import("./words.js").Say} say */
  constructor(say) {
    this.#say = say;
    for (const name of ["ttft", "speed", "tokens", "queue"]) this.show(name, UNKNOWN);
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  show(name, text) {
    const box = byId(`figure-${name}`);
    if (box.textContent !== text) box.textContent = text;
  }

  /**
   * A piece came. Pieces are no more than the tokens, so their number is marked as about.
   *
   * @param {import("./meter.js").Meter} meter
   */
  live(meter) {
    if (meter.pieces === 1) this.show("ttft", this.#time(meter.ttftMs));
    this.show("tokens", this.#say("about", { n: this.#number(meter.pieces) }));
    if (meter.liveRate !== null) this.show("speed", this.#number(meter.liveRate, 1));
  }

  /**
   * @param {import("./meter.js").Meter} meter
   * @param {number | null} tokens as the engine counted
   * @param {Record<string, any> | null} timing the rig's
   */
  final(meter, tokens, timing) {
    if (tokens !== null) this.show("tokens", this.#number(tokens));
    const rate = meter.finalRate(tokens);
    this.show("speed", rate === null ? UNKNOWN : this.#number(rate, 1));
    if (typeof timing?.queue_ms === "number") this.show("queue", this.#time(timing.queue_ms));
  }

  /** @param {number | null} ms */
  #time(ms) {
    if (ms === null) return UNKNOWN;
    if (ms < 1000) return this.#say("milliseconds", { n: this.#number(ms) });
    return this.#say("seconds", { n: this.#number(ms / 1000, 2) });
  }

  /**
   * @param {number} value
   * @param {number} [digits]
   */
  #number(value, digits = 0) {
    return value.toLocaleString(this.#language, { maximumFractionDigits: digits });
  }
}
