// The user's word on a rig's receipt: client/receipts.py, docs/PROTOCOL.md, section 10.

import { fromBase64url, readJson, sha256, toBase64url, utf8 } from "../subtext/bytes.js";
import { idOf } from "../subtext/ids.js";
import { isSigned, parseJws } from "../subtext/jws.js";

const RECEIPT = { typ: "lr-receipt+jwt", maxChars: 2048 };
const OPINION_TYPE = "lr-receipt-ok+jwt";
const UNSEEN_TOKENS = 8; // of a reply that needn't show: its end, marks around reasoning and calls

/**
 * @typedef {object} Witnessed
 * @property {string} receipt as the rig wrote it
 * @property {string} nodeId of the rig that was asked
 * @property {string} token that was used
 * @property {number} outputBytes UTF-8 bytes that came
 * @property {{ttft_ms: number, generation_ms: number} | null} measured by this browser's clock
 */

/**
 * @typedef {object} Word
 * @property {object} receipt what the rig claims
 * @property {{receipt: string, agrees: boolean, iat: number, measured?: object}} opinion
 * @property {string} body exactly what the tracker gets
 */

/**
 * @param {Witnessed} witnessed
 * @param {import("../subtext/proof.js").ProofKey} proof
 * @param {number} now Unix seconds
 * @returns {Promise<Word | null>} null for what that rig didn't sign: there is nothing to say to it
 */
export async function answerReceipt(witnessed, proof, now) {
  const receipt = await readReceipt(witnessed.receipt, witnessed.nodeId);
  if (!receipt) return null;
  const agrees = fits(receipt, witnessed);
  const opinion = {
    receipt: toBase64url(await sha256(utf8(witnessed.receipt))),
    agrees,
    iat: Math.floor(now),
    ...(agrees && witnessed.measured ? { measured: witnessed.measured } : {}),
  };
  const countersignature = await proof.sign(OPINION_TYPE, opinion);
  const body = JSON.stringify({ receipts: [{ receipt: witnessed.receipt, countersignature }] });
  return { receipt, opinion, body };
}

/**
 * @param {string} text compact JWS
 * @param {string} nodeId
 * @returns {Promise<Record<string, any> | null>} its claims; null if that rig didn't sign them
 */
async function readReceipt(text, nodeId) {
  try {
    const parsed = parseJws(text, RECEIPT);
    const claims = /** @type {Record<string, any>} */ (readJson(parsed.payload));
    const signer = await idOf("n1", parsed.signer);
    return signer === nodeId && claims.iss === nodeId && (await isSigned(parsed)) ? claims : null;
  } catch {
    return null;
  }
}

/**
 * Whether a receipt can be true for somebody who saw that. A token is a byte at least, but for a few
 * that show nothing.
 *
 * @param {Record<string, any>} receipt
 * @param {Witnessed} witnessed
 * @returns {boolean}
 */
function fits(receipt, { token, outputBytes }) {
  const { aud, jti } = /** @type {any} */ (readJson(fromBase64url(token.split(".")[1])));
  const isOurs = receipt.iss === aud && receipt.jti === jti;
  return isOurs && receipt.completion_tokens <= outputBytes + UNSEEN_TOKENS;
}
