// A conversation on the page: what was said before stays in sight, and goes along with what is asked.

import { Conversation } from "./conversation.js";
import { byId, make } from "./elements.js";
import { wellFormed } from "./replay.js";

/** @typedef {import("./form.js").Question} Question */

export class Talk {
  #conversation = new Conversation();
  #say;
  #placeholder = byId("prompt").placeholder;

  /** @param {import("./words.js").Say} say */
  constructor(say) {
    this.#say = say;
  }

  /**
   * @param {Question} question
   * @returns {Question} with what was said before, as far as there is room
   */
  join(question) {
    const { mode, body, offer, prompt } = question;
    const mayGoOn = this.#conversation.fits(mode);
    if (!mayGoOn) this.#conversation.clear();
    const { messages, unsent, leftOut } = this.#conversation.messages({
      context: Number(offer.context) || null,
      maxTokens: body.max_tokens ?? null,
      now: JSON.stringify([body.messages, body.tools ?? null]),
    });
    this.#show(prompt, unsent);
    this.#note(mayGoOn ? (leftOut ? this.#say("left_out", { n: leftOut }) : "") : this.#say("began_anew"));
    const before = body.messages.slice(0, -1); // the system message, if there is one
    return { ...question, body: { ...body, messages: [...before, ...messages, ...body.messages.slice(-1)] } };
  }

  /**
   * What came is part of the conversation, even if it was stopped. A call without words isn't: this
   * page runs no tools, so nothing can follow it.
   *
   * @param {Question} question
   * @param {string} reply
   */
  answered({ prompt, mode }, reply) {
    if (!reply.trim()) return;
    this.#conversation.add({ prompt, reply: wellFormed(reply), mode });
    const box = byId("prompt");
    if (wellFormed(box.value) === prompt) box.value = ""; // unless the next one stands there already
    box.placeholder = this.#say("follow_up");
    byId("anew").hidden = false;
  }

  /** Begin anew. */
  clear() {
    this.#conversation.clear();
    this.#show("", 0);
    this.#note("");
    byId("prompt").placeholder = this.#placeholder;
    byId("anew").hidden = true;
  }

  /**
   * @param {string} prompt that is asked now; none if empty
   * @param {number} unsent how many of the oldest turns don't go along
   */
  #show(prompt, unsent) {
    const { turns } = this.#conversation;
    byId("turns").replaceChildren(
      ...turns.flatMap((turn, at) => [
        this.#line("you", turn.prompt, at < unsent),
        this.#line("rig", turn.reply, at < unsent),
      ]),
    );
    byId("earlier").hidden = turns.length === 0;
    byId("turns").scrollTop = byId("turns").scrollHeight;
    byId("asked").replaceChildren(...(prompt ? [this.#line("you", prompt, false)] : []));
    byId("asked").hidden = !prompt;
    byId("anew").hidden = turns.length === 0;
  }

  /**
   * @param {"you" | "rig"} who
   * @param {string} text
   * @param {boolean} isLeftOut
   */
  #line(who, text, isLeftOut) {
    const name = make("span", { className: "who", textContent: this.#say(`said_${who}`) });
    const className = `turn ${who}${isLeftOut ? " left-out" : ""}`;
    return make("div", { className }, name, make("p", { textContent: text }));
  }

  /** @param {string} text */
  #note(text) {
    byId("note").textContent = text;
    byId("note").hidden = !text;
  }
}
