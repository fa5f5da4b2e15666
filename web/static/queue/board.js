// Tickets that this browser waits with. Tabs tell one another, and nobody writes them down: a tab
// that is closed takes its ticket along, as its request ends with it. Whoever has a ticket can end
// its request, so it goes to no other site and to no other rig.

const CHANNEL = "luckrig-tickets";
const TICKET = /^[A-Za-z0-9_-]{1,64}$/;
const NODE_ID = /^n1[a-z2-7]{32}$/;
const MAX_TEXT_CHARS = 300;
const MAX_NUMBER = 1e9;

/**
 * @typedef {object} Held
 * @property {string} ticket
 * @property {string} nodeId
 * @property {string} baseUrl ends with /v1
 * @property {string} name the rig's
 * @property {string} gpu empty if it has none
 * @property {number | null} since Unix milliseconds; null if it isn't known
 * @property {number | null} position as its stream said last
 * @property {number | null} eta seconds
 */

/** @param {unknown} text */
export const isTicket = (text) => typeof text === "string" && TICKET.test(text);

/** A console's side: at most one ticket, for as long as its request runs. */
export class TicketHolder {
  #rig;
  /** @type {Held | null} */
  #held = null;
  /** @type {BroadcastChannel | null} open only meanwhile: an open one keeps pages out of the back/forward cache */
  #channel = null;

  /** @param {{nodeId: string, baseUrl: string, name: string, gpu: string}} rig */
  constructor({ nodeId, baseUrl, name, gpu }) {
    this.#rig = { nodeId, baseUrl, name, gpu };
  }

  /** @param {{ticket: string | null, position: number, eta: number | null}} place */
  hold({ ticket, position, eta }) {
    if (!isTicket(ticket)) return;
    const since = this.#held?.ticket === ticket ? this.#held.since : Date.now();
    this.#held = { ...this.#rig, ticket: String(ticket), since, position, eta };
    this.#channel ??= this.#open();
    this.#tell();
  }

  /** The request is over. */
  drop() {
    if (this.#held) this.#channel?.postMessage({ kind: "dropped", ticket: this.#held.ticket });
    this.#channel?.close();
    this.#channel = null;
    this.#held = null;
  }

  #open() {
    const channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = ({ data }) => {
      if (data?.kind === "who") this.#tell();
    };
    return channel;
  }

  #tell() {
    this.#channel?.postMessage({ kind: "held", held: this.#held });
  }
}

/**
 * The page's side: hear of every ticket, those that are held already, too.
 *
 * @param {{onHeld: (held: Held) => void, onDropped: (ticket: string) => void}} listener
 */
export function listen({ onHeld, onDropped }) {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }) => {
    if (data?.kind === "dropped" && isTicket(data.ticket)) onDropped(data.ticket);
    const held = data?.kind === "held" ? readHeld(data.held) : null;
    if (held) onHeld(held);
  };
  channel.postMessage({ kind: "who" });
}

/**
 * Another tab may be of another version.
 *
 * @param {any} held
 * @returns {Held | null}
 */
function readHeld(held) {
  const { ticket, nodeId, baseUrl } = held ?? {};
  if (!isTicket(ticket) || !NODE_ID.test(nodeId) || typeof baseUrl !== "string") return null;
  return {
    ticket,
    nodeId,
    baseUrl,
    name: String(held.name ?? "").slice(0, MAX_TEXT_CHARS),
    gpu: String(held.gpu ?? "").slice(0, MAX_TEXT_CHARS),
    since: numberOf(held.since, Number.MAX_SAFE_INTEGER),
    position: numberOf(held.position, MAX_NUMBER),
    eta: numberOf(held.eta, MAX_NUMBER),
  };
}

/**
 * @param {unknown} value
 * @param {number} most
 * @returns {number | null} null for what is no number from 0 to `most`
 */
export function numberOf(value, most) {
  return typeof value === "number" && value >= 0 && value <= most ? value : null;
}
