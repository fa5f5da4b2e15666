"""The tracker's keys and the keyset that nodes check tokens with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from luckrig.protocol.descriptor_log import LogTip, make_head
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey, PublicKey
from luckrig.protocol.keyset import Keyset, sign_keyset
from luckrig.protocol.wire import KeysetReply
from luckrig.tracker.domain.rotation import next_start, published, signing

KEYSET_TTL_SECONDS: Final = 7 * 86_400
RESIGN_AFTER_SECONDS: Final = 86_400


class SigningKeys:
    """The keys that sign tokens and log heads, one after another; domain/rotation.py says when.

    keys: start (Unix seconds) → key, at least one. make: makes a key that starts at that time,
    stores it for good and returns it; it may block.
    """

    def __init__(
        self, keys: Mapping[int, PrivateKey], *, make: Callable[[int], PrivateKey]
    ) -> None:
        if not keys:
            raise ValueError("a tracker needs a signing key")
        self._keys = dict(sorted(keys.items()))
        self._make = make

    def signer(self, *, now: float) -> PrivateKey:
        """The key that signs now."""
        return self._keys[signing(list(self._keys), now=now)]

    def published(self, *, now: float) -> list[PublicKey]:
        """What belongs in the keyset now: the signer, those before and after it."""
        return [self._keys[start].public for start in published(list(self._keys), now=now)]

    def rotate(self, *, now: float) -> bool:
        """Make the next key if it is due; return whether it was. Blocks. Raises what make does."""
        start = next_start(list(self._keys), now=now)
        if start is None:
            return False
        made = self._make(start)
        # A new dict, since others may read the old one in another thread.
        self._keys = dict(sorted({**self._keys, start: made}.items()))
        return True


@dataclass(frozen=True, kw_only=True)
class TrackerKeys:
    """root: signs keysets; its id stands in the tracker's address. signing: tokens, log heads.

    pairwise: 32 secret bytes that turn (user, node) into a pseudonym, see TokenService.
    """

    root: PrivateKey
    signing: SigningKeys
    pairwise: bytes

    def sign_head(self, tip: LogTip, *, typ: str, now: float) -> str:
        """Where a log of that type ends now, signed: see protocol/descriptor_log.py."""
        key = self.signing.signer(now=now)
        return make_head(tip, issuer=self.root_id, key=key, now=int(now), typ=typ)

    @property
    def root_id(self) -> str:
        """The r1… id of the root key."""
        return derive_id("r1", self.root.public)


class KeysetService:
    """Hands out a signed keyset that is never older than a day and always has today's keys."""

    def __init__(self, keys: TrackerKeys, *, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock
        self._seq = 0
        self._current: tuple[float, list[PublicKey], KeysetReply] | None = None

    def current(self) -> KeysetReply:
        """The keyset, signed anew once a day and when a key comes or goes."""
        now = self._clock()
        keys = self._keys.signing.published(now=now)
        if self._current is not None:
            signed_at, signed_keys, reply = self._current
            if keys == signed_keys and now - signed_at < RESIGN_AFTER_SECONDS:
                return reply
        reply = self._sign(keys, int(now))
        self._current = (now, keys, reply)
        return reply

    def _sign(self, keys: list[PublicKey], now: int) -> KeysetReply:
        # The time it was signed at grows by itself and needs no storage.
        self._seq = max(now, self._seq + 1)
        keyset = Keyset(
            iss=self._keys.root_id,
            seq=self._seq,
            iat=now,
            exp=now + KEYSET_TTL_SECONDS,
            keys=[key.jwk for key in keys],
        )
        signed = sign_keyset(keyset, root=self._keys.root)
        return KeysetReply(root_id=self._keys.root_id, keyset=signed)
