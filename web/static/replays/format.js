// Reads a replay: docs/REPLAYS.md, client/history/replay.py. A replay is a stranger's text: whatever
// isn't exactly the format is refused, and the refusal names what is wrong.

import { LIMITS } from "../taste/replay.js";
import { ReplayError } from "./errors.js";
import { parseStrictly } from "./strict_json.js";

export const MAX_BYTES = 1 << 24;

const MAX_MS = 1e9;
const MAX_COUNT = 2 ** 53;
const MAX_TIME = 253_402_300_799;
const ID = /^[a-z0-9-]{1,64}$/;
const DEVICE = /^(?:con|prn|aux|nul|(?:com|lpt)[0-9])$/; // what Windows takes for a device

/**
 * @typedef {object} Figures
 * @property {number} total_ms
 * @property {number | null} [ttft_ms]
 * @property {number | null} [tokens_per_second]
 * @property {number | null} [prompt_tokens]
 * @property {number | null} [completion_tokens]
 * @property {"engine" | "pieces" | null} [counted]
 * @property {number | null} [rig_queue_ms]
 * @property {number | null} [rig_ttft_ms]
 * @property {number | null} [rig_tokens_per_second]
 */

/**
 * @typedef {object} RigFacts
 * @property {string} node_id
 * @property {string} model
 * @property {string | null} [name]
 * @property {string | null} [gpu]
 * @property {string | null} [engine]
 * @property {string | null} [family]
 * @property {string | null} [quantization]
 * @property {number | null} [vram_bytes]
 * @property {number | null} [context_length]
 */

/** @typedef {[number, "text" | "reasoning" | "tool" | "other", string]} Event */

/**
 * @typedef {object} Replay
 * @property {string} replay_id
 * @property {number} created_at
 * @property {string | null} tracker
 * @property {RigFacts} rig
 * @property {string} endpoint
 * @property {"plain" | "subtext"} mode
 * @property {boolean} streamed
 * @property {string} title
 * @property {"complete" | "cut" | "failed"} outcome
 * @property {string | null} error_code
 * @property {boolean} truncated
 * @property {Figures} figures
 * @property {Record<string, unknown>} request
 * @property {[number, number, number | null][]} queue
 * @property {Event[]} events
 */

/** @typedef {(value: any, path: string) => void} Check throws a ReplayError */

/**
 * @param {Uint8Array<ArrayBuffer>} bytes of a file
 * @returns {Replay}
 * @throws {ReplayError}
 */
export function readReplay(bytes) {
  if (bytes.length > MAX_BYTES) throw new ReplayError("too_large");
  return checked(parsed(decoded(bytes)));
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ReplayError("no_text");
  }
}

/** @param {string} text */
function parsed(text) {
  try {
    return parseStrictly(text);
  } catch {
    throw new ReplayError("no_json");
  }
}

/**
 * @param {any} value
 * @returns {Replay}
 */
function checked(value) {
  if (!isObject(value)) throw new ReplayError("no_json");
  // Of another version the other fields say nothing.
  if (value.schema_version !== 1) throw new ReplayError("version");
  REPLAY(value, "");
  return value;
}

/** @param {unknown} value */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * @param {(value: any) => boolean} isRight
 * @returns {Check}
 */
const must = (isRight) => (value, path) => {
  if (!isRight(value)) throw new ReplayError("field", path);
};

/**
 * @param {Check} check
 * @returns {Check}
 */
const orNull = (check) => (value, path) => {
  if (value !== null) check(value, path);
};

/**
 * @param {number} most
 * @param {(value: number) => boolean} [isRight]
 */
const number = (most, isRight = () => true) =>
  must((value) => typeof value === "number" && value >= 0 && value <= most && isRight(value));

/**
 * @param {number} most in characters, not in halves of them
 * @param {RegExp} [pattern]
 */
const text = (most, pattern) =>
  must((value) => {
    const isShort = typeof value === "string" && value.length <= 2 * most && Array.from(value).length <= most;
    return isShort && (!pattern || pattern.test(value));
  });

/** @param {...string} words */
const oneOf = (...words) => must((value) => words.includes(value));

/**
 * @param {Record<string, Check>} needed
 * @param {Record<string, Check>} [known] may be missing
 * @returns {Check} an object with these fields and no others
 */
const fields = (needed, known = {}) => (value, path) => {
  if (!isObject(value)) throw new ReplayError("field", path);
  const inside = (/** @type {string} */ name) => (path ? `${path}.${name}` : name);
  for (const name of Object.keys(needed)) {
    if (!Object.hasOwn(value, name)) throw new ReplayError("field", inside(name));
  }
  for (const [name, each] of Object.entries(value)) {
    const check = Object.hasOwn(needed, name) ? needed[name] : Object.hasOwn(known, name) ? known[name] : null;
    if (!check) throw new ReplayError("unknown_field", inside(name.slice(0, 64)));
    check(each, inside(name));
  }
};

/**
 * @param {number} most
 * @param {Check[]} parts of each row
 * @returns {Check} a list of rows
 */
const rows = (most, parts) => (value, path) => {
  if (!Array.isArray(value) || value.length > most) throw new ReplayError("field", path);
  for (const [at, row] of value.entries()) {
    const here = `${path}[${at}]`;
    if (!Array.isArray(row) || row.length !== parts.length) throw new ReplayError("field", here);
    for (const [index, check] of parts.entries()) check(row[index], here);
  }
};

/** @type {Check} */
const events = (value, path) => {
  rows(LIMITS.events, [MS, oneOf("text", "reasoning", "tool", "other"), must((each) => typeof each === "string")])(value, path);
  for (let at = 1; at < value.length; at += 1) {
    if (value[at][0] < value[at - 1][0]) throw new ReplayError("order", `${path}[${at}]`);
  }
};

const MS = number(MAX_MS);
const COUNT = number(MAX_COUNT, Number.isInteger);
const LABEL = text(LIMITS.label);
const OBJECT = must(isObject);
const BOOLEAN = must((value) => typeof value === "boolean");

const RIG = fields(
  { node_id: text(34, /^n1[a-z2-7]{32}$/), model: LABEL },
  {
    ...Object.fromEntries(["name", "gpu", "engine", "family", "quantization"].map((name) => [name, orNull(LABEL)])),
    vram_bytes: orNull(COUNT),
    context_length: orNull(COUNT),
  },
);

const FIGURES = fields(
  { total_ms: MS },
  {
    ...Object.fromEntries(
      ["ttft_ms", "tokens_per_second", "rig_queue_ms", "rig_ttft_ms", "rig_tokens_per_second"].map((name) => [name, orNull(MS)]),
    ),
    prompt_tokens: orNull(COUNT),
    completion_tokens: orNull(COUNT),
    counted: orNull(oneOf("engine", "pieces")),
  },
);

const REPLAY = fields({
  schema_version: must((value) => value === 1),
  replay_id: must((value) => typeof value === "string" && ID.test(value) && !DEVICE.test(value)),
  created_at: number(MAX_TIME),
  tracker: orNull(text(300)),
  rig: RIG,
  endpoint: text(64, /^\/[a-z0-9/_-]{1,63}$/),
  mode: oneOf("plain", "subtext"),
  streamed: BOOLEAN,
  title: text(LIMITS.title),
  outcome: oneOf("complete", "cut", "failed"),
  error_code: orNull(text(64)),
  truncated: BOOLEAN,
  figures: FIGURES,
  request: OBJECT,
  usage: orNull(OBJECT),
  timing: orNull(OBJECT),
  unread: COUNT,
  queue: rows(LIMITS.queueLooks, [MS, COUNT, orNull(MS)]),
  events,
});
