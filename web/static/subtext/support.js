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
      "or from this very machine. Open this page under an https address, use `luckrig connect` " +
      `instead, or, if you may log in there, run \`${forwardCommand(location)}\` and open ` +
      `${forwardedAddress(location)}.`
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

/** @param {Location | URL} place a page over plain http */
const localPort = ({ port }) => (Number(port) >= 1024 ? Number(port) : 8080);

/**
 * What makes a port of this machine lead to a page's server: protocol/address.py, forwarded_port.
 *
 * @param {Location | URL} place
 */
const forwardCommand = (place) =>
  `ssh -L ${localPort(place)}:${place.hostname}:${place.port || 80} ${place.hostname.replace(/^\[|\]$/g, "")}`;

/**
 * The same page, through that port.
 *
 * @param {Location | URL} place
 */
const forwardedAddress = (place) => `http://localhost:${localPort(place)}${place.pathname}${place.search}`;
