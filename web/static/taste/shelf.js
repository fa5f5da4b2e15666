// The replays that this browser keeps: a list, downloads, removal.

import { byId, make } from "./elements.js";

const OUTCOMES = new Set(["complete", "cut", "failed"]);

/**
 * Hand a replay to whoever sits there, as a file.
 *
 * @param {string} id
 * @param {string} file
 */
export function download(id, file) {
  const href = URL.createObjectURL(new Blob([file], { type: "application/json" }));
  make("a", { href, download: `luckrig-${id}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10_000); // after the browser has taken it
}

export class Shelf {
  #store;
  #say;

  /**
   * @param {import("./store.js").BrowserStore} store
   * @param {import("./words.js").Say} say
   */
  constructor(store, say) {
    this.#store = store;
    this.#say = say;
  }

  /**
   * @param {string} id
   * @param {string} file
   */
  async keep(id, file) {
    try {
      await this.#store.keepReplay(id, file);
    } catch {
      return; // the browser's room is used up; the answer is still on the page, and can be saved
    }
    await this.show();
  }

  /** Newest first. */
  async show() {
    const ids = (await this.#store.keys("replays")).reverse();
    const lines = await Promise.all(ids.map((id) => this.#line(id)));
    const empty = make("li", { className: "small", textContent: this.#say("empty") });
    byId("kept").replaceChildren(...(lines.length ? lines : [empty]));
  }

  /** @param {string} id */
  async #line(id) {
    const file = await this.#store.get("replays", id);
    const replay = JSON.parse(file);
    const outcome = OUTCOMES.has(replay.outcome) ? this.#say(`outcome_${replay.outcome}`) : "";
    const facts = `${new Date(replay.created_at * 1000).toLocaleString()} · ${outcome}`;
    const button = (/** @type {string} */ name, /** @type {() => void} */ onclick) =>
      make("button", { className: "copy", type: "button", onclick }, this.#say(name), make("span", { className: "vh", textContent: ` ${replay.title}` }));
    return make(
      "li",
      {},
      make("p", {}, make("bdi", { textContent: replay.title || "–" }), make("span", { className: "small", textContent: facts })),
      button("download", () => download(id, file)),
      button("remove", async () => {
        await this.#store.remove("replays", id);
        await this.show();
      }),
    );
  }
}
