// What stays in this browser: the key, the rigs whose caveat was read, the last replays.

const NAME = "luckrig";
const VERSION = 1;
export const MAX_REPLAYS = 20;

/** @typedef {"keys" | "caveats" | "replays"} Shelf */

/** A small key-value store in IndexedDB. Where there is none, it lasts as long as the page. */
export class BrowserStore {
  #database;
  /** @type {Map<string, unknown>} */
  #memory = new Map();

  /** @param {IDBDatabase | null} database */
  constructor(database) {
    this.#database = database;
  }

  /** @returns {Promise<BrowserStore>} never fails: a browser may refuse to keep anything */
  static async open() {
    try {
      const asked = globalThis.indexedDB.open(NAME, VERSION);
      asked.onupgradeneeded = () => {
        for (const shelf of ["keys", "caveats", "replays"]) asked.result.createObjectStore(shelf);
      };
      return new BrowserStore(await settled(asked));
    } catch {
      return new BrowserStore(null);
    }
  }

  /** Whether anything is still there after the page. */
  get lasts() {
    return this.#database !== null;
  }

  /**
   * @param {Shelf} shelf
   * @param {string} key
   * @returns {Promise<any>} undefined where there is nothing
   */
  async get(shelf, key) {
    if (!this.#database) return this.#memory.get(`${shelf}/${key}`);
    return settled(this.#shelf(shelf, "readonly").get(key));
  }

  /**
   * @param {Shelf} shelf
   * @param {string} key
   * @param {unknown} value
   */
  async put(shelf, key, value) {
    if (!this.#database) this.#memory.set(`${shelf}/${key}`, value);
    else await settled(this.#shelf(shelf, "readwrite").put(value, key));
  }

  /**
   * Put it there unless something is; two tabs that try at once get the same.
   *
   * @param {Shelf} shelf
   * @param {string} key
   * @param {unknown} value
   * @returns {Promise<any>} what is there now
   */
  async putFirst(shelf, key, value) {
    try {
      if (this.#database) await settled(this.#shelf(shelf, "readwrite").add(value, key));
      else if (!this.#memory.has(`${shelf}/${key}`)) await this.put(shelf, key, value);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "ConstraintError")) throw error;
    }
    return this.get(shelf, key);
  }

  /**
   * @param {Shelf} shelf
   * @returns {Promise<string[]>} sorted
   */
  async keys(shelf) {
    if (this.#database) {
      const keys = await settled(this.#shelf(shelf, "readonly").getAllKeys());
      return keys.map(String);
    }
    const start = `${shelf}/`;
    const mine = [...this.#memory.keys()].filter((key) => key.startsWith(start));
    return mine.map((key) => key.slice(start.length)).sort();
  }

  /**
   * @param {Shelf} shelf
   * @param {string} key
   */
  async remove(shelf, key) {
    if (!this.#database) this.#memory.delete(`${shelf}/${key}`);
    else await settled(this.#shelf(shelf, "readwrite").delete(key));
  }

  /** Forget everything. */
  async clear() {
    this.#memory.clear();
    if (!this.#database) return;
    for (const shelf of /** @type {Shelf[]} */ (["keys", "caveats", "replays"])) {
      await settled(this.#shelf(shelf, "readwrite").clear());
    }
  }

  /**
   * Keep a replay, and no more than MAX_REPLAYS: their ids sort by time.
   *
   * @param {string} id
   * @param {string} replay
   */
  async keepReplay(id, replay) {
    await this.put("replays", id, replay);
    const ids = await this.keys("replays");
    for (const old of ids.slice(0, -MAX_REPLAYS)) await this.remove("replays", old);
  }

  /**
   * @param {Shelf} shelf
   * @param {IDBTransactionMode} mode
   */
  #shelf(shelf, mode) {
    const database = /** @type {IDBDatabase} */ (this.#database);
    return database.transaction(shelf, mode).objectStore(shelf);
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
