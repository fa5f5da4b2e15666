// /me, signed in or not: what this browser's key is good for.

import { byId } from "../taste/elements.js";
import { BrowserStore } from "../taste/store.js";
import { readWords } from "../taste/words.js";
import { askLogin } from "./asking.js";
import { Backup } from "./backup.js";
import { explain } from "./explain.js";
import { BrowserKeys } from "./keys.js";
import { Restore } from "./restore.js";
import { short } from "./short.js";

/**
 * Why no key works on this page; null when they do.
 *
 * @param {import("../taste/words.js").Say} say
 * @param {string} origin the tracker's
 * @returns {Promise<string | null>}
 */
async function whyNot(say, origin) {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) return say("script.insecure");
  if (origin !== location.origin) return say("script.other_address", { address: origin });
  try {
    await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    return null;
  } catch {
    return say("script.too_old");
  }
}

/** Signs in, and shows which key is where. */
class KeyPanel {
  #keys;
  #say;
  #facts;

  /**
   * @param {BrowserKeys} keys
   * @param {import("../taste/words.js").Say} say
   * @param {DOMStringMap} facts
   */
  constructor(keys, say, facts) {
    this.#keys = keys;
    this.#say = say;
    this.#facts = facts;
    byId("sign-in").addEventListener("click", () => this.#signIn());
  }

  /** Show what is true now. */
  async show() {
    const own = await this.#keys.current();
    const signedIn = this.#facts.userId;
    const id = own ? short(own.userId) : "";
    if (signedIn === undefined) {
      this.#state(own ? this.#say("sign_in.found", { id }) : this.#say("sign_in.none"));
      byId("sign-in").hidden = own === null;
      return;
    }
    const isHere = own?.userId === signedIn;
    byId("cli-key").hidden = isHere;
    byId("backup").hidden = !isHere;
    if (isHere) this.#state(this.#say("key.here"));
    else this.#state(own ? this.#say("key.elsewhere", { id }) : this.#say("key.elsewhere_none"));
  }

  async #signIn() {
    const button = /** @type {HTMLButtonElement} */ (byId("sign-in"));
    const own = await this.#keys.current();
    if (own === null) return;
    button.disabled = true;
    this.#state(this.#say("script.signing_in"));
    try {
      send(this.#facts.login ?? "", { code: await askLogin(this.#facts.origin ?? "", own) });
    } catch (error) {
      button.disabled = false;
      this.#state(explain(this.#say, error));
    }
  }

  /** @param {string} text */
  #state(text) {
    byId("key-state").textContent = text;
  }
}

/**
 * Post a form, as a button without scripts would.
 *
 * @param {string} action
 * @param {Record<string, string>} fields
 */
function send(action, fields) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = action;
  for (const [name, value] of Object.entries(fields)) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}

async function start() {
  const say = readWords(byId("words"));
  const facts = byId("keys").dataset;
  const why = await whyNot(say, facts.origin ?? "");
  const store = why === null ? await BrowserStore.open() : null;
  if (!store?.lasts) {
    byId("key-state").textContent = why ?? say("script.no_store");
    return;
  }
  const keys = new BrowserKeys(store, { origin: facts.origin ?? "", rootId: facts.rootId ?? "" });
  const panel = new KeyPanel(keys, say, facts);
  new Restore(keys, say, () => panel.show());
  await panel.show();
  if (facts.userId !== undefined) await new Backup(keys, say).start();
}

start().catch((error) => console.error(error));
