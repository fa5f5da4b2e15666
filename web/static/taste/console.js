// The console: what its buttons do.

import { TicketHolder } from "../queue/board.js";
import { Rig } from "./ask.js";
import { byId } from "./elements.js";
import { readQuestion } from "./form.js";
import { makeIdentity } from "./identity.js";
import { Run } from "./run.js";
import { Sharing } from "./sharing.js";
import { download, Shelf } from "./shelf.js";
import { Talk } from "./talk.js";
import { Tracker } from "./tracker.js";
import { AnswerView } from "./view.js";

const OWN_CODES = new Set([
  "unreachable", "rig_unreachable", "not_for_pages", "cut_off", "too_long", "invite_needed", "closed", "cancelled",
]);
const FINISHES = new Set(["length", "content_filter", "tool_calls"]);
const ACCEPTED = "accepted";

/**
 * @typedef {object} RigFacts
 * @property {string} nodeId
 * @property {string} baseUrl
 * @property {string} way web/ways.py
 * @property {string} rootId the tracker's
 * @property {string} tracker its origin, as it calls itself
 * @property {string} name
 * @property {string} gpu
 * @property {string} vram in bytes, empty if it isn't known
 * @property {string} engine
 */

export class TasteConsole {
  #facts;
  #store;
  #say;
  #rig;
  #sharing;
  #shelf;
  #holder;
  #talk;
  /** @type {Tracker | null} */
  #tracker = null;
  /** @type {import("./identity.js").Identity | null} */
  #identity = null;
  /** @type {AbortController | null} what is running */
  #running = null;
  /** @type {Promise<void>} until what ran last is over, and kept */
  #over = Promise.resolve();

  /**
   * @param {RigFacts} facts
   * @param {import("./store.js").BrowserStore} store
   * @param {import("./words.js").Say} say
   */
  constructor(facts, store, say) {
    this.#facts = facts;
    this.#store = store;
    this.#say = say;
    this.#rig = new Rig(facts);
    this.#sharing = new Sharing(say);
    this.#shelf = new Shelf(store, say);
    this.#holder = new TicketHolder(facts);
    this.#talk = new Talk(say);
  }

