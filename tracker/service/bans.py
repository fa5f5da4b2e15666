"""Who and what is held now, for those who let in, list and show. Deciding is in decisions.py."""

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from luckrig.protocol.errors import PeerError
from luckrig.protocol.reports import Action, TargetKind
from luckrig.tracker.domain.cases import DecisionRecord
from luckrig.tracker.domain.quotas import UNKNOWN_NETWORK
from luckrig.tracker.store.interface import Store

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_WHO: Final[Mapping[TargetKind, str]] = {
    "node": "rig", "user": "key", "network": "network", "note": "note",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """What follows from the decisions in force, worked out once for all who ask."""

    decisions: Mapping[str, DecisionRecord]
    banned_users: frozenset[str]
    limited_users: frozenset[str]
    banned_nodes: frozenset[str]
    closed_nodes: frozenset[str]
    unlisted_nodes: frozenset[str]
    hidden_notes: frozenset[str]
    networks: Sequence[tuple[Network, DecisionRecord]]


class BanService:
    """Reads the decisions that are in force; from memory, so that every list may ask."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._last: _Held | None = None

    async def banned_users(self) -> Set[str]:
        """The users who are banned now, by every key they had: older ones signed notes."""
        return (await self._held()).banned_users

    async def limited_users(self) -> Set[str]:
        """The users who have the limited tier, whatever they have earned; by the key they had."""
        return (await self._held()).limited_users

    async def banned_nodes(self) -> Set[str]:
        """The rigs that are banned now."""
        return (await self._held()).banned_nodes

    async def closed_nodes(self) -> Set[str]:
        """The rigs that nobody gets to see or use: banned, or hidden until somebody decides."""
        return (await self._held()).closed_nodes

    async def unlisted_nodes(self) -> Set[str]:
        """The rigs that are on no list now: those that are held in whatever way."""
        return (await self._held()).unlisted_nodes

    async def hidden_notes(self) -> Set[str]:
        """The notes that nobody may see now."""
        return (await self._held()).hidden_notes

    async def check(self, subject_id: str) -> None:
        """Raise PeerError banned, with the reason and the end, if the subject is banned now."""
        refusal = await self.refusal(subject_id)
        if refusal is not None:
            raise refusal

    async def refusal(self, subject_id: str) -> PeerError | None:
        """What a user or rig that is banned is told; None for one that isn't banned now."""
        decision = (await self._store.cases.holding(now=self._clock())).get(subject_id)
        if decision is None or not decision.bans:
            return None
        return _refusal(decision)

    async def check_network(self, prefix: str | None) -> None:
        """Raise PeerError banned if a request comes from a banned network.

        prefix: as ClientNetworks.prefix gives it; None is this machine itself, never banned.
        """
        if prefix is None or prefix == UNKNOWN_NETWORK:
            return
        networks = (await self._held()).networks
        wanted = ipaddress.ip_network(prefix) if networks else None
        for network, decision in networks:
            if _overlap(network, wanted):
                raise _refusal(decision)

    async def _held(self) -> _Held:
        decisions = await self._store.cases.holding(now=self._clock())
        if self._last is None or self._last.decisions is not decisions:
            self._last = await self._sort(decisions)
        return self._last

    async def _sort(self, decisions: Mapping[str, DecisionRecord]) -> _Held:
        ids: dict[tuple[TargetKind, Action], set[str]] = defaultdict(set)
        for each in decisions.values():
            ids[each.target_kind, "ban" if each.bans else each.action].add(each.target_id)
        banned = [await self._store.users.all_ids(each) for each in ids["user", "ban"]]
        closed = ids["node", "ban"] | ids["node", "hide"]
        return _Held(
            decisions=decisions,
            banned_users=frozenset(chain.from_iterable(banned)),
            limited_users=frozenset(ids["user", "limit"]),
            banned_nodes=frozenset(ids["node", "ban"]),
            closed_nodes=frozenset(closed),
            unlisted_nodes=frozenset(closed | ids["node", "limit"]),
            hidden_notes=frozenset(ids["note", "hide"]),
            networks=[
                (ipaddress.ip_network(each.target_id), each)
                for each in decisions.values()
                if each.target_kind == "network"
            ],
        )


def _overlap(one: Network, other: Network | None) -> bool:
    match one, other:
        case (ipaddress.IPv4Network() as a, ipaddress.IPv4Network() as b):
            return a.overlaps(b)
        case (ipaddress.IPv6Network() as a, ipaddress.IPv6Network() as b):
            return a.overlaps(b)
        case _:
            return False


def _refusal(decision: DecisionRecord) -> PeerError:
    until = "for good"
    if decision.expires_at is not None:
        until = f"until {datetime.fromtimestamp(decision.expires_at, UTC):%Y-%m-%d %H:%M} UTC"
    return PeerError(
        "banned",
        f"This {_WHO[decision.target_kind]} is banned {until}. The operator's reason: "
        f"{decision.reason} You may appeal: luckrig status shows how.",
    )
