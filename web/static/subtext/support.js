// Whether this browser can seal at all, on this page.

/**
 * Why this page can't seal, and what to do; null when it can.
 *
 * @returns {Promise<string | null>}
 */
export async function whyNotSealed() {
  if (!globalThis.crypto?.subtle) {
    return (
      "Sealing needs the browser's cryptography, and browsers lend it only to pages from https " +
      "or localhost. Open this page under its https address, or on the machine that serves it, " +
      "as localhost."
    );
  }
  try {
    await crypto.subtle.generateKey("X25519", false, ["deriveBits"]);
    await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
    return null;
  } catch {
    return (
      "This browser is too old to seal: it lacks X25519 or Ed25519. Update it, or use another one."
    );
  }
}
