"""Tells each rig which of its users are banned, for as long as they still have a valid token, and
what its owner wants of it."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from luckrig.protocol.revocations import (
    MAX_SUBS,
    REVOCATIONS_TTL_SECONDS,
    Revocations,
    sign_revocations,
)
from luckrig.protocol.wire import RevocationsReply
from luckrig.protocol.wishes import Wish, sign_wish
from luckrig.tracker.domain.records import WishRecord
from luckrig.tracker.service.keyset import TrackerKeys
from luckrig.tracker.service.wishes import WishService
from luckrig.tracker.store.interface import Store

REVOKED_AGE_SECONDS: Final = 1.0
"""Every rig asks every few seconds; the store is asked once a second for all of them."""
RESIGN_AFTER_SECONDS: Final = 10
"""Leaves 50 of a list's 60 seconds to a rig whose clock is fast."""
MAX_SIGNED: Final = 20_000
"""Signed lists kept; a signature costs 50 µs, so forgetting one is cheap."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Signed:
    subs: Sequence[str]
    wish: WishRecord | None
    iat: int
    reply: RevocationsReply


class RevocationService:
    """Makes the signed lists. wishes: what owners want."""

    def __init__(
        self, store: Store, keys: TrackerKeys, wishes: WishService, *, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._keys = keys
        self._wishes = wishes
        self._clock = clock
        self._revoked: tuple[float, Mapping[str, Sequence[str]]] | None = None
        self._signed: dict[str, _Signed] = {}
        self._seq = 0

    def forget(self) -> None:
        """Ask the store again at the next request: a ban was put or lifted."""
        self._revoked = None

    async def lists(self) -> Mapping[str, Sequence[str]]:
        """Rigs with anybody on their list: node id → subs, as of a moment ago."""
        return await self._subs()

    async def current(self, node_id: str) -> RevocationsReply:
        """The list for one rig, listed or not: one that isn't yet has nobody on its list."""
        now = int(self._clock())
        subs = (await self._subs()).get(node_id, ())
        wish = (await self._wishes.all()).get(node_id)
        last = self._signed.get(node_id)
        if last is not None and (last.subs, last.wish) == (subs, wish):
            if 0 <= now - last.iat < RESIGN_AFTER_SECONDS:
                return last.reply
        signed = _Signed(subs, wish, now, self._sign(node_id, subs, wish, now))
        self._signed.pop(node_id, None)
        if len(self._signed) >= MAX_SIGNED:
            del self._signed[next(iter(self._signed))]
        self._signed[node_id] = signed
        return signed.reply

    async def _subs(self) -> Mapping[str, Sequence[str]]:
        """node id → subs, as of a moment ago."""
        now = self._clock()
        if self._revoked is None or not 0 <= now - self._revoked[0] < REVOKED_AGE_SECONDS:
            by_node: dict[str, list[str]] = defaultdict(list)
            for node_id, sub in sorted(await self._store.revoked(now=int(now))):
                by_node[node_id].append(sub)
            self._revoked = (now, {node: tuple(subs) for node, subs in by_node.items()})
        return self._revoked[1]

    def _sign(
        self, node_id: str, subs: Sequence[str], wish: WishRecord | None, now: int
    ) -> RevocationsReply:
        if len(subs) > MAX_SUBS:
            _log.error("%d banned users at %s: only %d fit", len(subs), node_id, MAX_SUBS)
        # Milliseconds grow by themselves, across restarts too, and need no storage.
        self._seq = max(self._seq + 1, int(self._clock() * 1000))
        revocations = Revocations(
            iss=self._keys.root_id,
            aud=node_id,
            seq=self._seq,
            iat=now,
            exp=now + REVOCATIONS_TTL_SECONDS,
            subs=list(subs[:MAX_SUBS]),
        )
        key = self._keys.signing.signer(now=now)
        return RevocationsReply(
            revocations=sign_revocations(revocations, key=key),
            wish=None if wish is None else sign_wish(self._claims(wish), key=key),
        )

    def _claims(self, wish: WishRecord) -> Wish:
        return Wish(iss=self._keys.root_id, aud=wish.node_id, paused=wish.paused, at=wish.at)
