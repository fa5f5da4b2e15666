// One time for all lanes: it starts when the requests left. Pure: who asks brings the clock.

/** As fast as it goes. */
export const INSTANT = Infinity;

export class PlayClock {
  #now;
  #durationMs = 0;
  #fromMs = 0;
  /** @type {number | null} by #now, while it runs */
  #since = null;
  #speed = 1;

  /** @param {() => number} now milliseconds of a monotonic clock */
  constructor(now) {
    this.#now = now;
  }

  get durationMs() {
    return this.#durationMs;
  }

  /** Begin anew, standing still. */
  load(/** @type {number} */ durationMs) {
    this.#durationMs = durationMs;
    this.#since = null;
    this.#fromMs = 0;
  }

  get isRunning() {
    return this.#since !== null && this.positionMs < this.#durationMs;
  }

  get isAtEnd() {
    return this.positionMs >= this.#durationMs;
  }

  /** @returns {number} milliseconds of the recording */
  get positionMs() {
    if (this.#since === null) return this.#fromMs;
    if (this.#speed === INSTANT) return this.#durationMs;
    const passed = (this.#now() - this.#since) * this.#speed;
    return Math.min(this.#fromMs + passed, this.#durationMs);
  }

  /** From here on; from the start, where it had ended. */
  play() {
    this.#fromMs = this.isAtEnd ? 0 : this.positionMs;
    this.#since = this.#now();
  }

  pause() {
    this.#fromMs = this.positionMs;
    this.#since = null;
  }

  /** @param {number} ms */
  seek(ms) {
    this.#fromMs = Math.min(Math.max(ms, 0), this.#durationMs);
    if (this.#since !== null) this.#since = this.#now();
  }

  /** @param {number} speed times the recorded one, or INSTANT */
  setSpeed(speed) {
    this.#fromMs = this.positionMs;
    if (this.#since !== null) this.#since = this.#now();
    this.#speed = speed;
  }
}
