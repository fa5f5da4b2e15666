// One replay being played: what its reader had seen by some moment. Everything in it is a stranger's
// text, so it becomes text nodes.

import { make } from "../taste/elements.js";
import { keepAtEnd } from "../taste/growing.js";
import { colour, indented } from "../taste/json_view.js";
import { formatTime, UNKNOWN } from "../taste/numbers.js";
import { messagesOf } from "./asked.js";
import { outcomeOf, rateOf, rigName, tokensOf } from "./facts.js";
import { Track } from "./track.js";

const FIGURES = ["ttft", "speed", "tokens"];

/** A box whose text only grows, until it is begun anew. */
class Grown {
  #text = document.createTextNode("");

  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
    this.clear();
  }

  clear() {
    this.#text.data = "";
    this.box.replaceChildren(this.#text);
    this.box.classList.remove("json");
  }

  /** @param {string} text */
  add(text) {
    if (text) this.#text.appendData(text);
  }

  get isEmpty() {
    return this.#text.length === 0;
  }

  /** JSON that is whole is laid out, as in the console. */
  layOut() {
    const laidOut = indented(this.#text.data);
    if (laidOut === null) return;
    this.box.replaceChildren(colour(laidOut));
    this.box.classList.add("json");
  }
}

export class Lane {
  #say;
  #track;
  #count = 0;
  #state = make("p", { className: "lane-state" });
  #body = make("div", { className: "lane-body", tabIndex: 0, role: "region" });
  #reasoningBox;
  #reasoning;
  #text;
  #calls = make("div");
  /** @type {Grown[]} */
  #arguments = [];
  /** @type {Map<string, HTMLElement>} */
  #figures = new Map();

  /**
   * @param {import("./format.js").Replay} replay
   * @param {import("../taste/words.js").Say} say
   */
  constructor(replay, say) {
    this.#say = say;
    this.replay = replay;
    this.#track = new Track(replay);
    this.#reasoning = new Grown(make("div", { className: "lane-text" }));
    this.#text = new Grown(make("div", { className: "lane-text lane-reply" }));
    this.#reasoningBox = make("details", { open: true, hidden: true }, make("summary", { textContent: say("reasoning") }), this.#reasoning.box);
    this.element = this.#build();
    this.show(0);
  }

  get durationMs() {
    return this.#track.durationMs;
  }

  /**
   * Exactly what had come by then.
   *
   * @param {number} ms since the request left
   */
  show(ms) {
    const count = this.#track.countAt(ms);
    if (count !== this.#count) keepAtEnd(this.#body, () => this.#move(count));
    const isOver = ms >= this.#track.durationMs;
    this.#body.ariaBusy = String(!isOver);
    put(this.#state, this.#stateAt(ms, isOver));
    this.#showFigures(ms, isOver);
  }

  /** @param {number} count of steps to be on the page */
  #move(count) {
    const { steps } = this.#track;
    if (count < this.#count) this.#clear();
    for (const step of steps.slice(this.#count, count)) this.#add(step);
    this.#count = count;
    this.#reasoningBox.hidden = this.#reasoning.isEmpty;
    if (count === steps.length) for (const each of [this.#text, ...this.#arguments]) each.layOut();
  }

  #clear() {
    this.#count = 0;
    this.#reasoning.clear();
    this.#text.clear();
    this.#calls.replaceChildren();
    this.#arguments = [];
  }

  /** @param {import("./track.js").Step} step */
  #add({ box, text, call, name }) {
    if (box === "reasoning") this.#reasoning.add(text);
    else if (box === "text") this.#text.add(text);
    else this.#addCall(call, name, text);
  }

  /**
   * @param {number} call
   * @param {string | null} name
   * @param {string} text
   */
  #addCall(call, name, text) {
    if (name !== null) {
      const title = name ? this.#say("call", { name }) : this.#say("call_unnamed");
      const box = make("pre");
      this.#calls.append(make("div", { className: "call" }, make("h4", { textContent: title }), box));
      this.#arguments[call] = new Grown(box);
    }
    this.#arguments[call].add(text);
  }

  /**
   * @param {number} ms
   * @param {boolean} isOver
   */
  #stateAt(ms, isOver) {
    if (isOver) return outcomeOf(this.replay, this.#say);
    if (this.#count > 0) return this.#say("streaming");
    const position = this.#track.placeAt(ms);
    return position ? this.#say("queued", { position }) : this.#say("waiting");
  }

  /**
   * @param {number} ms
   * @param {boolean} isOver
   */
  #showFigures(ms, isOver) {
    const { figures } = this.replay;
    const hasBegun = isOver || this.#count > 0;
    const first = figures.ttft_ms ?? this.#track.steps[0]?.at ?? null;
    const rate = isOver ? figures.tokens_per_second : this.#track.rateAt(this.#count);
    const seen = { completion_tokens: this.#count || null, counted: /** @type {const} */ ("pieces") };
    this.#put("ttft", hasBegun ? formatTime(first, this.#say) : UNKNOWN);
    this.#put("speed", rateOf(rate));
    this.#put("tokens", tokensOf(isOver ? figures : { ...figures, ...seen }, this.#say));
  }

  /**
   * @param {string} name
   * @param {string} text
   */
  #put(name, text) {
    put(/** @type {HTMLElement} */ (this.#figures.get(name)), text);
  }

  #build() {
    const { rig, mode, title } = this.replay;
    const name = rigName(rig);
    const facts = [rig.name, rig.model, rig.quantization].filter(Boolean).map((each) => make("bdi", { textContent: each }));
    const figures = FIGURES.map((figure) => {
      const box = make("dd", { textContent: UNKNOWN });
      box.dataset.figure = figure;
      this.#figures.set(figure, box);
      return make("div", {}, make("dt", { textContent: this.#say(figure) }), box);
    });
    this.#body.ariaLabel = name;
    this.#body.append(this.#reasoningBox, this.#text.box, this.#calls);
    return make(
      "section",
      { className: "lane", ariaLabel: name },
      make("h3", {}, make("bdi", { textContent: name })),
      make("p", { className: "lane-facts small" }, ...facts, this.#say(`mode_${mode}`)),
      this.#asked(title),
      this.#state,
      make("dl", { className: "figures" }, ...figures),
      this.#body,
    );
  }

  /** @param {string} title */
  #asked(title) {
    const said = messagesOf(/** @type {Record<string, any>} */ (this.replay.request)).map(({ role, text }) => {
      return make("div", {}, make("dt", {}, make("bdi", { textContent: role })), make("dd", { textContent: text }));
    });
    const summary = make("summary", {}, this.#say("asked"), " ", make("bdi", { textContent: title || UNKNOWN }));
    return make("details", { className: "asked" }, summary, make("dl", { tabIndex: 0 }, ...said));
  }
}

/**
 * @param {HTMLElement} box
 * @param {string} text
 */
function put(box, text) {
  if (box.textContent !== text) box.textContent = text;
}
