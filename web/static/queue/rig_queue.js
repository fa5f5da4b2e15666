// What a rig says of a ticket, and leaving its queue: GET and DELETE /luckrig/queue/{ticket}.

import { readUtf8 } from "../subtext/bytes.js";
import { chunksOf, readWhole } from "../subtext/carrier.js";
import { TasteError } from "../taste/errors.js";
import { CAUTIOUS } from "../taste/tracker.js";
import { numberOf } from "./board.js";

const MAX_ANSWER_BYTES = 1 << 14;
const MAX_NUMBER = 1e9;
const SECONDS = 10;
const NODE_ID = /n1[a-z2-7]{32}/;

/**
 * @typedef {object} Place
 * @property {"waiting" | "running"} state
 * @property {number | null} position 1 for the next one
 * @property {number | null} eta seconds
 * @property {number | null} waiting
 * @property {number | null} active
 * @property {number | null} slots
 */

/** Whom this page may ask: rigs behind the tracker that served it, and its own rig, if it has one. */
export class Reach {
  #rig;

  /** @param {{nodeId?: string, baseUrl?: string}} rig that the page is for, and where pages may ask it */
  constructor({ nodeId = "", baseUrl = "" }) {
    this.#rig = { nodeId, baseUrl };
  }

  /** @param {{nodeId: string, baseUrl: string}} rig */
  holds({ nodeId, baseUrl }) {
    if (baseUrl.startsWith(`${location.origin}/n/`)) return true;
    // The tracker's word, not another tab's: a ticket goes to nobody else.
    return baseUrl !== "" && baseUrl === this.#rig.baseUrl && this.isFor(nodeId);
  }

  /** @param {string} nodeId */
  isFor(nodeId) {
    return nodeId === this.#rig.nodeId;
  }

  /**
   * @param {"GET" | "DELETE"} method
   * @param {{nodeId: string, baseUrl: string, ticket: string}} where
   * @returns {Promise<Place | null>} where it is, or was; null: no such request waits or runs there
   * @throws {TasteError} unreachable
   */
  async ask(method, where) {
    if (!this.holds(where)) throw new TypeError("a ticket for somebody else's address");
    return askTicket(method, where);
  }
}

/**
 * @param {string} baseUrl
 * @param {string} ticket
 */
export function ticketUrl(baseUrl, ticket) {
  return `${baseUrl.replace(/\/v1$/, "")}/luckrig/queue/${encodeURIComponent(ticket)}`;
}

/**
 * @param {string} method
 * @param {{baseUrl: string, ticket: string}} where
 * @returns {Promise<Place | null>}
 */
async function askTicket(method, { baseUrl, ticket }) {
  const { status, answer } = await ask(method, ticketUrl(baseUrl, ticket));
  if (status === 404 && answer?.error?.code === "ticket_not_found") return null;
  if (status !== 200 || !answer) throw new TasteError("unreachable");
  return {
    state: answer.state === "running" ? "running" : "waiting",
    position: numberOf(answer.position, MAX_NUMBER),
    eta: numberOf(answer.eta_seconds, MAX_NUMBER),
    waiting: numberOf(answer.waiting, MAX_NUMBER),
    active: numberOf(answer.active, MAX_NUMBER),
    slots: numberOf(answer.max_active, MAX_NUMBER),
  };
}

/**
 * A rig as its tracker lists it.
 *
 * @param {string} text with a rig's id in it, such as the address of its page
 * @returns {Promise<{nodeId: string, baseUrl: string, name: string, gpu: string} | null>} null: no such rig
 * @throws {TasteError} unreachable
 */
export async function findRig(text) {
  const nodeId = NODE_ID.exec(text)?.[0];
  if (!nodeId) return null;
  const { status, answer } = await ask("GET", `${location.origin}/api/v1/nodes/${nodeId}`);
  if (status === 404) return null;
  const { name, base_url: baseUrl, hardware } = answer?.node ?? {};
  if (status !== 200 || typeof baseUrl !== "string") throw new TasteError("unreachable");
  return { nodeId, baseUrl, name: String(name ?? ""), gpu: String(hardware?.gpu ?? "") };
}

/**
 * @param {string} method
 * @param {string} url
 * @returns {Promise<{status: number, answer: any}>} answer: null if it is no JSON
 */
async function ask(method, url) {
  let response;
  let bytes;
  try {
    const signal = AbortSignal.timeout(SECONDS * 1000);
    response = await fetch(url, { ...CAUTIOUS, method, signal, headers: { accept: "application/json" } });
    bytes = await readWhole(chunksOf(response.body), MAX_ANSWER_BYTES);
  } catch {
    throw new TasteError("unreachable");
  }
  try {
    return { status: response.status, answer: JSON.parse(readUtf8(bytes)) };
  } catch {
    return { status: response.status, answer: null };
  }
}
