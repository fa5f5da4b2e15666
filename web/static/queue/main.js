// /queue: the tickets that this browser waits with, and any that somebody pastes.

import { byId, make } from "../taste/elements.js";
import { readWords } from "../taste/words.js";
import { isTicket, listen } from "./board.js";
import { TicketCard } from "./card.js";
import { findRig, Reach, ticketUrl } from "./rig_queue.js";

const LOOK_MS = 2_000;
const SLOWEST_LOOK_MS = 30_000;
const MAX_TICKETS = 20;

/** @typedef {{held: import("./board.js").Held, card: TicketCard, failures: number, isLeaving: boolean}} Entry */

class QueuePage {
  #say = readWords(byId("words"));
  #lang = byId("queue").dataset.lang;
  #reach = new Reach(byId("queue").dataset);
  /** @type {Map<string, Entry>} by ticket */
  #entries = new Map();
  /** @type {Set<string>} tickets that are over: a tab may still speak of them */
  #over = new Set();
  #timer = 0;
  #isLooking = false;

  start() {
    byId("paste").onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.#paste();
    };
    document.addEventListener("visibilitychange", () => this.#schedule(0));
    listen({
      onHeld: (held) => this.#held(held),
      onDropped: (ticket) => this.#gone(ticket),
    });
  }

  /** @param {import("./board.js").Held} held */
  #held(held) {
    const known = this.#entries.get(held.ticket);
    if (this.#over.has(held.ticket)) return;
    if (known) known.held = { ...held, since: known.held.since ?? held.since };
    else this.#add(held);
    if (!this.#reach.holds(held)) this.#entries.get(held.ticket)?.card.showHeard(held);
  }

  /** @param {import("./board.js").Held} held */
  #add(held) {
    if (this.#entries.size >= MAX_TICKETS) return;
    const onLeave = this.#reach.holds(held) ? () => void this.#leave(held.ticket) : null;
    const openFor = onLeave || this.#reach.isFor(held.nodeId) ? "" : this.#pageFor(held.nodeId);
    const card = new TicketCard(held, { say: this.#say, lang: this.#lang, onLeave, openFor });
    this.#entries.set(held.ticket, { held, card, failures: 0, isLeaving: false });
    byId("tickets").append(card.element);
    byId("none").hidden = true;
    this.#schedule(0);
  }

  /**
   * It is over, unless this page is ending it just now, and will say so.
   *
   * @param {string} ticket
   */
  #gone(ticket) {
    if (!this.#entries.get(ticket)?.isLeaving) this.#end(ticket, "over");
  }

  /**
   * @param {string} ticket
   * @param {string} word
   */
  #end(ticket, word) {
    const entry = this.#entries.get(ticket);
    this.#over.add(ticket);
    if (!entry) return;
    this.#entries.delete(ticket);
    entry.card.element.remove();
    byId("none").hidden = this.#entries.size > 0;
    this.#tell(this.#say(word, { rig: entry.held.name || entry.held.nodeId }));
  }

  /** @param {string} text */
  #tell(text) {
    byId("state").textContent = text;
  }

  /**
   * Say why this page doesn't look, and which one does.
   *
   * @param {{nodeId: string, baseUrl: string}} rig
   * @param {string} ticket
   */
  #refuse({ nodeId, baseUrl }, ticket) {
    this.#tell(this.#say("direct", { address: ticketUrl(baseUrl, ticket) }));
    if (this.#reach.isFor(nodeId)) return;
    byId("state").append(" ", make("a", { href: this.#pageFor(nodeId), textContent: this.#say("open_for") }));
  }

  /** @param {string} nodeId of a rig that only a page for it may ask */
  #pageFor(nodeId) {
    return `/queue?rig=${nodeId}${this.#lang ? `&lang=${encodeURIComponent(this.#lang)}` : ""}`;
  }

  /** @param {number} ms */
  #schedule(ms) {
    clearTimeout(this.#timer);
    if (!document.hidden && this.#entries.size) this.#timer = setTimeout(() => void this.#look(), ms);
  }

  async #look() {
    if (this.#isLooking) return;
    this.#isLooking = true;
    await Promise.all([...this.#entries.values()].map((entry) => this.#lookAt(entry)));
    this.#isLooking = false;
    // However many tickets, this page asks once a second at most, and less where nobody answers.
    const failures = Math.max(0, ...[...this.#entries.values()].map((entry) => entry.failures));
    const wait = Math.max(LOOK_MS, 1_000 * this.#entries.size) * 2 ** Math.min(failures, 4);
    this.#schedule(Math.min(wait, SLOWEST_LOOK_MS));
  }

  /** @param {Entry} entry */
  async #lookAt(entry) {
    const { held, card } = entry;
    if (!this.#reach.holds(held)) return;
    try {
      const place = await this.#reach.ask("GET", held);
      entry.failures = 0;
      if (place) card.show(place, held.since);
      else this.#gone(held.ticket);
    } catch {
      entry.failures += 1;
      card.showSilence();
    }
  }

  /** @param {string} ticket */
  async #leave(ticket) {
    const entry = this.#entries.get(ticket);
    if (!entry) return;
    entry.isLeaving = true;
    entry.card.leaving(true);
    try {
      const place = await this.#reach.ask("DELETE", entry.held);
      if (!place) this.#end(ticket, "over");
      else this.#end(ticket, place.state === "running" ? "ended" : "left");
      byId("state").focus();
    } catch {
      entry.isLeaving = false;
      entry.card.leaving(false);
      this.#tell(this.#say("not_left"));
    }
  }

  /** A ticket of some other client: a script, curl, another browser. */
  async #paste() {
    const ticket = byId("ticket").value.trim();
    if (!isTicket(ticket)) return;
    try {
      const rig = await findRig(byId("rig").value);
      if (!rig) {
        this.#tell(this.#say("no_rig"));
        return;
      }
      if (!this.#reach.holds(rig)) {
        this.#refuse(rig, ticket);
        return;
      }
      if (!(await this.#reach.ask("GET", { ...rig, ticket }))) {
        this.#tell(this.#say("no_ticket"));
        return;
      }
      this.#over.delete(ticket);
      this.#held({ ...rig, ticket, since: null, position: null, eta: null });
      byId("paste").reset();
      this.#tell("");
    } catch {
      this.#tell(this.#say("silent"));
    }
  }
}

new QueuePage().start();
