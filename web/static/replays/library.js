// The replays that may be played: those that this browser keeps, and files that were opened. Files
// stay where they are; nothing is sent anywhere.

import { MAX_REPLAYS } from "../taste/store.js";
import { ReplayError } from "./errors.js";
import { MAX_BYTES, readReplay } from "./format.js";

export const MAX_OPENED = 20;

/**
 * @typedef {object} Entry
 * @property {string} key
 * @property {boolean} isKept by this browser
 * @property {string} name of the file, or the replay's id
 * @property {Summary | null} summary null: it can't be read
 * @property {ReplayError | null} error why it can't
 */

/** @typedef {Pick<import("./format.js").Replay, "replay_id" | "created_at" | "rig" | "title" | "figures" | "outcome" | "error_code">} Summary */

export class Library {
  #store;
  /** @type {Map<string, Blob>} */
  #opened = new Map();
  /** @type {Map<string, Entry>} */
  #entries = new Map();

  /** @param {import("../taste/store.js").BrowserStore} store */
  constructor(store) {
    this.#store = store;
  }

  /** @returns {Entry[]} the newest first; those that can't be read last */
  get entries() {
    const at = (/** @type {Entry} */ { summary }) => summary?.created_at ?? -1;
    return [...this.#entries.values()].sort((one, other) => at(other) - at(one));
  }

  /** Look at what this browser keeps. */
  async look() {
    for (const id of await this.#store.keys("replays")) await this.#add(`kept:${id}`, id, true);
  }

  /**
   * @param {File} file
   * @returns {Promise<Entry>}
   */
  async open(file) {
    const key = `file:${file.name}:${file.size}:${file.lastModified}`;
    this.#opened.set(key, file);
    const entry = await this.#add(key, file.name, false);
    if (entry.error) this.forget(key);
    return entry;
  }

  /** How many more files may be opened. */
  get room() {
    return MAX_OPENED - this.#opened.size;
  }

  /**
   * All of it, read anew: only what is played is held.
   *
   * @param {string} key
   * @returns {Promise<import("./format.js").Replay>}
   * @throws {ReplayError}
   */
  async load(key) {
    return readReplay(await this.#bytes(key));
  }

  /**
   * @param {string} key
   * @returns {Promise<string>} the file
   */
  async text(key) {
    return new TextDecoder().decode(await this.#bytes(key));
  }

  /**
   * Keep an opened file in this browser.
   *
   * @param {string} key
   * @returns {Promise<"kept" | "full" | "not_kept">}
   */
  async keep(key) {
    const { replay_id: id } = await this.load(key);
    const ids = await this.#store.keys("replays");
    // The console keeps so many and lets the oldest go, which might be this very one.
    if (!ids.includes(id) && ids.length >= MAX_REPLAYS) return "full";
    try {
      await this.restore(id, await this.text(key));
    } catch {
      return "not_kept"; // the browser's room is used up
    }
    this.forget(key);
    return "kept";
  }

  /**
   * @param {string} id of a replay
   * @param {string} text
   */
  async restore(id, text) {
    await this.#store.put("replays", id, text);
    await this.#add(`kept:${id}`, id, true);
  }

  /**
   * @param {string} key of one that is kept
   * @returns {Promise<{id: string, text: string}>} what there was, to be put back
   */
  async remove(key) {
    const id = idOf(key);
    const text = String(await this.#store.get("replays", id)); // readable or not, it can be deleted
    await this.#store.remove("replays", id);
    this.#entries.delete(key);
    return { id, text };
  }

  /** @param {string} key of a file that was opened */
  forget(key) {
    this.#opened.delete(key);
    this.#entries.delete(key);
  }

  /**
   * @param {string} key
   * @param {string} name
   * @param {boolean} isKept
   */
  async #add(key, name, isKept) {
    /** @type {Entry} */
    const entry = { key, isKept, name, summary: null, error: null };
    try {
      const { replay_id, created_at, rig, title, figures, outcome, error_code } = await this.load(key);
      entry.summary = { replay_id, created_at, rig, title, figures, outcome, error_code };
    } catch (error) {
      if (!(error instanceof ReplayError)) throw error;
      entry.error = error;
    }
    this.#entries.set(key, entry);
    return entry;
  }

  /**
   * @param {string} key
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async #bytes(key) {
    const blob = this.#opened.get(key) ?? new Blob([await this.#store.get("replays", idOf(key))]);
    if (blob.size > MAX_BYTES) throw new ReplayError("too_large"); // before it is in memory
    try {
      return new Uint8Array(await blob.arrayBuffer());
    } catch {
      throw new ReplayError("unreadable"); // a folder, or a file that has changed since
    }
  }
}

/** @param {string} key */
const idOf = (key) => key.slice(key.indexOf(":") + 1);
