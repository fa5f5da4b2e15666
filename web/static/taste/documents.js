// What the documents of a chat's reply say: client/history/documents.py. A rig is a stranger: what
// isn't of a known type makes the document unreadable, nothing worse.

/**
 * @typedef {object} Piece
 * @property {"text" | "reasoning" | "tool" | "other"} kind
 * @property {string} text of a tool call first its name and a line break, then its arguments
 * @property {number} [call] which call it is of
 */

/**
 * @typedef {object} Heard
 * @property {Piece[]} pieces
 * @property {string | null} finish
 * @property {Record<string, any> | null} usage
 * @property {Record<string, any> | null} timing
 * @property {string | null} receipt
 * @property {{code: string, message: string} | null} error
 */

/**
 * @param {string} document of a stream, or whole
 * @returns {Heard | null} null: it makes no sense
 */
export function hear(document) {
  try {
    const said = object(JSON.parse(document));
    if (!said) return null;
    const own = object(said.luckrig);
    const choices = said.choices ?? [];
    if (!Array.isArray(choices)) return null;
    return {
      pieces: choices.flatMap(piecesOf).filter(({ text }) => text),
      finish: choices.map((choice) => choice.finish_reason).find((each) => typeof each === "string") ?? null,
      usage: object(said.usage),
      timing: object(own?.timing),
      receipt: typeof own?.receipt === "string" ? own.receipt : null,
      error: errorOf(said.error),
    };
  } catch {
    return null;
  }
}

/**
 * @param {any} choice
 * @returns {Piece[]}
 */
function piecesOf(choice) {
  const message = choice.delta ?? choice.message;
  /** @type {Piece[]} */
  const pieces = [{ kind: "text", text: string(choice.text) }];
  if (message) {
    pieces.push({ kind: "reasoning", text: string(message.reasoning_content || message.reasoning) });
    pieces.push({ kind: "text", text: string(message.content) });
    pieces.push({ kind: "other", text: string(message.refusal) });
    for (const [at, call] of (message.tool_calls ?? []).entries()) {
      const number = Number.isInteger(call.index) ? call.index : at;
      const { name, arguments: given } = call.function ?? {};
      if (string(name)) pieces.push({ kind: "tool", text: `${name}\n`, call: number });
      pieces.push({ kind: "tool", text: string(given), call: number });
    }
  }
  return choice.index ? pieces.map((piece) => ({ ...piece, kind: "other" })) : pieces;
}

/** @param {any} error */
function errorOf(error) {
  if (error === undefined || error === null) return null;
  const code = String(error.code ?? error.type ?? "error").slice(0, 64);
  return { code, message: String(error.message ?? "").slice(0, 2000) };
}

/**
 * @param {any} value
 * @returns {string}
 */
function string(value) {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new TypeError("no text");
  return value;
}

/**
 * @param {any} value
 * @returns {Record<string, any> | null}
 */
function object(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;
}
