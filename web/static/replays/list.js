// The table of replays, and its buttons.

import { byId, make } from "../taste/elements.js";
import { formatTime } from "../taste/numbers.js";
import { download } from "../taste/shelf.js";
import { outcomeOf, rateOf, rigName, tokensOf, whenOf } from "./facts.js";
import { MAX_LANES } from "./player.js";

/** @typedef {import("./library.js").Entry} Entry */

export class List {
  #library;
  #say;
  #onChoice;
  /** @type {string[]} keys, in the order of their choice */
  #chosen = [];
  /** @type {Map<string, {id: string, text: string, at: number}>} what was deleted since the page was opened */
  #deleted = new Map();

  /**
   * @param {import("./library.js").Library} library
   * @param {import("../taste/words.js").Say} say
   * @param {(keys: string[]) => Promise<void>} onChoice which are to be played now
   */
  constructor(library, say, onChoice) {
    this.#library = library;
    this.#say = say;
    this.#onChoice = onChoice;
  }

  /** As the library is now. */
  show() {
    const rows = [
      ...this.#library.entries.map((entry) => ({ at: entry.summary?.created_at ?? -1, row: this.#row(entry) })),
      ...[...this.#deleted].map(([key, { at, id }]) => ({ at, row: this.#deletedRow(key, id) })),
    ].sort((one, other) => other.at - one.at);
    byId("replays").replaceChildren(...rows.map(({ row }) => row));
    byId("list").hidden = rows.length === 0;
    byId("none").hidden = rows.length > 0;
    this.#showRoom();
  }

  /** @param {string} key to be played beside the others, if there is a lane for it */
  choose(key) {
    if (this.#chosen.length < MAX_LANES && !this.#chosen.includes(key)) this.#chosen.push(key);
  }

  /** Play what is chosen. */
  async announce() {
    this.#showRoom();
    await this.#onChoice(this.#chosen);
  }

  /** @param {string} key */
  async #drop(key) {
    this.#chosen = this.#chosen.filter((each) => each !== key);
    await this.announce();
  }

  /** Where all lanes are taken, nothing more can be chosen. */
  #showRoom() {
    const isFull = this.#chosen.length >= MAX_LANES;
    for (const box of document.querySelectorAll("#replays input")) {
      const input = /** @type {HTMLInputElement} */ (box);
      input.checked = this.#chosen.includes(input.value);
      input.disabled = isFull && !input.checked;
    }
    byId("chosen").textContent = this.#say("chosen", { n: this.#chosen.length, most: MAX_LANES });
    byId("go").disabled = this.#chosen.length === 0;
  }

  /** @param {Entry} entry */
  #row(entry) {
    return entry.summary ? this.#replayRow(entry, entry.summary) : this.#brokenRow(entry);
  }

  /**
   * @param {Entry} entry
   * @param {import("./library.js").Summary} summary
   */
  #replayRow(entry, summary) {
    const { rig, figures, title } = summary;
    const box = make("input", { type: "checkbox", value: entry.key });
    box.onchange = () => {
      if (!box.checked) return this.#drop(entry.key);
      this.choose(entry.key);
      return this.announce();
    };
    const name = title || this.#say("untitled");
    const where = make("span", { className: "small", textContent: this.#say(entry.isKept ? "kept" : "opened") });
    return make(
      "tr",
      {},
      make("th", { scope: "row" }, make("label", {}, box, make("bdi", { textContent: name })), " ", where),
      this.#cell("rig", rigName(rig)),
      this.#cell("model", [rig.model, rig.quantization].filter(Boolean).join(" · ")),
      this.#cell("when", whenOf(summary.created_at)),
      this.#cell("ttft", formatTime(figures.ttft_ms, this.#say), "n"),
      this.#cell("speed", rateOf(figures.tokens_per_second), "n"),
      this.#cell("tokens", tokensOf(figures, this.#say), "n"),
      this.#cell("outcome", outcomeOf(summary, this.#say)),
      make("td", { className: "buttons" }, ...this.#buttons(entry, name)),
    );
  }

  /** @param {Entry} entry */
  #brokenRow(entry) {
    const why = this.#say(`error_${entry.error?.code}`, { path: entry.error?.path ?? "" });
    const text = make("td", { colSpan: 8, className: "broken" }, make("bdi", { textContent: entry.name }), ": ", make("bdi", { textContent: why }));
    return make("tr", {}, text, make("td", { className: "buttons" }, ...this.#buttons(entry, entry.name)));
  }

  /**
   * @param {string} key
   * @param {string} id
   */
  #deletedRow(key, id) {
    const undo = this.#button("undo", id, async () => {
      const gone = this.#deleted.get(key);
      if (!gone) return;
      this.#deleted.delete(key);
      await this.#library.restore(gone.id, gone.text);
      this.show();
    });
    const text = make("td", { colSpan: 8, className: "small", textContent: this.#say("deleted", { id }) });
    return make("tr", {}, text, make("td", { className: "buttons" }, undo));
  }

  /**
   * @param {Entry} entry
   * @param {string} name
   */
  #buttons({ key, isKept, summary }, name) {
    if (!isKept) {
      return [
        this.#button("keep", name, async () => {
          const outcome = await this.#library.keep(key);
          byId("told").textContent = this.#say(`keep_${outcome}`);
          if (outcome === "kept") await this.#drop(key);
          this.show();
        }),
        this.#button("close", name, async () => {
          this.#library.forget(key);
          await this.#drop(key);
          this.show();
        }),
      ];
    }
    const id = key.slice(key.indexOf(":") + 1);
    return [
      this.#button("download", name, async () => download(id, await this.#library.text(key))),
      this.#button("delete", name, async () => {
        const gone = await this.#library.remove(key);
        this.#deleted.set(key, { ...gone, at: summary?.created_at ?? -1 });
        await this.#drop(key);
        this.show();
      }),
    ];
  }

  /**
   * @param {string} label
   * @param {string} what for those who can't see the row
   * @param {() => Promise<void>} onclick
   */
  #button(label, what, onclick) {
    const hidden = make("span", { className: "vh" }, " ", make("bdi", { textContent: what }));
    return make("button", { className: "copy", type: "button", onclick }, this.#say(label), hidden);
  }

  /**
   * @param {string} name of its column
   * @param {string} text
   * @param {string} className
   */
  #cell(name, text, className = "") {
    const cell = make("td", { className }, make("bdi", { textContent: text }));
    cell.dataset.label = this.#say(name);
    return cell;
  }
}
