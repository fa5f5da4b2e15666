// One sealed request, and the ordinary chat message that carries it: protocol/subtext/request.py,
// cover.py and carrier.py.

import { bigEndian, concat, sha256, toBase64url, utf8 } from "./bytes.js";
import { REQUEST, toFrame } from "./codec.js";
import { keyId, seal } from "./hpke.js";

export const CARRIER_PATH = "/v1/chat/completions";
export const MODEL = "luckrig/subtext";

const LABEL = utf8("luckrig subtext 1 request");
const PADDING_BYTES = 1024;
const SECRET_BYTES = 32;
const TIME_BYTES = 8;
const MAX_PATH_BYTES = 255;

/** A frame holds 1 MiB; a rig may take less. */
export const MAX_BODY_BYTES = (1 << 20) - 2 * PADDING_BYTES;

const BODY_LENGTH_BYTES = 4;

/** The visible part: which one is random, and says nothing. */
const SENTENCES = [
  "Thanks, that worked well for me.",
  "Could you have another look at this when you have time?",
  "The trains were late again this morning, but the coffee was good.",
  "I watered the plants and left the keys on the table.",
  "ありがとうございます、明日また連絡します。",
  "今日は天気がよかったので、少し散歩しました。",
  "Danke, ich melde mich morgen noch einmal.",
  "Merci, on se voit samedi comme prévu.",
  "Gracias, lo reviso esta tarde y te digo.",
  "谢谢,我明天再看一下。",
];

/**
 * @typedef {object} Sealed A request on its way, and what its reply is opened with.
 * @property {Uint8Array} payload of its frame
 * @property {Uint8Array} secret
 * @property {Uint8Array} encapsulation
 */

/**
 * @param {object} inner
 * @param {string} inner.path what is really asked, such as /v1/responses
 * @param {Uint8Array} inner.body
 * @param {object} to
 * @param {Uint8Array} to.key the rig's X25519 key
 * @param {string} to.nodeId
 * @param {string} to.token the access token that it is sent with
 * @param {number} to.now Unix seconds
 * @param {Uint8Array} [to.secret] for tests against vectors
 * @param {CryptoKeyPair} [to.ephemeral] for tests against vectors
 * @returns {Promise<Sealed>}
 * @throws {TypeError | DOMException} on a path of other characters or a bad key
 */
export async function sealRequest({ path, body }, { key, nodeId, token, now, secret, ephemeral }) {
  if (!/^[\x21-\x7e]+$/.test(path) || path.length > MAX_PATH_BYTES) throw new TypeError("no path");
  const replySecret = secret ?? crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  const parts = [
    bigEndian(Math.floor(now), TIME_BYTES),
    replySecret,
    Uint8Array.of(path.length),
    utf8(path),
    bigEndian(body.length, BODY_LENGTH_BYTES),
    body,
  ];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const padding = new Uint8Array((PADDING_BYTES - (length % PADDING_BYTES)) % PADDING_BYTES);
  const named = await keyId(key);
  const info = await binding({ nodeId, token, named });
  const plaintext = concat(...parts, padding);
  const { encapsulation, ciphertext } = await seal(plaintext, { key, info, ephemeral });
  return { payload: concat(named, encapsulation, ciphertext), secret: replySecret, encapsulation };
}

/**
 * HPKE's `info`: what a sealed request is bound to.
 *
 * @param {{nodeId: string, token: string, named: Uint8Array}} to named: the key's id
 */
async function binding({ nodeId, token, named }) {
  const tokenHash = toBase64url(await sha256(utf8(token)));
  const parts = [utf8(nodeId), named, utf8("POST"), utf8(CARRIER_PATH), utf8(tokenHash)];
  return concat(LABEL, ...parts.flatMap((part) => [bigEndian(part.length, 2), part]));
}

/**
 * @param {Uint8Array} payload of the frame
 * @param {object} visible
 * @param {boolean} visible.stream as in the request inside
 * @param {number} [visible.choice] of the sentence
 * @returns {string} the JSON body that carries it
 */
export function requestBody(payload, { stream, choice = randomNumber() }) {
  const content = SENTENCES[choice % SENTENCES.length] + toFrame(REQUEST, payload);
  return JSON.stringify({ model: MODEL, messages: [{ role: "user", content }], stream });
}

const randomNumber = () => crypto.getRandomValues(new Uint32Array(1))[0];
