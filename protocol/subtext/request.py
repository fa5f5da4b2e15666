"""One sealed request: its plaintext, what it is bound to, and how it opens.

Payload of its frame:

| bytes | what                                                             |
|-------|------------------------------------------------------------------|
| 8     | key id, which names the rig's key and its kem                    |
| n     | encapsulation, as long as the kem says                           |
| rest  | ciphertext and tag                                               |

Plaintext, in steps of PADDING_BYTES, so that its length says little about the prompt's:

| bytes | what                                                             |
|-------|------------------------------------------------------------------|
| 8     | Unix seconds, big endian                                         |
| 32    | reply secret: fresh random bytes, from which reply.py makes keys |
| 1, n  | length of the path; the path that is really meant                |
| 4, n  | length of the body, big endian; the body that is really meant    |
| rest  | zeros                                                            |

`info` is LABEL and, each with two bytes of length before it: node id, key id, method and path of
the request that carries it, and b64url(SHA-256(access token)). So a sealed text is worth nothing at
another rig, at another path of this one, or with another token.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext.hpke import (
    ENCAPSULATION_BYTES,
    KEY_ID_BYTES,
    SealingPrivateKey,
    SealingPublicKey,
)

LABEL: Final = b"luckrig subtext 1 request"
PADDING_BYTES: Final = 1024
SECRET_BYTES: Final = 32
FRESH_SECONDS: Final = 120
"""How far a request's time may be from the rig's: home machines' clocks drift."""
CARRIER_METHOD: Final = "POST"
CARRIER_PATH: Final = "/v1/chat/completions"

_TIME_BYTES: Final = 8
_BODY_LENGTH_BYTES: Final = 4
_FIXED_BYTES: Final = _TIME_BYTES + SECRET_BYTES + 1 + _BODY_LENGTH_BYTES


@dataclass(frozen=True, slots=True)
class Binding:
    """What a sealed request is bound to. token: the access token it is sent with, in no repr."""

    node_id: str
    token: str = field(repr=False)

    def info(self, key_id: bytes) -> bytes:
        """HPKE's `info` for a key of the rig."""
        token_hash = b64url_encode(hashlib.sha256(self.token.encode("utf-8")).digest())
        parts = (
            self.node_id.encode("ascii"),
            key_id,
            CARRIER_METHOD.encode("ascii"),
            CARRIER_PATH.encode("ascii"),
            token_hash.encode("ascii"),
        )
        return LABEL + b"".join(len(part).to_bytes(2, "big") + part for part in parts)


@dataclass(frozen=True, slots=True)
class Inner:
    """What is really asked. path: such as /v1/responses. body: its JSON; no repr shows it."""

    path: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A sealed request that was opened. Its repr shows nothing of it.

    encapsulation: unlike in every honest request before; the replay cache knows it by that.
    sealed_at: Unix seconds, by the sender's clock.
    """

    inner: Inner
    secret: bytes
    encapsulation: bytes
    sealed_at: int


@dataclass(frozen=True, slots=True, repr=False)
class Sealed:
    """A request on its way. payload: of its frame. The rest is what the reply is opened with."""

    payload: bytes
    secret: bytes
    encapsulation: bytes


def seal_request(
    inner: Inner, *, key: SealingPublicKey, binding: Binding, secret: bytes, now: float
) -> Sealed:
    """The request, sealed.

    secret: SECRET_BYTES fresh random bytes. now: Unix seconds. Raises ValueError on a bad key.
    """
    path = inner.path.encode("ascii")
    if len(secret) != SECRET_BYTES or len(path) > 255:
        raise ValueError("a reply secret has 32 bytes, a path at most 255")
    plaintext = b"".join(
        (
            int(now).to_bytes(_TIME_BYTES, "big"),
            secret,
            bytes((len(path),)),
            path,
            len(inner.body).to_bytes(_BODY_LENGTH_BYTES, "big"),
            inner.body,
        )
    )
    plaintext += bytes(-len(plaintext) % PADDING_BYTES)
    sealed = key.seal(plaintext, info=binding.info(key.key_id))
    encapsulation = sealed[: ENCAPSULATION_BYTES[key.kem]]
    return Sealed(key.key_id + sealed, secret, encapsulation)


def key_id_of(payload: bytes) -> bytes:
    """Which key a request was sealed to; nothing in it is checked yet."""
    return payload[:KEY_ID_BYTES]


def open_request(payload: bytes, *, key: SealingPrivateKey, binding: Binding, now: float) -> Opened:
    """The request in a frame's payload. now: Unix seconds. Whether it came before is for replays.

    Raises PeerError sealed_invalid for all that doesn't open, with one text, whatever was wrong;
    sealed_stale when the sender's clock or a delay puts it out of FRESH_SECONDS.
    """
    key_id, sealed = payload[:KEY_ID_BYTES], payload[KEY_ID_BYTES:]
    try:
        plaintext = key.open(sealed, info=binding.info(key_id))
        inner, secret, sealed_at = _read(plaintext)
    except ValueError as error:
        raise PeerError(
            "sealed_invalid",
            "The sealed text doesn't open: it was changed on its way, or sealed for another rig, "
            "key or token. Seal it anew.",
        ) from error
    if abs(now - sealed_at) > FRESH_SECONDS:
        raise PeerError(
            "sealed_stale",
            f"The sealed text is more than {FRESH_SECONDS} s old, or the sender's clock is wrong.",
        )
    return Opened(inner, secret, sealed[: ENCAPSULATION_BYTES[key.public.kem]], sealed_at)


def _read(plaintext: bytes) -> tuple[Inner, bytes, int]:
    """Path and body, reply secret, time. Raises ValueError on any layout but the one above."""
    if len(plaintext) < _FIXED_BYTES or len(plaintext) % PADDING_BYTES:
        raise ValueError("wrong length")
    sealed_at = int.from_bytes(plaintext[:_TIME_BYTES], "big")
    secret = plaintext[_TIME_BYTES : _TIME_BYTES + SECRET_BYTES]
    at = _TIME_BYTES + SECRET_BYTES
    path_end = at + 1 + plaintext[at]
    path = plaintext[at + 1 : path_end].decode("ascii")
    body_at = path_end + _BODY_LENGTH_BYTES
    length = int.from_bytes(plaintext[path_end:body_at], "big")
    body, padding = plaintext[body_at : body_at + length], plaintext[body_at + length :]
    if len(body) != length or padding.strip(b"\0"):
        raise ValueError("wrong layout")
    if len(padding) >= PADDING_BYTES:
        raise ValueError("more padding than there is to be")
    return Inner(path, body), secret, sealed_at
