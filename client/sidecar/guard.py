"""Who may ask the sidecar: programs of this machine that have the local key. Pure.

Any web page can make a browser send requests to 127.0.0.1, and with a name that resolves there it
can make them look like its own (DNS rebinding). Browsers say so, each in more ways than one: in
Host, in Origin, in Sec-Fetch-Site. All of them are checked, before the key, and no answer ever has
an `access-control-` header. The key stops the other users of this machine.
"""

import hmac
from collections import Counter
from collections.abc import Sequence
from typing import Final

from luckrig.protocol.errors import LuckrigError, PeerError

KEY_PREFIX: Final = "lk-"
KEY_CHARS: Final = 46
"""The prefix, and 32 random bytes as base64url."""

Headers = Sequence[tuple[bytes, bytes]]
"""Lower-case names, as ASGI has them."""

_ONCE: Final = (
    b"host", b"authorization", b"origin", b"content-type", b"content-length", b"content-encoding",
    b"transfer-encoding", b"sec-fetch-site",
)  # fmt: skip
_SCHEME: Final = b"bearer "
_JSON: Final = b"application/json"
_UTF8: Final = (b"", b"charset=utf-8", b'charset="utf-8"')


class Guard:
    """Of one sidecar. port: where it listens. key: the local key."""

    def __init__(self, port: int, key: str) -> None:
        names = (b"127.0.0.1", b"localhost", b"[::1]")
        self._hosts = frozenset(b"%b:%d" % (name, port) for name in names)
        self._key = key.encode("ascii")

    def check(self, method: str, target: bytes, headers: Headers) -> None:
        """Raise PeerError for every request that isn't a local program's with the key.

        target: as it stands in the request line. Nothing of the body has to be read for this.
        """
        found = _single(headers)
        if found.get(b"host", b"").lower() not in self._hosts:
            raise _foreign("Ask it as 127.0.0.1 or localhost, with its port.")
        if b"origin" in found or found.get(b"sec-fetch-site", b"none").lower() != b"none":
            raise _foreign("It isn't for web pages: use it from a program on this machine.")
        if not target.startswith(b"/") or target.startswith(b"//"):
            raise _foreign("It is no proxy: the target is a path.")
        if b"upgrade" in found:
            raise PeerError("invalid_request", "The sidecar speaks plain HTTP/1.1 only.")
        if method not in ("GET", "POST"):
            raise PeerError("method_not_allowed", "The sidecar takes GET and POST.")
        self._check_key(found.get(b"authorization"))
        if method == "POST":
            _check_content(found)

    def _check_key(self, given: bytes | None) -> None:
        if given is None:
            raise LuckrigError(
                "token_missing",
                "The sidecar asks for its local key. This sets it: "
                'eval "$(luckrig connect --print-env)"',
            )
        scheme, key = given[: len(_SCHEME)].lower(), given[len(_SCHEME) :].strip()
        if not hmac.compare_digest(scheme + key, _SCHEME + self._key):
            raise PeerError(
                "token_invalid",
                "That isn't this sidecar's local key. This shows it: luckrig connect --print-env",
            )


def _single(headers: Headers) -> dict[bytes, bytes]:
    """The headers by name. Raises PeerError where one that decides something is there twice."""
    count = Counter(name for name, _ in headers)
    twice = [name for name in _ONCE if count[name] > 1]
    if twice:
        raise PeerError("invalid_request", f"The header {twice[0].decode()} is given twice.")
    if not count[b"host"]:
        raise PeerError("invalid_request", "The header host is missing.")
    return dict(headers)


def _check_content(headers: dict[bytes, bytes]) -> None:
    media, _, parameters = headers.get(b"content-type", b"").lower().partition(b";")
    is_json = media.strip() == _JSON and parameters.strip() in _UTF8
    if not is_json or headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise PeerError("unsupported_media_type", "Send plain application/json.")


def _foreign(what: str) -> PeerError:
    return PeerError("cross_site", f"This sidecar is for this machine's programs. {what}")
