"""The rig's sealing keys: new ones each day, in memory only.

| age        | what a key is good for                                      |
|------------|-------------------------------------------------------------|
| up to 24 h | published, and requests sealed to it are opened             |
| up to 26 h | clients that asked before may still seal to it              |
| up to 48 h | what is late, or sealed by a slow clock, is still opened    |
| then       | forgotten: what was sealed to it stays sealed from now on   |

A rig that starts anew has new keys: clients are told to ask for them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

import msgspec

from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.subtext.hpke import SEED_BYTES, Kem, SealingPrivateKey
from luckrig.protocol.subtext.keyring import (
    CLOCK_SKEW_SECONDS,
    PublishedKey,
    SealingReply,
    sign_sealing_keys,
)

KEMS: Final[tuple[Kem, ...]] = ("mlkem768-x25519", "x25519")
"""The best one first."""
RENEW_SECONDS: Final = 24 * 3600
EXPIRE_SECONDS: Final = 26 * 3600
KEEP_SECONDS: Final = 48 * 3600
MAX_KEPT: Final = 8
"""Days' worth of keys, for a clock that is set back and forth."""
LOOK_SECONDS: Final = 300.0


@dataclass(frozen=True, eq=False)
class _Day:
    """The keys that were made together. made_at: Unix seconds."""

    made_at: float
    keys: Mapping[bytes, SealingPrivateKey]


class SealingKeys:
    """Makes, publishes, finds and forgets them. clock: Unix seconds. random_bytes: secret ones."""

    def __init__(
        self,
        *,
        node_key: PrivateKey,
        clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._node_key = node_key
        self._clock = clock
        self._random_bytes = random_bytes
        self._days: deque[_Day] = deque(maxlen=MAX_KEPT)
        self._answer = b""
        self._make(clock())

    @property
    def answer(self) -> bytes:
        """The body of GET /luckrig/sealing, signed once for each day's keys."""
        self.look()
        return self._answer

    def find(self, key_id: bytes) -> SealingPrivateKey | None:
        """The key of that id; None when it was never here, or is forgotten."""
        self.look()
        for day in self._days:
            if key_id in day.keys:
                return day.keys[key_id]
        return None

    def look(self) -> None:
        """Make and forget what is due."""
        now = self._clock()
        for day in [day for day in self._days if abs(now - day.made_at) >= KEEP_SECONDS]:
            self._days.remove(day)
        # A clock that was set back leaves keys that clients refuse, as signed in the future.
        newest = now - self._days[-1].made_at if self._days else RENEW_SECONDS
        if not -CLOCK_SKEW_SECONDS <= newest < RENEW_SECONDS:
            self._make(now)

    async def run(self) -> NoReturn:
        """Look until cancelled: keys are forgotten on time, whether or not anybody asks."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def _make(self, now: float) -> None:
        keys = [SealingPrivateKey(kem, self._random_bytes(SEED_BYTES[kem])) for kem in KEMS]
        self._days.append(_Day(now, {key.public.key_id: key for key in keys}))
        published = [PublishedKey(key.public, int(now) + EXPIRE_SECONDS) for key in keys]
        signed = sign_sealing_keys(published, node_key=self._node_key, now=now)
        self._answer = msgspec.json.encode(SealingReply(sealing=signed))
