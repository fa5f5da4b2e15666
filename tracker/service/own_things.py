"""What somebody who is signed in has here: rigs and what they did, tokens, browsers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from luckrig.protocol.telemetry import Telemetry
from luckrig.tracker.domain.records import NodeRecord, TokenRecord, WishRecord
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.service.wishes import WishService, in_force
from luckrig.tracker.store.interface import Receipts, Store

DAY_SECONDS: Final = 86_400
WEEK_SECONDS: Final = 7 * DAY_SECONDS
MAX_TOKENS: Final = 50
"""Shown at most; the export has all of them."""


@dataclass(frozen=True, kw_only=True)
class OwnRig:
    """A rig, and what the tracker knows of its work.

    node.health is what the map shows. wish: the owner's last one from these pages, unless the rig
    was told otherwise since. day, week: receipts that came in that time. said: its last heartbeat,
    of rigs behind a tunnel only.
    """

    node: NodeRecord
    is_listed: bool
    wish: WishRecord | None
    day: Receipts
    week: Receipts
    said: Telemetry | None


@dataclass(frozen=True, kw_only=True)
class OwnTokens:
    """The newest tokens, and names of their rigs where those are still here. running: how many are
    valid now, of those shown."""

    tokens: Sequence[TokenRecord]
    names: dict[str, str]
    running: int


class OwnThings:
    """telemetry: a rig's last heartbeat, if it has a tunnel. on_revoked: tokens were called
    back."""

    def __init__(
        self,
        store: Store,
        nodes: NodeService,
        wishes: WishService,
        *,
        telemetry: Callable[[str], Telemetry | None],
        clock: Callable[[], float],
        on_revoked: Callable[[], None],
    ) -> None:
        self._store = store
        self._nodes = nodes
        self._wishes = wishes
        self._telemetry = telemetry
        self._clock = clock
        self._on_revoked = on_revoked

    async def rigs(self, user_id: str) -> list[OwnRig]:
        """The user's rigs, by name."""
        listed = {node.node_id for node in await self._nodes.listed()}
        wishes = await self._wishes.all(fresh=True)
        return [
            OwnRig(
                node=node,
                is_listed=node.node_id in listed,
                wish=in_force(wishes.get(node.node_id), wish_at=node.health.wish_at),
                day=await self._receipts(node.node_id, DAY_SECONDS),
                week=await self._receipts(node.node_id, WEEK_SECONDS),
                said=self._telemetry(node.node_id),
            )
            for node in await self._nodes.of_owner(user_id)
        ]

    async def tokens(self, user_id: str) -> OwnTokens:
        """What the user got under any of their keys, the newest first, MAX_TOKENS at most."""
        found = await self._store.tokens_given(await self._keys(user_id), limit=MAX_TOKENS)
        now = self._clock()
        names: dict[str, str] = {}
        for node_id in {token.node_id for token in found}:
            node = await self._store.node(node_id)
            if node is not None:
                names[node_id] = node.descriptor.name
        running = sum(token.expires_at > now and not token.revoked for token in found)
        return OwnTokens(tokens=found, names=names, running=running)

    async def call_back(self, user_id: str) -> int:
        """Make every token of the user worthless at every rig, and end every session.

        A rig knows a user by one name, so it refuses newer tokens too until the last of those that
        were called back would have ended. Returns how many tokens that were.
        """
        keys = await self._keys(user_id)
        revoked = await self._store.revoke_tokens(keys, now=int(self._clock()))
        await self._store.sessions.end_sessions(keys)
        if revoked:
            self._on_revoked()
        return revoked

    async def _keys(self, user_id: str) -> list[str]:
        return await self._store.users.all_ids(user_id)

    async def _receipts(self, node_id: str, seconds: int) -> Receipts:
        since = int(self._clock()) - seconds
        return await self._store.contributions.receipts_of_node(node_id, since=since)
