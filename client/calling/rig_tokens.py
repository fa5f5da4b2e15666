"""Access tokens for rigs: bound to the user's key, one for each rig, renewed before they expire.

Where the tracker's address pins its keys, a token that they didn't sign is refused: no request
goes to a rig that another tracker in its place has named.

Whoever needs a token while another request is getting one for the same rig waits for that one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from luckrig.client.tracker import TrackerClient
from luckrig.protocol.errors import LuckrigError, PeerError, TokenExpired, TokenForged
from luckrig.protocol.keys import PrivateKey, PublicKey
from luckrig.protocol.tokens import verify
from luckrig.protocol.wire import NodeView, TokenReply

SPARE_SECONDS: Final = 60
"""A token that expires sooner is renewed: the rig's clock may differ, and queues take time."""
MAX_RIGS: Final = 1024


_NONE_FOR_ANYBODY: Final = frozenset(("tracker_unreachable", "rate_limited"))


class NoToken(LuckrigError):
    """The tracker gives no token, whichever rig it would be for."""


@dataclass(slots=True)
class _Held:
    """A rig's token. uses: how often it was given out."""

    reply: TokenReply | None = None
    uses: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class RigTokens:
    """clock: Unix seconds."""

    def __init__(
        self, tracker: TrackerClient, user_key: PrivateKey, *, clock: Callable[[], float]
    ) -> None:
        self._tracker = tracker
        self._user_key = user_key
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._signers: dict[str, PublicKey] = {}  # kid → key, as the pinned root signed them

    async def get(self, rig: NodeView) -> TokenReply:
        """A token for one more request. rig: as it signed itself.

        Raises NoToken (rate_limited by the tracker, tracker_unreachable), and LuckrigError: the
        tracker's other refusals (registration_required, key_replaced, banned, node_offline, …), and
        signature_invalid for a token that leads elsewhere than to the rig, or that the pinned
        tracker didn't sign.
        """
        held = self._held.setdefault(rig.id, _Held())
        async with held.lock:
            if not self._is_good(held):
                held.reply, held.uses = await self._new(rig), 0
                self._forget_old()
            held.uses += 1
            assert held.reply is not None  # noqa: S101 -- for type checkers: it was just set
            return held.reply

    def has(self, node_id: str) -> bool:
        """Whether a token for that rig is at hand."""
        held = self._held.get(node_id)
        return held is not None and self._is_good(held)

    def refused(self, rig: NodeView, token: str) -> None:
        """The rig doesn't take that token: the next one is a new one."""
        held = self._held.get(rig.id)
        if held is not None and held.reply is not None and held.reply.token == token:
            held.reply = None

    def _is_good(self, held: _Held) -> bool:
        reply = held.reply
        if reply is None or held.uses >= reply.limits.requests:
            return False
        return self._clock() < reply.expires_at - SPARE_SECONDS

    async def _new(self, rig: NodeView) -> TokenReply:
        try:
            return await self._ask(rig)
        except LuckrigError as error:
            if error.code not in _NONE_FOR_ANYBODY:
                raise
            pause = error.retry_after_seconds
            raise NoToken(error.code, error.message, retry_after_seconds=pause) from error

    async def _ask(self, rig: NodeView) -> TokenReply:
        reply = await self._tracker.token(rig.id, user_key=self._user_key, bound=True)
        offered = {offer.model for offer in rig.offers}
        if reply.base_url != rig.base_url or not offered.issuperset(reply.models):
            raise PeerError(
                "signature_invalid",
                "The tracker's token leads to an address or model that the rig didn't sign."
                " Don't use this rig through this tracker.",
            )
        if reply.token_type != "DPoP":
            raise LuckrigError(
                "token_invalid", "The tracker sent a token that anybody could use. Update it."
            )
        await self._check_signature(reply)
        return reply

    async def _check_signature(self, reply: TokenReply) -> None:
        """The pinned tracker's keys are asked for once, and again when there is a new one."""
        root_id = self._tracker.address.root_id
        if root_id is None or self._is_signed(reply, root_id):
            return
        _, self._signers = await self._tracker.verified_keys()
        if not self._is_signed(reply, root_id):
            raise PeerError(
                "signature_invalid",
                "The tracker's token isn't signed with the keys that its address pins. Don't use"
                " it; ask its operator.",
            )

    def _is_signed(self, reply: TokenReply, root_id: str) -> bool:
        # Its times are the rig's to check: this machine's clock may be wrong.
        last = reply.expires_at - 1
        try:
            verify(
                reply.token, keys=self._signers, issuer=root_id, audience=reply.node_id, now=last
            )
        except (TokenForged, TokenExpired):
            return False
        return True

    def _forget_old(self) -> None:
        """Rigs of long ago: those whose token is of no use any more."""
        if len(self._held) > MAX_RIGS:
            self._held = {
                node_id: held
                for node_id, held in self._held.items()
                if held.lock.locked() or self._is_good(held)
            }
