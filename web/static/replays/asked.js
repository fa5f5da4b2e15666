// What a request asked, whichever of OpenAI's endpoints it was for: client/history/asking.py. Pure.

const TEXT_KEYS = ["text", "input_text", "output_text", "output", "arguments"];

/** @typedef {{role: string, text: string}} Said */

/**
 * @param {Record<string, any>} request
 * @returns {Said[]} the messages of a chat, the items of a response, or the prompt of a completion
 */
export function messagesOf(request) {
  const before = textOf(request.instructions);
  const first = before ? [{ role: "system", text: before }] : [];
  for (const found of [request.messages, request.input, request.prompt]) {
    if (typeof found === "string") return [...first, { role: "user", text: found }];
    if (Array.isArray(found) && found.length) return [...first, ...found.map(said)];
  }
  return first;
}

/**
 * @param {Record<string, any>[]} requests
 * @returns {boolean} whether all asked the same; else their figures say little about each other
 */
export function areSame(requests) {
  return new Set(requests.map((each) => JSON.stringify(messagesOf(each)))).size <= 1;
}

/**
 * @param {any} item
 * @returns {Said}
 */
function said(item) {
  if (typeof item === "string") return { role: "user", text: item };
  const message = item ?? {};
  const role = message.role || message.type;
  const parts = [textOf(message.content), ...TEXT_KEYS.map((key) => textOf(message[key]))];
  for (const call of Array.isArray(message.tool_calls) ? message.tool_calls : []) {
    parts.push(`${textOf(call?.function?.name)}\n${textOf(call?.function?.arguments)}`);
  }
  return { role: typeof role === "string" ? role : "user", text: parts.filter(Boolean).join("\n") };
}

/**
 * @param {any} content
 * @returns {string} a text, or the texts of a list of parts; of an image only that there is one
 */
function textOf(content) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => {
    const key = TEXT_KEYS.find((each) => typeof part?.[each] === "string");
    return key ? part[key] : `[${typeof part?.type === "string" ? part.type : "?"}]`;
  }).join("\n");
}
