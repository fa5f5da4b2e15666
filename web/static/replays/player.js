// Plays up to four replays by one clock, which starts when their requests left: who waited longer is
// seen to wait longer.

import { byId } from "../taste/elements.js";
import { INSTANT, PlayClock } from "./clock.js";
import { showComparison } from "./comparison.js";
import { Lane } from "./lane.js";

export const MAX_LANES = 4;

const STEP_MS = 100; // an arrow key's; a page key's is a tenth of the whole
const LEAP = 10;

export class Player {
  #say;
  #clock;
  #isDue = false;
  /** @type {Map<string, Lane>} */
  #lanes = new Map();
  #scrubber = byId("scrubber");

  /**
   * @param {import("../taste/words.js").Say} say
   * @param {() => number} now milliseconds of a monotonic clock
   */
  constructor(say, now) {
    this.#say = say;
    this.#clock = new PlayClock(now);
    byId("play").onclick = () => this.toggle();
    byId("restart").onclick = () => this.restart();
    byId("speed").onchange = () => this.#changeSpeed();
    this.#scrubber.oninput = () => this.#seek(this.#scrubber.valueAsNumber);
    this.#scrubber.onkeydown = (/** @type {KeyboardEvent} */ event) => this.#key(event);
    // Text that runs is motion, so whoever wants none of it sees the end first.
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) byId("speed").value = "instant";
    this.#changeSpeed();
  }

  /** @param {Map<string, import("./format.js").Replay>} replays by what names them, in order */
  load(replays) {
    const before = this.#lanes;
    this.#lanes = new Map();
    for (const [key, replay] of replays) this.#lanes.set(key, before.get(key) ?? new Lane(replay, this.#say));
    const lanes = [...this.#lanes.values()];
    byId("lanes").replaceChildren(...lanes.map(({ element }) => element));
    byId("player").hidden = lanes.length === 0;
    this.#clock.load(Math.max(0, ...lanes.map(({ durationMs }) => durationMs)));
    this.#scrubber.max = String(Math.ceil(this.#clock.durationMs));
    showComparison([...replays.values()], this.#say);
    this.#show();
  }

  toggle() {
    if (this.#clock.isRunning) this.#clock.pause();
    else this.#clock.play();
    this.#run();
  }

  restart() {
    this.#clock.seek(0);
    this.#clock.play();
    this.#run();
  }

  #changeSpeed() {
    const { value } = byId("speed");
    this.#clock.setSpeed(value === "instant" ? INSTANT : Number(value));
    this.#run();
  }

  /** @param {number} ms */
  #seek(ms) {
    this.#clock.seek(ms);
    this.#run();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const page = this.#clock.durationMs / LEAP;
    /** @type {Record<string, number>} */
    const steps = { ArrowLeft: -STEP_MS, ArrowDown: -STEP_MS, ArrowRight: STEP_MS, ArrowUp: STEP_MS, PageDown: -page, PageUp: page };
    if (event.key === " ") this.toggle();
    else if (Object.hasOwn(steps, event.key)) this.#seek(this.#clock.positionMs + steps[event.key]);
    else return;
    event.preventDefault();
  }

  #run() {
    this.#show();
    if (this.#isDue || !this.#clock.isRunning) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#run();
    });
  }

  #show() {
    const { positionMs, durationMs, isRunning, isAtEnd } = this.#clock;
    if (isAtEnd) this.#clock.pause(); // a later look back must not set it going
    for (const lane of this.#lanes.values()) lane.show(positionMs);
    this.#scrubber.value = String(positionMs);
    const time = this.#say("of", { at: seconds(positionMs), all: seconds(durationMs) });
    byId("time").textContent = time;
    this.#scrubber.setAttribute("aria-valuetext", time);
    byId("play").textContent = this.#say(isRunning ? "pause" : "play");
    byId("player").dataset.state = isRunning ? "running" : isAtEnd ? "over" : "paused";
  }
}

/** @param {number} ms */
function seconds(ms) {
  // Always two digits: what changes with every frame mustn't change its width.
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return (ms / 1000).toLocaleString(document.documentElement.lang, digits);
}
