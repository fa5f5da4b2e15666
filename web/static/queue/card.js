// One ticket on the page. Everything that a rig or its owner says becomes text.

import { make } from "../taste/elements.js";

const SHOWN_CHARS = 6; // enough to tell tickets apart; the rest stays a secret on a shared screen

export class TicketCard {
  #say;
  #place = make("p", { className: "place" });
  #facts = make("p", { className: "facts" });
  #label = document.createTextNode("");
  #leave;

  /**
   * @param {import("./board.js").Held} held
   * @param {object} how
   * @param {import("../taste/words.js").Say} how.say
   * @param {string} how.lang what ?lang= chose, or empty
   * @param {(() => void) | null} how.onLeave none where this page can't reach the rig
   * @param {string} how.openFor the page that can; empty where there is none, or it is this one
   */
  constructor({ ticket, nodeId, name, gpu, since }, { say, lang, onLeave, openFor }) {
    this.#say = say;
    this.#label.data = say("leave");
    const query = lang ? `?lang=${encodeURIComponent(lang)}` : "";
    const link = make("a", { href: `/nodes/${nodeId}${query}` }, make("bdi", { textContent: gpu || name || nodeId }));
    this.#leave = make("button", { className: "leave", type: "button", hidden: !onLeave }, this.#label);
    this.#leave.append(make("span", { className: "vh", textContent: ` ${name || nodeId}` }));
    this.#leave.onclick = onLeave;
    const doors = make(
      "p",
      { className: "doors" },
      make("a", { href: openFor, textContent: say("open_for"), hidden: !openFor }),
      make("a", { href: `/taste/${nodeId}${query}`, textContent: say("console") }),
      make("span", { textContent: say("tab"), hidden: since === null }),
    );
    const what = make(
      "div",
      {},
      make("h2", {}, link),
      make("p", { className: "nick", hidden: !gpu }, make("bdi", { textContent: name })),
      this.#place,
      this.#facts,
      doors,
      make("code", { className: "id", textContent: say("ticket", { ticket: `${ticket.slice(0, SHOWN_CHARS)}…` }) }),
    );
    this.element = make("li", { className: "ticket" }, what, this.#leave);
    this.element.dataset.ticket = ticket;
  }

  /**
   * @param {import("./rig_queue.js").Place} place
   * @param {number | null} since Unix milliseconds
   */
  show(place, since) {
    const { state, position, eta, waiting, active, slots } = place;
    const isRunning = state === "running";
    this.element.dataset.state = state;
    const where = { position: position ?? "–", waiting: waiting ?? "–" };
    put(this.#place, isRunning ? this.#say("running") : this.#say("place", where));
    this.#label.data = this.#say(isRunning ? "stop" : "leave");
    const facts = isRunning ? [] : [this.#eta(eta)];
    const seconds = since === null ? null : Math.max(0, Math.round((Date.now() - since) / 1000));
    if (seconds !== null && !isRunning) facts.push(this.#say("since", { n: seconds }));
    if (active !== null && slots !== null) facts.push(this.#say("slots", { active, slots }));
    this.#fact(facts);
  }

  /**
   * A rig that this page can't ask: what its own tab heard last.
   *
   * @param {import("./board.js").Held} held
   */
  showHeard({ position, eta }) {
    this.element.dataset.state = "unreachable";
    put(this.#place, position === null ? "" : this.#say("place_heard", { position }));
    this.#fact([this.#eta(eta), this.#say("elsewhere")]);
  }

  /** The rig doesn't answer now; what was known of the place is old. */
  showSilence() {
    this.element.dataset.state = "unreachable";
    this.#fact([this.#say("silent")]);
  }

  /** @param {boolean} isLeaving */
  leaving(isLeaving) {
    this.#leave.disabled = isLeaving;
  }

  /** @param {number | null} seconds */
  #eta(seconds) {
    return seconds === null ? this.#say("eta_unknown") : this.#say("eta", { n: Math.ceil(seconds) });
  }

  /** @param {string[]} facts */
  #fact(facts) {
    const shown = [...this.#facts.children].map(({ textContent }) => textContent);
    if (shown.join("\n") === facts.join("\n")) return;
    this.#facts.replaceChildren(...facts.map((textContent) => make("span", { textContent })));
  }
}

/**
 * @param {HTMLElement} box
 * @param {string} text
 */
function put(box, text) {
  if (box.textContent !== text) box.textContent = text;
}
