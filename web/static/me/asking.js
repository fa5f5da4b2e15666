// What these pages ask of their tracker: a sign-in, and a hand-over from one key to another.

import { readUtf8, utf8 } from "../subtext/bytes.js";
import { chunksOf, readWhole } from "../subtext/carrier.js";

const MAX_ANSWER_BYTES = 1 << 16;
const OLD_TYPE = "lr-handover-old+jws";
const NEW_TYPE = "lr-handover-new+jws";

/** The tracker said no, or nothing. code: its own, or "unreachable". */
export class Refused extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.code = code;
  }

  /** Whether the tracker surely did nothing, and won't. */
  get isFinal() {
    return !["unreachable", "rate_limited", "internal_error"].includes(this.code);
  }
}

/**
 * @param {string} origin the tracker's
 * @param {import("../taste/identity.js").Identity} identity
 * @returns {Promise<string>} a code that signs one browser in, once
 * @throws {Refused}
 */
export async function askLogin(origin, { proof }) {
  const url = `${origin}/api/v1/sessions`;
  const body = utf8("{}");
  const answer = await post(url, body, { dpop: await proof.prove({ method: "POST", url, body }) });
  const start = `${origin}/login/`;
  const code = String(answer.url).slice(start.length);
  if (!String(answer.url).startsWith(start) || !/^[A-Za-z0-9_-]+$/.test(code)) {
    throw new Refused("unreachable", "");
  }
  return code;
}

/**
 * Let one key take another's place: docs/PROTOCOL.md, section 12. Again, it changes nothing.
 *
 * @param {object} who
 * @param {string} who.origin
 * @param {string} who.rootId the tracker's, so that no other one can use it
 * @param {import("../taste/identity.js").Identity} old
 * @param {import("../taste/identity.js").Identity} next
 * @throws {Refused}
 */
export async function handOver({ origin, rootId }, old, next) {
  const claims = { iss: rootId, old: old.userId, new: next.userId, iat: Math.floor(Date.now() / 1000) };
  const first = (await old.proof.sign(OLD_TYPE, claims)).split(".");
  const second = (await next.proof.sign(NEW_TYPE, claims)).split(".");
  const signatures = [first, second].map((part) => ({ protected: part[0], signature: part[2] }));
  await post(`${origin}/api/v1/handover`, utf8(JSON.stringify({ payload: first[1], signatures })), {});
}

/**
 * @param {string} url
 * @param {Uint8Array} body
 * @param {Record<string, string>} headers
 * @returns {Promise<any>}
 */
async function post(url, body, headers) {
  let isOk;
  let answer;
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: { ...headers, accept: "application/json", "content-type": "application/json" },
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      referrerPolicy: "no-referrer",
    });
    isOk = response.ok;
    answer = JSON.parse(readUtf8(await readWhole(chunksOf(response.body), MAX_ANSWER_BYTES)));
  } catch {
    throw new Refused("unreachable", "");
  }
  if (isOk && typeof answer === "object" && answer !== null) return answer;
  const { code, message } = answer?.error ?? {};
  throw new Refused(String(code ?? "internal_error"), String(message ?? ""));
}
