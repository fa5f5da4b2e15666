// "Share timings": shows what would leave, to the last byte, and sends it only when told to.

import { byId } from "./elements.js";
import { TasteError } from "./errors.js";
import { answerReceipt } from "./receipt.js";

/**
 * @typedef {object} Means
 * @property {import("../subtext/proof.js").ProofKey} proof
 * @property {import("./tracker.js").Tracker} tracker
 * @property {import("./view.js").AnswerView} view
 */

export class Sharing {
  #say;

  /** @param {import("./words.js").Say} say */
  constructor(say) {
    this.#say = say;
  }

  /**
   * @param {import("./receipt.js").Witnessed} witnessed
   * @param {Means} means
   */
  offer(witnessed, means) {
    byId("share").hidden = false;
    byId("share").onclick = () => this.#show(witnessed, means);
  }

  /**
   * @param {import("./receipt.js").Witnessed} witnessed
   * @param {Means} means
   */
  async #show(witnessed, { proof, tracker, view }) {
    const word = await answerReceipt(witnessed, proof, Date.now() / 1000);
    if (!word) {
      view.state(this.#say("no_receipt"));
      return;
    }
    if (!word.opinion.agrees) view.state(this.#say("disputed"));
    const numbers = { receipt: word.receipt, countersignature: word.opinion };
    byId("share-numbers").textContent = JSON.stringify(numbers, null, 2);
    byId("share-raw").textContent = word.body;
    byId("share-box").hidden = false;
    byId("share-box").focus();
    byId("share-keep").onclick = () => {
      this.#close();
      view.state(this.#say("kept_private"));
    };
    byId("share-send").onclick = () => this.#send(word.body, { proof, tracker, view });
  }

  /**
   * @param {string} body
   * @param {Means} means
   */
  async #send(body, { tracker, view }) {
    byId("share-send").disabled = true;
    try {
      const { state, message } = await tracker.handIn(body);
      view.state(state ? this.#say("shared", { state }) : this.#say("not_shared", { message: message ?? "" }));
      byId("share").hidden = state !== null;
      this.#close();
    } catch (error) {
      if (!(error instanceof TasteError)) throw error;
      const message = error.code === "unreachable" ? this.#say("unreachable") : error.message;
      view.state(this.#say("not_shared", { message }));
    } finally {
      byId("share-send").disabled = false;
    }
  }

  #close() {
    byId("share-box").hidden = true;
    byId("share").focus();
  }
}
