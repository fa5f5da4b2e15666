"""The store's twin in memory: for tests and for trackers that may forget."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from luckrig.protocol.descriptor import NodeDescriptor
from luckrig.protocol.descriptor_log import EMPTY_LOG, LogEntry, LogTip, next_entry
from luckrig.tracker.domain.quotas import Use
from luckrig.tracker.domain.records import (
    Health,
    NodeRecord,
    TokenRecord,
    WishRecord,
    publish,
)
from luckrig.tracker.store.counters import Counters
from luckrig.tracker.store.interface import StoreError
from luckrig.tracker.store.memory_cases import MemoryCases
from luckrig.tracker.store.memory_contributions import MemoryContributions
from luckrig.tracker.store.memory_notes import MemoryNotes
from luckrig.tracker.store.memory_people import MemoryPeople
from luckrig.tracker.store.memory_sessions import MemorySessions
from luckrig.tracker.store.memory_users import MemoryUsers
from luckrig.tracker.store.shelves import Fixed, Records, Row, Shelf


class MemoryStore:
    """A Store that lives as long as its process."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeRecord] = {}
        self._history: dict[str, dict[int, tuple[bytes, int]]] = {}  # seq → signed, published_at
        self._log: list[LogEntry] = []
        self._tip = EMPTY_LOG
        self._tokens: dict[str, TokenRecord] = {}
        self._wishes: dict[str, WishRecord] = {}
        self._counters = Counters()
        self.contributions = MemoryContributions()
        self.notes = MemoryNotes(self.contributions)
        self.users = MemoryUsers(self._counters)
        self.cases = MemoryCases(self._counters)
        self.sessions = MemorySessions()
        self.people = MemoryPeople(self._shelves(), self.users.directory, self.cases)

    async def put_descriptor(
        self, descriptor: NodeDescriptor, signed: bytes, *, now: int
    ) -> NodeRecord:
        listed = self._nodes.get(descriptor.node_id)
        record = publish(listed, descriptor, signed, now=now)
        if record is not listed:
            entry = next_entry(
                self._tip,
                node_id=record.node_id,
                seq=descriptor.seq,
                signed=signed,
                listed_at=now,
            )
            self._log.append(entry)
            self._tip = LogTip(entry.index, entry.hash)
            self._nodes[record.node_id] = record
            self._history.setdefault(record.node_id, {})[descriptor.seq] = (signed, now)
        return record

    async def node(self, node_id: str) -> NodeRecord | None:
        return self._nodes.get(node_id)

    async def nodes(self) -> list[NodeRecord]:
        return list(self._nodes.values())

    async def history(self, node_id: str) -> list[bytes]:
        return [signed for signed, _ in self._history.get(node_id, {}).values()]

    async def log(self, *, after: int, limit: int) -> list[LogEntry]:
        return self._log[after : after + limit]

    async def log_head(self) -> LogTip:
        return self._tip

    async def put_health(self, reports: Mapping[str, Health]) -> None:
        for node_id, health in reports.items():
            if node_id in self._nodes:
                self._nodes[node_id] = replace(self._nodes[node_id], health=health)

    async def add_token(
        self, token: TokenRecord, *, uses: Sequence[Use] = (), now: float = 0
    ) -> None:
        if token.jti in self._tokens:
            raise StoreError("A token with this jti is stored already.")
        self._counters.take(uses, now=now)
        self._tokens[token.jti] = token

    async def token(self, jti: str) -> TokenRecord | None:
        return self._tokens.get(jti)

    async def tokens_of(self, user_id: str, *, since: int) -> int:
        return sum(
            token.user_id == user_id and token.issued_at >= since for token in self._tokens.values()
        )

    async def tokens_given(self, user_ids: Collection[str], *, limit: int) -> list[TokenRecord]:
        found = [token for token in self._tokens.values() if token.user_id in user_ids]
        return sorted(found, key=lambda token: (-token.issued_at, token.jti))[:limit]

    async def revoke_tokens(self, user_ids: Collection[str], *, now: int) -> int:
        running = [
            token
            for token in self._tokens.values()
            if token.user_id in user_ids and token.expires_at > now and not token.revoked
        ]
        self._tokens.update({each.jti: replace(each, revoked=True) for each in running})
        return len(running)

    async def put_wish(self, wish: WishRecord) -> None:
        self._wishes[wish.node_id] = wish

    async def wishes(self) -> list[WishRecord]:
        return list(self._wishes.values())

    async def prune_tokens(self, *, now: int, held: Collection[str] = ()) -> int:
        kept = {
            jti: token
            for jti, token in self._tokens.items()
            if token.expires_at > now or token.user_id in held or token.node_id in held
        }
        pruned = len(self._tokens) - len(kept)
        self._tokens = kept
        return pruned

    async def revoked(self, *, now: int) -> set[tuple[str, str]]:
        held = await self.cases.holding(now=now)
        banned = {target_id for target_id, decision in held.items() if decision.bans}
        return {
            (token.node_id, token.sub)
            for token in self._tokens.values()
            if token.expires_at > now
            and (
                token.revoked
                or not token.user_id
                or token.user_id in banned
                or self.users.is_replaced(token.user_id)
            )
        }

    async def aclose(self) -> None:
        pass

    def _shelves(self) -> dict[str, Shelf]:
        return {
            "nodes": Fixed(
                lambda: ((each.node_id, _node_row(each)) for each in self._nodes.values()),
                delete=lambda node_id: self._nodes.pop(node_id),
            ),
            "descriptors": Fixed(
                self._descriptor_rows, delete=lambda key: self._history[key[0]].pop(key[1])
            ),
            "descriptor_log": Fixed(lambda: ((each.index, _log_row(each)) for each in self._log)),
            "owner_wishes": Records(lambda: self._wishes),
            "tokens": Records(lambda: self._tokens),
            "quotas": Fixed(self._counters.rows),
            **self.contributions.shelves(),
            **self.notes.shelves(),
            **self.users.shelves(),
            **self.cases.shelves(),
            **self.sessions.shelves(),
        }

    def _descriptor_rows(self) -> Iterator[tuple[tuple[str, int], Row]]:
        for node_id, published in self._history.items():
            for seq, (signed, at) in published.items():
                yield (
                    (node_id, seq),
                    {"node_id": node_id, "seq": seq, "signed": signed, "published_at": at},
                )


def _node_row(record: NodeRecord) -> Row:
    """As the table has it."""
    health, queue = record.health, record.health.queue
    return {
        "node_id": record.node_id,
        "seq": record.descriptor.seq,
        "listed_at": record.listed_at,
        "status": health.status,
        "queue_active": None if queue is None else queue.active,
        "queue_waiting": None if queue is None else queue.waiting,
        "queue_max_active": None if queue is None else queue.max_active,
        "checked_at": health.checked_at,
        "last_seen_at": health.last_seen_at,
        "misses": health.misses,
    }


def _log_row(entry: LogEntry) -> Row:
    row: Row = msgspec.structs.asdict(entry)
    row["position"] = row.pop("index")
    return row
