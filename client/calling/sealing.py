"""Sealing for one rig: its keys, checked against its id, and a request and reply sealed with them.

The keys come from the rig's address, which may be somebody else's: what the rig of that id didn't
sign is refused, and then nothing has been sent but the question for the keys.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from luckrig.client.calling.sending import Sender
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.subtext.carrier import request_body
from luckrig.protocol.subtext.codec import MAX_PAYLOAD_BYTES
from luckrig.protocol.subtext.hpke import SealingPublicKey
from luckrig.protocol.subtext.keyring import (
    SEALING_PATH,
    PublishedKey,
    SealingReply,
    verify_sealing_keys,
)
from luckrig.protocol.subtext.request import SECRET_BYTES, Binding, Inner, Sealed, seal_request

HYBRID: Final = "mlkem768-x25519"
SPARE_SECONDS: Final = 60
"""A key that expires sooner isn't used any more: the request may wait on its way."""
REFUSED_SECONDS: Final = 600.0
"""For how long a rig without keys of use isn't asked again."""
MAX_RIGS: Final = 1024
_MAX_CHOICE: Final = 1 << 16


@dataclass(slots=True)
class _Known:
    """A rig's keys. refused_at: by the clock, when it had none of use. why: as was told then."""

    keys: list[PublishedKey] = field(default_factory=list[PublishedKey])
    refused_at: float = -math.inf
    why: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class SealingKeys:
    """The keys of rigs, each asked for once and kept until they expire. clock: Unix seconds."""

    def __init__(self, sender: Sender, *, clock: Callable[[], float]) -> None:
        self._sender = sender
        self._clock = clock
        self._known: dict[str, _Known] = {}

    async def get(self, endpoint: str, node_id: str) -> SealingPublicKey:
        """The key to seal with, one with ML-KEM if the rig has one. endpoint: without path.

        Raises PeerError signature_invalid for keys that the rig didn't sign,
        unsupported_parameter when it doesn't seal, and what Sender.fetch raises.
        """
        known = self._known.setdefault(node_id, _Known())
        async with known.lock:
            if not self._good(known):
                self._raise_if_refused(known)
                await self._fetch(known, endpoint, node_id)
            if not (good := self._good(known)):
                raise self._refuse(known, _EXPIRE)
            return _best(good)

    def forget(self, node_id: str) -> None:
        """The rig has other keys by now."""
        self._known.pop(node_id, None)

    def _good(self, known: _Known) -> list[SealingPublicKey]:
        until = self._clock() + SPARE_SECONDS
        return [each.key for each in known.keys if each.expires_at > until]

    def _refuse(self, known: _Known, why: str) -> PeerError:
        known.refused_at, known.why = self._clock(), why
        return _unfit(why)

    def _raise_if_refused(self, known: _Known) -> None:
        # A clock that was set back would make it refused for as long: then it's asked again.
        if 0 <= self._clock() - known.refused_at < REFUSED_SECONDS:
            raise _unfit(known.why)

    async def _fetch(self, known: _Known, endpoint: str, node_id: str) -> None:
        try:
            raw = await self._sender.fetch(endpoint + SEALING_PATH)
        except LuckrigError as error:
            if error.code in ("not_found", "method_not_allowed"):
                raise self._refuse(known, _OLDER) from error
            raise
        try:
            text = msgspec.json.decode(raw, type=SealingReply).sealing
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise PeerError(
                "signature_invalid", "The rig's sealing keys make no sense. Nothing was sent."
            ) from error
        known.keys = verify_sealing_keys(text, node_id=node_id, now=self._clock())
        if len(self._known) > MAX_RIGS:
            self._known = {node_id: known}


def seal(
    inner: Inner,
    *,
    key: SealingPublicKey,
    binding: Binding,
    stream: bool,
    random_bytes: Callable[[int], bytes],
    now: float,
) -> tuple[Sealed, bytes]:
    """The sealed request and the body that carries it.

    Raises PeerError body_too_large, and signature_invalid on a key that is none.
    """
    secret = random_bytes(SECRET_BYTES)
    try:
        sealed = seal_request(inner, key=key, binding=binding, secret=secret, now=now)
    except ValueError as error:
        raise PeerError(
            "signature_invalid", "The rig's sealing key is no key. Nothing was sent."
        ) from error
    if len(sealed.payload) > MAX_PAYLOAD_BYTES:
        raise PeerError(
            "body_too_large",
            f"A sealed request has at most {MAX_PAYLOAD_BYTES} bytes. Make it shorter.",
        )
    choice = int.from_bytes(random_bytes(2), "big") % _MAX_CHOICE
    return sealed, request_body(sealed.payload, stream=stream, choice=choice)


def _best(keys: list[SealingPublicKey]) -> SealingPublicKey:
    return next((key for key in keys if key.kem == HYBRID), keys[0])


_OLDER: Final = "This rig takes no sealed requests: its luckrig is older."
_EXPIRE: Final = (
    f"All sealing keys of this rig expire within {SPARE_SECONDS} s: its clock or yours is wrong."
)


def _unfit(why: str) -> PeerError:
    return PeerError("unsupported_parameter", why, param="luckrig.subtext")
