// The figures of what was played, side by side, in the order it was chosen: nobody is ranked.

import { byId, make } from "../taste/elements.js";
import { formatTime } from "../taste/numbers.js";
import { areSame } from "./asked.js";
import { outcomeOf, rateOf, rigName, tokensOf } from "./facts.js";

/**
 * @param {import("./format.js").Replay[]} replays
 * @param {import("../taste/words.js").Say} say
 */
export function showComparison(replays, say) {
  const requests = replays.map((each) => /** @type {Record<string, any>} */ (each.request));
  byId("same").textContent = replays.length < 2 ? "" : say(areSame(requests) ? "same" : "not_same");
  byId("compared").replaceChildren(...replays.map((each) => row(each, say)));
}

/**
 * @param {import("./format.js").Replay} replay
 * @param {import("../taste/words.js").Say} say
 */
function row(replay, say) {
  const { rig, figures } = replay;
  const name = make("th", { scope: "row" }, make("bdi", { textContent: rigName(rig) }));
  if (rig.gpu && rig.name) name.append(make("bdi", { className: "small", textContent: rig.name }));
  const cells = [
    formatTime(figures.ttft_ms, say),
    rateOf(figures.tokens_per_second),
    tokensOf(figures, say),
    formatTime(figures.total_ms, say),
    formatTime(figures.rig_queue_ms, say),
    formatTime(figures.rig_ttft_ms, say),
    rateOf(figures.rig_tokens_per_second),
  ].map((text) => make("td", { className: "n", textContent: text }));
  const model = make("td", {}, make("bdi", { textContent: [rig.model, rig.quantization].filter(Boolean).join(" · ") }));
  return make("tr", {}, name, model, ...cells, make("td", {}, make("bdi", { textContent: outcomeOf(replay, say) })));
}
