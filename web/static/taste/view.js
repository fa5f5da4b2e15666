// The answer's side of the page. Everything a rig or a model says becomes text, never markup.

import { byId, make } from "./elements.js";
import { FiguresView } from "./figures.js";
import { Growing } from "./growing.js";
import { colour, indented } from "./json_view.js";

/** One answer as it comes: text, reasoning, calls, figures. */
export class AnswerView {
  #say;
  #reply = byId("reply");
  #text;
  #reasoning;
  /** @type {Map<number, {name: string, title: HTMLElement, box: HTMLElement, growing: Growing}>} */
  #calls = new Map();
  #isLaidOut = false;

  /** @param {import("./words.js").Say} say */
  constructor(say) {
    this.#say = say;
    this.#text = new Growing(this.#reply);
    this.#reasoning = new Growing(byId("reasoning"));
    byId("calls").replaceChildren();
    for (const id of ["reply", "reasoning-box", "after", "share-box", "share", "laid-out", "told"]) {
      byId(id).hidden = true;
    }
    byId("laid-out").setAttribute("aria-pressed", "false");
    // Whoever listens hears the answer once it is there, not letter by letter.
    this.#reply.setAttribute("aria-busy", "true");
    this.figures = new FiguresView(say);
  }

  /** @param {string} text */
  state(text) {
    const box = byId("state");
    if (box.textContent !== text) box.textContent = text;
  }

  /** @param {import("./documents.js").Piece} piece */
  piece({ kind, text, call = 0 }) {
    if (kind === "reasoning") {
      byId("reasoning-box").hidden = false;
      this.#reasoning.add(text);
    } else if (kind === "tool") {
      this.#call(call, text);
    } else {
      this.#reply.hidden = false;
      this.#text.add(text);
    }
  }

  /** @returns {string} the reply so far, as it came */
  get text() {
    return this.#text.flush();
  }

  /** All that was said is on the page; JSON in it is laid out. */
  end() {
    const text = this.#text.flush();
    this.#reasoning.flush();
    this.#reply.setAttribute("aria-busy", "false");
    for (const call of this.#calls.values()) {
      const laidOut = indented(call.growing.flush());
      if (laidOut !== null) call.box.replaceChildren(colour(laidOut));
    }
    const laidOut = indented(text);
    const button = byId("laid-out");
    button.hidden = laidOut === null;
    button.onclick = () => this.#toggle(text, laidOut ?? "");
    if (laidOut !== null) this.#toggle(text, laidOut);
  }

  /**
   * What the rig says of it, beside what was measured here.
   *
   * @param {[string, string][]} rows
   */
  told(rows) {
    byId("told-rows").replaceChildren(
      ...rows.map(([name, value]) => {
        return make("tr", {}, make("th", { scope: "row", textContent: name }), make("td", {}, make("bdi", { textContent: value })));
      }),
    );
    byId("told").hidden = rows.length === 0;
  }

  /**
   * @param {string} text
   * @param {string} laidOut
   */
  #toggle(text, laidOut) {
    this.#isLaidOut = !this.#isLaidOut;
    this.#reply.classList.toggle("mono", this.#isLaidOut);
    this.#reply.replaceChildren(this.#isLaidOut ? colour(laidOut) : text);
    byId("laid-out").setAttribute("aria-pressed", String(this.#isLaidOut));
  }

  /**
   * @param {number} number
   * @param {string} text
   */
  #call(number, text) {
    let call = this.#calls.get(number);
    if (!call) {
      const title = make("h3", { textContent: this.#say("call_unnamed") });
      const box = make("pre", { className: "json", tabIndex: 0 });
      byId("calls").append(make("div", { className: "call" }, title, box));
      call = { name: "", title, box, growing: new Growing(box) };
      this.#calls.set(number, call);
    }
    // The first piece is the name, which ends with the line; what follows are the arguments.
    if (!call.name && text.endsWith("\n")) {
      call.name = text.slice(0, -1);
      call.title.replaceChildren(this.#say("call", { name: call.name }));
    } else {
      call.growing.add(text);
    }
  }
}
