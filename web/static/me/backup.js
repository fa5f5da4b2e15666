// Get a file of this browser's key: by moving to a new key, of which there is one.

import { byId } from "../taste/elements.js";
import { explain } from "./explain.js";
import { makeKey } from "./keyfile.js";
import { identityOf } from "./keys.js";
import { short } from "./short.js";

/** How long a browser may take to begin with a download. */
const KEEP_URL_MS = 60_000;

export class Backup {
  #keys;
  #say;
  /** @type {{pair: CryptoKeyPair, pem: string, name: string, userId: string} | null} */
  #draft = null;

  /**
   * @param {import("./keys.js").BrowserKeys} keys
   * @param {import("../taste/words.js").Say} say
   */
  constructor(keys, say) {
    this.#keys = keys;
    this.#say = say;
    byId("backup-make").addEventListener("click", () => this.#make());
    byId("backup-again").addEventListener("click", () => this.#save());
    byId("backup-cancel").addEventListener("click", () => this.#cancel());
    byId("backup-move").addEventListener("click", () => this.#move(this.#draft?.pair));
  }

  /** Show whether there is a file, and end a move that a closed page left half done. */
  async start() {
    const savedAt = await this.#keys.savedAt();
    byId("backup-has").hidden = savedAt === null;
    if (savedAt !== null) {
      const when = new Date(savedAt * 1000).toLocaleDateString(document.documentElement.lang);
      byId("backup-has").textContent = this.#say("backup.has", { when });
    }
    if (await this.#keys.isMoving()) {
      byId("backup").querySelector("details")?.setAttribute("open", "");
      await this.#move();
    }
  }

  async #make() {
    this.#state(this.#say("backup.made"));
    const { pair, pem } = await makeKey();
    const { userId } = await identityOf(pair);
    this.#draft = { pair, pem, userId, name: `luckrig-${userId.slice(0, 10)}.key` };
    this.#save();
    byId("backup-sure").hidden = false;
    byId("backup-make").hidden = true;
    byId("backup-move").focus();
  }

  #save() {
    if (this.#draft === null) return;
    const { pem, name, userId } = this.#draft;
    const url = URL.createObjectURL(new Blob([pem], { type: "application/x-pem-file" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), KEEP_URL_MS);
    this.#state(this.#say("backup.saved", { name, id: short(userId) }));
  }

  #cancel() {
    this.#draft = null;
    byId("backup-sure").hidden = true;
    byId("backup-make").hidden = false;
    byId("backup-make").focus();
    this.#state("");
  }

  /** @param {CryptoKeyPair} [pair] the key to move to; none: end a move that was begun */
  async #move(pair) {
    byId("backup-sure").hidden = true;
    byId("backup-make").hidden = true;
    this.#state(this.#say("backup.moving"));
    try {
      const now = await (pair ? this.#keys.move(pair) : this.#keys.finish());
      this.#draft = null;
      this.#state(this.#say("backup.moved", { id: short(now.userId) }));
      byId("sign-in").hidden = false;
      byId("sign-in").focus();
    } catch (error) {
      this.#state(explain(this.#say, error));
      byId("backup-sure").hidden = this.#draft === null;
      byId("backup-make").hidden = this.#draft !== null;
    }
  }

  /** @param {string} text */
  #state(text) {
    byId("backup-state").textContent = text;
  }
}
