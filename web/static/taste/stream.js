// The events and comments of a stream (HTML standard, server-sent events), cut anywhere. Subtext's
// own reader leaves comments out; here they are places in the queue.

import { readUtf8 } from "../subtext/bytes.js";
import { readWhole } from "../subtext/carrier.js";
import { TasteError } from "./errors.js";

const MAX_EVENT_CHARS = 1 << 20;
const MAX_DOCUMENT_BYTES = 1 << 24;
const MAX_SECONDS = 1e9;
const QUEUE = /^ ?queue position=([0-9]{1,9}) eta=([0-9.]{1,12}|unknown)(?: ticket=([\w-]{1,64}))?(?= |$)/;

/** @typedef {{position: number, eta: number | null, ticket: string | null}} Place */
/** @typedef {{data: string} | {queue: Place}} Happening */

/**
 * @param {AsyncIterable<Uint8Array>} chunks
 * @param {string} contentType
 * @returns {AsyncGenerator<Happening, void>} of anything but a stream, its one document
 * @throws {TasteError} too_long, or cut_off for what is no text
 */
export async function* readReply(chunks, contentType) {
  if (!contentType.startsWith("text/event-stream")) {
    yield { data: readUtf8(await readWhole(chunks, MAX_DOCUMENT_BYTES)) };
    return;
  }
  /** @type {string[]} */
  let data = [];
  for await (const line of readLines(chunks)) {
    if (line === "") {
      if (data.length) yield { data: data.join("\n") };
      data = [];
    } else if (line.startsWith("data:")) {
      data.push(line.slice(line[5] === " " ? 6 : 5));
    } else if (line.startsWith(":")) {
      const place = placeIn(line.slice(1));
      if (place) yield { queue: place };
    }
  }
}

/**
 * @param {string} comment
 * @returns {Place | null}
 */
export function placeIn(comment) {
  const match = QUEUE.exec(comment);
  if (!match) return null;
  const eta = Number(match[2]);
  return { position: Number(match[1]), eta: eta <= MAX_SECONDS ? eta : null, ticket: match[3] ?? null };
}

/** @param {AsyncIterable<Uint8Array>} chunks */
async function* readLines(chunks) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let open = "";
  for await (const chunk of chunks) {
    const lines = (open + decode(decoder, chunk)).split("\n");
    open = lines.pop() ?? "";
    if (open.length > MAX_EVENT_CHARS) throw new TasteError("too_long");
    for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
  }
}

/**
 * @param {TextDecoder} decoder
 * @param {Uint8Array} chunk
 */
function decode(decoder, chunk) {
  try {
    return decoder.decode(chunk, { stream: true });
  } catch {
    throw new TasteError("cut_off");
  }
}
