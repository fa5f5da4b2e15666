// From what stands in the form to what is asked.

import { byId } from "./elements.js";
import { wellFormed } from "./replay.js";

/**
 * @typedef {object} Question
 * @property {import("./ask.js").Mode} mode
 * @property {string} prompt
 * @property {Record<string, any>} body of a chat
 * @property {DOMStringMap} offer what the rig says of the model
 */

/** @returns {Question | null} null when the tools make no sense */
export function readQuestion() {
  const model = byId("model");
  const prompt = wellFormed(byId("prompt").value);
  const tools = readTools(byId("tools").value);
  if (tools === undefined) return null;
  const system = wellFormed(byId("system").value).trim();
  const temperature = number("temperature");
  const maxTokens = number("max-tokens");
  return {
    mode: byId("mode-subtext").checked ? "subtext" : "plain",
    prompt,
    body: {
      model: model.value,
      messages: [...(system ? [{ role: "system", content: system }] : []), { role: "user", content: prompt }],
      stream: true,
      stream_options: { include_usage: true },
      ...(temperature === null ? {} : { temperature }),
      ...(maxTokens === null ? {} : { max_tokens: maxTokens }),
      ...(byId("json").checked ? { response_format: { type: "json_object" } } : {}),
      ...(tools === null ? {} : { tools }),
    },
    offer: model.selectedOptions[0].dataset,
  };
}

/** @param {string} id */
function number(id) {
  const value = byId(id).valueAsNumber;
  return Number.isFinite(value) ? value : null;
}

/**
 * @param {string} text
 * @returns {unknown[] | null | undefined} null for none, undefined for nonsense
 */
function readTools(text) {
  if (!text.trim()) return null;
  try {
    const tools = JSON.parse(wellFormed(text));
    return Array.isArray(tools) ? tools : undefined;
  } catch {
    return undefined;
  }
}
