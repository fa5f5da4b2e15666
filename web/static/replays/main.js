// /replays: what rigs answered, played again at the speed it came. All of it happens in this browser.

import { byId, make } from "../taste/elements.js";
import { BrowserStore } from "../taste/store.js";
import { readWords } from "../taste/words.js";
import { Library, MAX_OPENED } from "./library.js";
import { List } from "./list.js";
import { Player } from "./player.js";
import { ReplayError } from "./errors.js";

class ReplaysPage {
  #say;
  #library;
  #list;
  #player;
  #asked = 0; // choices so far; reading takes its time, and the last choice counts

  /**
   * @param {import("../taste/words.js").Say} say
   * @param {BrowserStore} store
   */
  constructor(say, store) {
    this.#say = say;
    this.#library = new Library(store);
    this.#player = new Player(say, () => performance.now());
    this.#list = new List(this.#library, say, (keys) => this.#play(keys));
    byId("no-store").hidden = store.lasts;
  }

  async start() {
    byId("files").onchange = async () => {
      await this.#open([...byId("files").files]);
      byId("files").value = ""; // the same file may be opened again
    };
    byId("go").onclick = () => {
      byId("player").scrollIntoView();
      this.#player.restart();
      byId("play").focus({ preventScroll: true });
    };
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      byId("open").classList.add("over");
    });
    document.addEventListener("dragleave", () => byId("open").classList.remove("over"));
    document.addEventListener("drop", (event) => {
      event.preventDefault(); // a browser would go to the file
      byId("open").classList.remove("over");
      void this.#open([...(event.dataTransfer?.files ?? [])]);
    });
    await this.#library.look();
    this.#list.show();
    byId("app").hidden = false;
  }

  /** @param {File[]} files */
  async #open(files) {
    /** @type {HTMLElement[]} */
    const problems = [];
    byId("told").textContent = "";
    if (files.length > this.#library.room) problems.push(make("li", { textContent: this.#say("too_many", { n: MAX_OPENED }) }));
    for (const file of files.slice(0, Math.max(this.#library.room, 0))) {
      const { key, error } = await this.#library.open(file);
      if (error) problems.push(this.#problem(file.name, error));
      else this.#list.choose(key);
    }
    byId("problems").replaceChildren(...problems);
    this.#list.show();
    await this.#list.announce();
  }

  /** @param {string[]} keys */
  async #play(keys) {
    /** @type {Map<string, import("./format.js").Replay>} */
    const replays = new Map();
    this.#asked += 1;
    const number = this.#asked;
    for (const key of keys) {
      try {
        replays.set(key, await this.#library.load(key));
      } catch (error) {
        if (!(error instanceof ReplayError)) throw error;
        byId("problems").replaceChildren(this.#problem(key.slice(key.indexOf(":") + 1), error));
      }
    }
    if (number === this.#asked) this.#player.load(replays);
  }

  /**
   * @param {string} name
   * @param {ReplayError} error
   */
  #problem(name, { code, path }) {
    const why = this.#say(`error_${code}`, { path });
    return make("li", {}, make("bdi", { textContent: name }), ": ", make("bdi", { textContent: why }));
  }
}

async function start() {
  const say = readWords(byId("words"));
  await new ReplaysPage(say, await BrowserStore.open()).start();
}

start().catch((error) => {
  console.error(error);
  byId("broken").hidden = false;
});
