// The tasting console, /taste/{id}: one question to one rig, from the browser.

import { whyNotSealed } from "../subtext/support.js";
import { TasteConsole } from "./console.js";
import { byId } from "./elements.js";
import { loadIdentity } from "./identity.js";
import { BrowserStore } from "./store.js";
import { readWords } from "./words.js";

/** @param {string} text */
function block(text) {
  byId("blocked").textContent = text;
  byId("blocked").hidden = false;
}

/**
 * Why this page can't ask the rig, and what to do instead; null when it can.
 *
 * @param {import("./words.js").Say} say
 * @param {DOMStringMap} facts
 * @returns {Promise<string | null>}
 */
async function whyNot(say, facts) {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
    return say("insecure");
  }
  const { origin } = new URL(facts.tracker ?? "");
  // A rig at its own address answers pages of that origin only; the relay is wherever this page is.
  if (facts.way === "direct" && origin !== location.origin) return say("other_address", { address: origin });
  return (await whyNotSealed()) === null ? null : say("too_old");
}

async function start() {
  const say = readWords(byId("words"));
  const facts = byId("console").dataset;
  const why = await whyNot(say, facts);
  if (why !== null) {
    block(why);
    return;
  }
  const store = await BrowserStore.open();
  byId("user-id").textContent = (await loadIdentity(store))?.userId ?? "–";
  await new TasteConsole(/** @type {any} */ ({ ...facts }), store, say).start();
}

start().catch((error) => {
  console.error(error);
  block(readWords(byId("words"))("broken"));
});