  /** Show it, and listen. */
  async start() {
    const isAccepted = await this.#store.get("caveats", this.#facts.nodeId);
    byId("caveat").hidden = Boolean(isAccepted);
    byId("form").hidden = !isAccepted;
    byId("console").hidden = false;
    byId("accept").onclick = () => this.#accept();
    byId("form").onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      void this.#ask();
    };
    byId("stop").onclick = () => this.stop();
    byId("anew").onclick = () => this.#beginAnew();
    byId("forget").onclick = () => this.#forget();
    byId("prompt").onkeydown = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("form").requestSubmit();
    };
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.stop());
    if (!this.#store.lasts) byId("state").textContent = this.#say("no_store");
    await this.#shelf.show();
  }

  /** Stop whatever runs; the connection is closed, so the rig notices. */
  stop() {
    this.#running?.abort();
  }

  #beginAnew() {
    this.#talk.clear();
    new AnswerView(this.#say).state(this.#say("anew_ready"));
    byId("prompt").focus();
  }

  async #accept() {
    await this.#store.put("caveats", this.#facts.nodeId, ACCEPTED);
    byId("caveat").hidden = true;
    byId("form").hidden = false;
    byId("prompt").focus();
  }

  async #ask() {
    if (this.#running) return;
    const asked = readQuestion();
    const view = new AnswerView(this.#say);
    if (!asked) {
      view.state(this.#say("tools_wrong"));
      return;
    }
    const question = this.#talk.join(asked);
    this.#running = new AbortController();
    byId("state").scrollIntoView({ block: "nearest" }); // on a phone the answer is below the form
    byId("send").disabled = true;
    byId("stop").disabled = false;
    byId("anew").disabled = true; // what is being answered belongs to this one
    try {
      this.#over = this.#run(question, view, this.#running.signal);
      await this.#over;
    } finally {
      this.#running = null;
      this.#holder.drop();
      byId("send").disabled = false;
      byId("stop").disabled = true;
      byId("anew").disabled = false;
    }
  }

  /**
   * @param {import("./form.js").Question} question
   * @param {AnswerView} view
   * @param {AbortSignal} signal
   */
  async #run(question, view, signal) {
    const { identity, tracker } = await this.#who(view);
    const { nodeId } = this.#facts;
    const how = {
      invite: byId("invite").value.trim(),
      onWork: () => view.state(this.#say("registering")),
      signal,
    };
    const run = new Run(
      this.#rig,
      {
        mode: question.mode,
        body: question.body,
        token: () => tracker.token(nodeId, how),
        dropToken: () => tracker.dropToken(nodeId),
        proof: identity.proof,
        asked: { ...this.#asked(question), tracker: this.#facts.tracker },
        signal,
      },
      this.#listener(view),
    );
    const result = await run.finish();
    this.#end(result, view);
    if (result.outcome !== "failed") this.#talk.answered(question, view.text);
    if (result.replay) await this.#shelf.keep(result.replay.id, result.replay.file);
    const { witnessed } = result;
    if (witnessed) this.#sharing.offer({ ...witnessed, nodeId }, { proof: identity.proof, tracker, view });
  }

  /**
   * The browser's key and the tracker that it asks; the key is made when it is needed first.
   *
   * @param {AnswerView} view
   */
  async #who(view) {
    if (!this.#identity || !this.#tracker) {
      this.#identity = await makeIdentity(this.#store);
      const { rootId, tracker: name } = this.#facts;
      this.#tracker = new Tracker({ identity: this.#identity, name, rootId });
      byId("user-id").textContent = this.#identity.userId;
    }
    view.state(this.#say(this.#identity.isNew ? "key_made" : "token"));
    return { identity: this.#identity, tracker: this.#tracker };
  }

  /** @param {import("./form.js").Question} question */
  #asked({ mode, body, prompt, offer }) {
    const { nodeId, name, gpu, vram, engine } = this.#facts;
    const rig = {
      node_id: nodeId,
      name,
      gpu: gpu || null,
      vram_bytes: vram ? Number(vram) : null,
      engine,
      model: body.model,
      family: offer.family || null,
      quantization: offer.quantization || null,
      context_length: offer.context ? Number(offer.context) : null,
    };
    return { mode, rig, request: body, prompt };
  }

  /**
   * @param {AnswerView} view
   * @returns {import("./run.js").Listener}
   */
  #listener(view) {
    return {
      onSent: () => view.state(this.#say("sent")),
      onQueue: (place) => {
        const { position, eta } = place;
        this.#holder.hold(place);
        const known = { position, eta: Math.round(eta ?? 0) };
        view.state(this.#say(eta === null ? "queued_unknown" : "queued", known));
        view.figures.show("queue", String(position));
      },
      onPiece: (piece, meter) => {
        view.piece(piece);
        if (meter.pieces === 1) view.state(this.#say("streaming"));
        view.figures.live(meter);
      },
    };
  }

  /**
   * @param {import("./run.js").Result} result
   * @param {AnswerView} view
   */
  #end(result, view) {
    const { outcome, error, finish, headers, timing, tokens, meter } = result;
    const code = error?.code ?? "";
    if (outcome === "cut") view.state(this.#say("cut"));
    else if (OWN_CODES.has(code)) view.state(this.#say(code, this.#places()));
    else if (error) view.state(this.#say("failed", error));
    else view.state(this.#say(finish && FINISHES.has(finish) ? `finish_${finish}` : "complete"));
    byId("invite-line").hidden = code !== "invite_needed" && byId("invite-line").hidden;
    view.end();
    view.figures.final(meter, tokens, timing);
    const told = Object.entries({ ...headers, ...timing }).map(([name, value]) => [name, String(value)]);
    view.told(/** @type {[string, string][]} */ (told));
    byId("after").hidden = !result.replay;
    byId("save").onclick = () => this.#save(result, view);
  }

  /**
   * @param {import("./run.js").Result} result
   * @param {AnswerView} view
   */
  #save({ replay }, view) {
    if (!replay) return;
    download(replay.id, replay.file);
    view.state(this.#say("saved"));
  }

  /** What texts about connections name. */
  #places() {
    return { address: new URL(this.#facts.baseUrl).origin, page: location.origin };
  }

  /** The first press asks, the second forgets. */
  async #forget() {
    const button = byId("forget");
    const label = this.#say("forget_sure");
    if (button.textContent !== label) {
      button.dataset.label = button.textContent;
      button.textContent = label;
      button.onblur = () => (button.textContent = button.dataset.label);
      return;
    }
    this.stop();
    await this.#over.catch(() => {}); // it would be kept after all else was forgotten
    await this.#store.clear();
    this.#identity = null;
    this.#tracker = null;
    this.#talk.clear();
    byId("user-id").textContent = "–";
    button.textContent = button.dataset.label;
    byId("state").textContent = this.#say("forgotten");
    await this.#shelf.show();
  }
}
