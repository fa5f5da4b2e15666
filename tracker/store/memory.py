"""The store's twin in memory: for tests and for trackers that may forget."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from luckrig.protocol.descriptor import NodeDescriptor
from luckrig.protocol.descriptor_log import EMPTY_LOG, LogEntry, LogTip, next_entry
from luckrig.tracker.domain.quotas import Use
from luckrig.tracker.domain.records import BanRecord, Health, NodeRecord, TokenRecord, publish
from luckrig.tracker.store.counters import Counters
from luckrig.tracker.store.interface import StoreError
from luckrig.tracker.store.memory_contributions import MemoryContributions
from luckrig.tracker.store.memory_notes import MemoryNotes
from luckrig.tracker.store.memory_users import MemoryUsers


class MemoryStore:
    """A Store that lives as long as its process."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeRecord] = {}
        self._history: dict[str, list[bytes]] = {}
        self._log: list[LogEntry] = []
        self._tip = EMPTY_LOG
        self._tokens: dict[str, TokenRecord] = {}
        self._bans: dict[str, BanRecord] = {}
        self._counters = Counters()
        self.contributions = MemoryContributions()
        self.notes = MemoryNotes(self.contributions)
        self.users = MemoryUsers(self._counters)

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
            self._history.setdefault(record.node_id, []).append(signed)
        return record

    async def node(self, node_id: str) -> NodeRecord | None:
        return self._nodes.get(node_id)

    async def nodes(self) -> list[NodeRecord]:
        return list(self._nodes.values())

    async def history(self, node_id: str) -> list[bytes]:
        return list(self._history.get(node_id, ()))

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

    async def prune_tokens(self, *, now: int) -> int:
        kept = {jti: token for jti, token in self._tokens.items() if token.expires_at > now}
        pruned = len(self._tokens) - len(kept)
        self._tokens = kept
        return pruned

    async def put_ban(self, ban: BanRecord) -> None:
        self._bans[ban.subject_id] = ban

    async def lift_ban(self, subject_id: str) -> bool:
        return self._bans.pop(subject_id, None) is not None

    async def bans(self, *, now: int) -> list[BanRecord]:
        return [ban for ban in self._bans.values() if ban.in_force(now)]

    async def revoked(self, *, now: int) -> set[tuple[str, str]]:
        banned = {ban.subject_id for ban in await self.bans(now=now)}
        return {
            (token.node_id, token.sub)
            for token in self._tokens.values()
            if token.expires_at > now
            and (token.user_id in banned or self.users.is_replaced(token.user_id))
        }

    async def aclose(self) -> None:
        pass
