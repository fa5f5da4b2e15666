/**
 * What went wrong, for people. `code` is one of luckrig's codes (docs/PROTOCOL.md), or one of the
 * page's own, which name a text: `unreachable`, `rig_unreachable`, `not_for_pages`, `cut_off`,
 * `too_long`, `invite_needed`, `closed`.
 */
export class TasteError extends Error {
  /**
   * @param {string} code
   * @param {string} [message] of whoever refused; none for the page's own codes
   */
  constructor(code, message = "") {
    super(message);
    this.name = "TasteError";
    this.code = code;
  }
}
