/** Why a file isn't a replay. `code` names a text of the page; `path` is the field that it is about. */
export class ReplayError extends Error {
  /**
   * @param {"too_large" | "unreadable" | "no_text" | "no_json" | "version" | "field" | "unknown_field" | "order"} code
   * @param {string} [path] such as "rig.node_id"
   */
  constructor(code, path = "") {
    super(`${code} ${path}`);
    this.name = "ReplayError";
    this.code = code;
    this.path = path;
  }
}
