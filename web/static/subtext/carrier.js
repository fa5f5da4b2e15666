// The ordinary chat reply that carries sealed frames, streamed or whole: protocol/subtext/carrier.py.

import { join, readUtf8 } from "./bytes.js";
import { readFrames } from "./codec.js";
import { SealedError } from "./errors.js";

const DONE = "[DONE]";
const MAX_EVENT_CHARS = 1 << 20; // the largest frame takes 32,864, or 200,000 if all is escaped
const MAX_DOCUMENT_BYTES = 1 << 26;
const LINE_END = /\r\n|\n|\r/g;

/**
 * @param {ReadableStream<Uint8Array> | null} body of a response
 * @returns {AsyncGenerator<Uint8Array, void>} its chunks; whoever stops asking closes it
 */
export async function* chunksOf(body) {
  if (!body) return;
  const reader = body.getReader(); // Safari's streams can't be iterated
  try {
    for (let read; !(read = await reader.read()).done; ) yield read.value;
  } finally {
    reader.cancel().catch(() => {}); // nothing is waiting for it any more
  }
}

/**
 * @param {AsyncIterable<Uint8Array>} chunks
 * @param {number} limit in bytes
 * @returns {Promise<Uint8Array>} all of them
 * @throws {SealedError} sealed_invalid when they are more
 */
export async function readWhole(chunks, limit) {
  const parts = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > limit) throw notSealed();
    parts.push(chunk);
  }
  return join(parts);
}

/**
 * The `data` of a stream's events (HTML standard, server-sent events), cut anywhere. Comments and
 * other fields are left out. An event without its empty line is none.
 *
 * @param {AsyncIterable<Uint8Array>} chunks
 * @returns {AsyncGenerator<string, void>}
 * @throws {SealedError} sealed_invalid on bytes that aren't UTF-8, and on an event without an end
 */
export async function* readEvents(chunks) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const splitter = new LineSplitter();
  /** @type {string[]} */
  let data = [];
  let chars = 0;
  for await (const chunk of chunks) {
    for (const line of splitter.feed(decoded(decoder, chunk))) {
      if (line === "") {
        if (data.length) yield data.join("\n");
        data = [];
        chars = 0;
      } else if (line.startsWith("data:")) {
        data.push(line.slice(line[5] === " " ? 6 : 5));
        chars += line.length;
      }
      if (chars > MAX_EVENT_CHARS) throw notSealed();
    }
  }
}

/** Lines of a text that comes in pieces; each character is looked at once. */
class LineSplitter {
  /** @type {string[]} */
  #open = [];
  #chars = 0;
  #endedWithReturn = false;

  /**
   * @param {string} text
   * @returns {string[]} the lines that it completes
   */
  feed(text) {
    // \r\n that was cut in two is one line's end.
    let start = this.#endedWithReturn && text[0] === "\n" ? 1 : 0;
    if (text) this.#endedWithReturn = text.endsWith("\r");
    const lines = [];
    LINE_END.lastIndex = start;
    for (let match; (match = LINE_END.exec(text)); start = LINE_END.lastIndex) {
      lines.push(this.#open.join("") + text.slice(start, match.index));
      this.#open = [];
      this.#chars = 0;
    }
    this.#open.push(text.slice(start));
    this.#chars += text.length - start;
    if (this.#chars > MAX_EVENT_CHARS) throw notSealed();
    return lines;
  }
}

/**
 * The frames of a whole reply, as they come.
 *
 * @param {AsyncIterable<Uint8Array>} chunks
 * @param {boolean} isStream whether it comes as events
 * @returns {AsyncGenerator<import("./codec.js").Frame, void>}
 * @throws {SealedError} sealed_invalid on what is no chat's reply
 */
export async function* readCarrier(chunks, isStream) {
  if (!isStream) {
    yield* framesIn(decoded(null, await readWhole(chunks, MAX_DOCUMENT_BYTES)));
    return;
  }
  for await (const data of readEvents(chunks)) {
    if (data === DONE) return;
    yield* framesIn(data);
  }
}

/**
 * @param {string} document JSON of a chunk, or of a whole reply
 * @returns {import("./codec.js").Frame[]} none in one without
 * @throws {SealedError} sealed_invalid
 */
export function framesIn(document) {
  return textsIn(document).flatMap(readFrames);
}

/**
 * @param {string} document
 * @returns {string[]}
 */
function textsIn(document) {
  try {
    // Anybody may have written what is around the frames, and nothing in it counts.
    const texts = [];
    for (const choice of fields(JSON.parse(document)).choices ?? []) {
      for (const message of [fields(choice).delta, choice.message]) {
        const content = fields(message ?? {}).content ?? "";
        if (typeof content !== "string") throw new TypeError("no text");
        texts.push(content);
      }
    }
    return texts;
  } catch {
    throw notSealed();
  }
}

/** @param {any} value */
function fields(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError("no object");
  return value;
}

/**
 * @param {TextDecoder | null} decoder of a stream, or none for a whole text
 * @param {Uint8Array} bytes
 */
function decoded(decoder, bytes) {
  try {
    return decoder ? decoder.decode(bytes, { stream: true }) : readUtf8(bytes);
  } catch {
    throw notSealed();
  }
}

export const notSealed = () =>
  new SealedError(
    "sealed_invalid",
    "The rig's answer isn't a sealed reply: something on its way answered instead, or changed it.",
  );
