"""The tracker's keys and the keyset that nodes check tokens with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.keyset import Keyset, sign_keyset
from luckrig.protocol.wire import KeysetReply

KEYSET_TTL_SECONDS: Final = 7 * 86_400
RESIGN_AFTER_SECONDS: Final = 86_400


@dataclass(frozen=True, kw_only=True)
class TrackerKeys:
    """root: signs keysets; its id stands in the tracker's address. signing: signs tokens.

    pairwise: 32 secret bytes that turn (user, node) into a pseudonym, see TokenService.
    """

    root: PrivateKey
    signing: PrivateKey
    pairwise: bytes

    @property
    def root_id(self) -> str:
        """The r1… id of the root key."""
        return derive_id("r1", self.root.public)


class KeysetService:
    """Hands out a signed keyset that is never older than a day."""

    def __init__(self, keys: TrackerKeys, *, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock
        self._current: tuple[float, KeysetReply] | None = None

    def current(self) -> KeysetReply:
        """The keyset, signed anew once a day."""
        now = self._clock()
        if self._current is None or now - self._current[0] >= RESIGN_AFTER_SECONDS:
            self._current = (now, self._sign(int(now)))
        return self._current[1]

    def _sign(self, now: int) -> KeysetReply:
        keyset = Keyset(
            iss=self._keys.root_id,
            seq=now,  # the time it was signed at grows by itself and needs no storage
            iat=now,
            exp=now + KEYSET_TTL_SECONDS,
            keys=[self._keys.signing.public.jwk],
        )
        signed = sign_keyset(keyset, root=self._keys.root)
        return KeysetReply(root_id=self._keys.root_id, keyset=signed)
