/**
 * What went wrong with something sealed. `code` is one of luckrig's codes (docs/PROTOCOL.md):
 * `sealed_invalid`, `sealed_stale`, `sealing_key_unknown` or `signature_invalid`. The message is a
 * sentence for people; it never holds a prompt, a reply, a token or a key.
 */
export class SealedError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = "SealedError";
    this.code = code;
  }
}
