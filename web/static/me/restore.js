// Bring a key from a file into this browser.

import { byId } from "../taste/elements.js";
import { identityOf } from "./keys.js";
import { MAX_FILE_BYTES, NoKey, readKey } from "./keyfile.js";
import { short } from "./short.js";

export class Restore {
  #keys;
  #say;
  #onDone;
  #field = /** @type {HTMLInputElement} */ (byId("key-file"));
  #button = /** @type {HTMLButtonElement} */ (byId("restore-go"));
  /** The key whose loss was warned of; pressing again replaces it. */
  #warned = "";

  /**
   * @param {import("./keys.js").BrowserKeys} keys
   * @param {import("../taste/words.js").Say} say
   * @param {() => void} onDone
   */
  constructor(keys, say, onDone) {
    this.#keys = keys;
    this.#say = say;
    this.#onDone = onDone;
    this.#field.addEventListener("change", () => this.#choose());
    this.#button.addEventListener("click", () => this.#use());
    this.#choose();
  }

  #choose() {
    this.#warned = "";
    this.#button.disabled = !this.#field.files?.length;
    this.#state("");
  }

  async #use() {
    const file = this.#field.files?.[0];
    if (!file) return;
    try {
      if (file.size > MAX_FILE_BYTES) throw new NoKey("too_large");
      await this.#take(await readKey(await file.text()));
    } catch (error) {
      if (!(error instanceof NoKey)) throw error;
      this.#state(this.#say(`restore.${error.reason}`));
    }
  }

  /** @param {CryptoKeyPair} pair */
  async #take(pair) {
    const { userId } = await identityOf(pair);
    const own = await this.#keys.current();
    const isSame = own?.userId === userId;
    if (own && !isSame && this.#warned !== own.userId) {
      this.#warned = own.userId;
      this.#state(this.#say("restore.replaces", { id: short(own.userId) }));
      return;
    }
    await this.#keys.replace(pair);
    this.#field.value = "";
    this.#choose();
    this.#state(isSame ? this.#say("restore.same") : this.#say("restore.done", { id: short(userId) }));
    this.#onDone();
  }

  /** @param {string} text */
  #state(text) {
    byId("restore-state").textContent = text;
  }
}
