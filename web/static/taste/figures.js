// The four figures above an answer: by this browser's clock, while it streams and in the end.

import { byId } from "./elements.js";
import { formatNumber, formatTime, UNKNOWN } from "./numbers.js";

export class FiguresView {
  #say;

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
    if (meter.pieces === 1) this.show("ttft", formatTime(meter.ttftMs, this.#say));
    this.show("tokens", this.#say("about", { n: formatNumber(meter.pieces) }));
    if (meter.liveRate !== null) this.show("speed", formatNumber(meter.liveRate, 1));
  }

  /**
   * @param {import("./meter.js").Meter} meter
   * @param {number | null} tokens as the engine counted
   * @param {Record<string, any> | null} timing the rig's
   */
  final(meter, tokens, timing) {
    if (tokens !== null) this.show("tokens", formatNumber(tokens));
    const rate = meter.finalRate(tokens);
    this.show("speed", rate === null ? UNKNOWN : formatNumber(rate, 1));
    if (typeof timing?.queue_ms === "number") this.show("queue", formatTime(timing.queue_ms, this.#say));
  }
}
