"""The store in one SQLite file.

All rigs are also held decoded in memory: decoding 10,000 of them for each list would take most of a
second. So are the decisions in force, which every list and token asks for. Both change there after
their transaction is on the disk. Hence one process owns the file.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from luckrig.protocol.descriptor import NodeDescriptor, SignedDescriptor
from luckrig.protocol.descriptor_log import EMPTY_LOG, LogEntry, LogTip, next_entry
from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.wire import QueueView
from luckrig.tracker.domain.quotas import Use
from luckrig.tracker.domain.records import (
    Health,
    NodeRecord,
    TokenRecord,
    WishRecord,
    publish,
)
from luckrig.tracker.store.counters import Counters
from luckrig.tracker.store.database import Database, open_database
from luckrig.tracker.store.interface import StoreError
from luckrig.tracker.store.sqlite_cases import SqliteCases, open_cases
from luckrig.tracker.store.sqlite_contributions import SqliteContributions
from luckrig.tracker.store.sqlite_notes import SqliteNotes
from luckrig.tracker.store.sqlite_people import SqlitePeople
from luckrig.tracker.store.sqlite_sessions import SqliteSessions
from luckrig.tracker.store.sqlite_tokens import TokenWriter
from luckrig.tracker.store.sqlite_users import SqliteUsers, open_users

_SELECT_NODES: Final = """
    SELECT node_id, signed, listed_at, status, queue_active, queue_waiting, queue_max_active,
           checked_at, last_seen_at, misses
    FROM nodes JOIN descriptors USING (node_id, seq)
"""
_INSERT_DESCRIPTOR: Final = """
    INSERT INTO descriptors (node_id, seq, signed, published_at) VALUES (?, ?, ?, ?)
"""
_LIST_NODE: Final = """
    INSERT INTO nodes (node_id, seq, listed_at, status, misses) VALUES (?, ?, ?, 'unknown', 0)
    ON CONFLICT (node_id) DO UPDATE SET seq = excluded.seq
"""
_INSERT_LOG: Final = """
    INSERT INTO descriptor_log (position, node_id, seq, descriptor_hash, listed_at, hash)
    VALUES (:index, :node_id, :seq, :descriptor_hash, :listed_at, :hash)
"""
_SELECT_LOG: Final = """
    SELECT position, node_id, seq, descriptor_hash, listed_at, hash
    FROM descriptor_log WHERE position > ? ORDER BY position LIMIT ?
"""
_SELECT_LOG_TIP: Final = "SELECT position, hash FROM descriptor_log ORDER BY position DESC LIMIT 1"
_UPDATE_HEALTH: Final = """
    UPDATE nodes SET status = ?, queue_active = ?, queue_waiting = ?, queue_max_active = ?,
                     checked_at = ?, last_seen_at = ?, misses = ?
    WHERE node_id = ?
"""
_TOKEN_COLUMNS: Final = """
    jti, user_id, node_id, sub, issued_at, expires_at, requests, note_id, revoked
"""
_SELECT_TOKEN: Final = f"SELECT {_TOKEN_COLUMNS} FROM tokens WHERE jti = ?"  # noqa: S608 -- columns
_SELECT_GIVEN: Final = f"""
    SELECT {_TOKEN_COLUMNS} FROM tokens WHERE user_id IN (SELECT value FROM json_each(?))
    ORDER BY issued_at DESC, jti LIMIT ?
"""  # noqa: S608
_REVOKE: Final = """
    UPDATE tokens SET revoked = 1
    WHERE user_id IN (SELECT value FROM json_each(:users)) AND expires_at > :now AND revoked = 0
"""
_PUT_WISH: Final = """
    INSERT OR REPLACE INTO owner_wishes (node_id, paused, at, by)
    VALUES (:node_id, :paused, :at, :by)
"""
_PRUNE_TOKENS: Final = """
    DELETE FROM tokens
    WHERE expires_at <= :now AND user_id NOT IN (SELECT value FROM json_each(:held))
      AND node_id NOT IN (SELECT value FROM json_each(:held))
"""
_SELECT_REVOKED: Final = """
    SELECT tokens.node_id, tokens.sub
    FROM json_each(:banned) AS banned CROSS JOIN tokens ON tokens.user_id = banned.value
    WHERE tokens.expires_at > :now
    UNION
    SELECT node_id, sub FROM tokens WHERE user_id = '' AND expires_at > :now
    UNION
    SELECT node_id, sub FROM tokens WHERE revoked = 1 AND expires_at > :now
    UNION
    SELECT tokens.node_id, tokens.sub
    FROM handovers CROSS JOIN tokens ON tokens.user_id = handovers.old_user_id
    WHERE tokens.expires_at > :now
"""  # CROSS JOIN: from the few banned to the many tokens, whatever the planner thinks


async def open_store(path: Path) -> "SqliteStore":
    """Open the database, after making or upgrading it where needed.

    Raises StoreError with a text for the operator.
    """
    database = await open_database(path)
    try:
        users, counters = await open_users(database)
        records = [_record(tuple(row)) for row in await database.read(_SELECT_NODES, ())]
        cases = await open_cases(database, counters)
    except BaseException:
        await database.aclose()
        raise
    return SqliteStore(
        database,
        {record.node_id: record for record in records},
        users,
        cases,
        counters,
    )


class SqliteStore:
    """A Store in a file. Made by open_store."""

    def __init__(
        self,
        database: Database,
        nodes: dict[str, NodeRecord],
        users: SqliteUsers,
        cases: SqliteCases,
        counters: Counters,
    ) -> None:
        self._database = database
        self._nodes = nodes
        self._tokens = TokenWriter(database, counters)
        self.contributions = SqliteContributions(database)
        self.notes = SqliteNotes(database)
        self.users = users
        self.cases = cases
        self.sessions = SqliteSessions(database)
        self.people = SqlitePeople(database, nodes, users.directory, cases)

    async def put_descriptor(
        self, descriptor: NodeDescriptor, signed: bytes, *, now: int
    ) -> NodeRecord:
        async def write() -> NodeRecord:
            node_id, seq = descriptor.node_id, descriptor.seq
            listed = self._nodes.get(node_id)
            record = publish(listed, descriptor, signed, now=now)
            if record is listed:
                return record
            async with self._database.transaction() as connection:
                tip = _log_tip(list(await connection.execute_fetchall(_SELECT_LOG_TIP)))
                entry = next_entry(tip, node_id=node_id, seq=seq, signed=signed, listed_at=now)
                await connection.execute(_INSERT_LOG, msgspec.structs.asdict(entry))
                await connection.execute(_INSERT_DESCRIPTOR, (node_id, seq, signed, now))
                await connection.execute(_LIST_NODE, (node_id, seq, record.listed_at))
                await connection.execute(_UPDATE_HEALTH, _health_row(record))
            self._nodes[node_id] = record
            return record

        return await self._database.write(write)

    async def node(self, node_id: str) -> NodeRecord | None:
        return self._nodes.get(node_id)

    async def nodes(self) -> list[NodeRecord]:
        return list(self._nodes.values())

    async def history(self, node_id: str) -> list[bytes]:
        rows = await self._database.read(
            "SELECT signed FROM descriptors WHERE node_id = ? ORDER BY seq", (node_id,)
        )
        return [signed for (signed,) in rows]

    async def log(self, *, after: int, limit: int) -> list[LogEntry]:
        return [_log_entry(row) for row in await self._database.read(_SELECT_LOG, (after, limit))]

    async def log_head(self) -> LogTip:
        return _log_tip(await self._database.read(_SELECT_LOG_TIP, ()))

    async def put_health(self, reports: Mapping[str, Health]) -> None:
        reports = dict(reports)  # the caller may change its own while this waits

        async def write() -> None:
            changed = {
                node_id: replace(self._nodes[node_id], health=health)
                for node_id, health in reports.items()
                if node_id in self._nodes
            }
            async with self._database.transaction() as connection:
                await connection.executemany(_UPDATE_HEALTH, map(_health_row, changed.values()))
            self._nodes.update(changed)

        await self._database.write(write)

    async def add_token(
        self, token: TokenRecord, *, uses: Sequence[Use] = (), now: float = 0
    ) -> None:
        await self._tokens.add(token, uses, now=now)

    async def token(self, jti: str) -> TokenRecord | None:
        rows = await self._database.read(_SELECT_TOKEN, (jti,))
        return _token(rows[0]) if rows else None

    async def tokens_of(self, user_id: str, *, since: int) -> int:
        ((count,),) = await self._database.read(
            "SELECT count(*) FROM tokens WHERE user_id = ? AND issued_at >= ?", (user_id, since)
        )
        return int(count)

    async def tokens_given(self, user_ids: Collection[str], *, limit: int) -> list[TokenRecord]:
        users = json.dumps(sorted(user_ids))
        return [_token(row) for row in await self._database.read(_SELECT_GIVEN, (users, limit))]

    async def revoke_tokens(self, user_ids: Collection[str], *, now: int) -> int:
        return await self._change(_REVOKE, {"users": json.dumps(sorted(user_ids)), "now": now})

    async def put_wish(self, wish: WishRecord) -> None:
        await self._change(_PUT_WISH, asdict(wish))

    async def wishes(self) -> list[WishRecord]:
        rows = await self._database.read("SELECT node_id, paused, at, by FROM owner_wishes", ())
        return [
            WishRecord(node_id=node_id, paused=bool(paused), at=at, by=by)
            for node_id, paused, at, by in rows
        ]

    async def prune_tokens(self, *, now: int, held: Collection[str] = ()) -> int:
        return await self._change(_PRUNE_TOKENS, {"now": now, "held": json.dumps(sorted(held))})

    async def revoked(self, *, now: int) -> set[tuple[str, str]]:
        held = await self.cases.holding(now=now)
        banned = [target_id for target_id, decision in held.items() if decision.bans]
        values: dict[str, object] = {"now": now, "banned": json.dumps(banned)}
        rows = await self._database.read(_SELECT_REVOKED, values)
        return {(node_id, sub) for node_id, sub in rows}

    async def aclose(self) -> None:
        await self._database.aclose()

    async def _change(self, sql: str, values: dict[str, object]) -> int:
        """How many rows that was."""

        async def write() -> int:
            async with self._database.transaction() as connection:
                return (await connection.execute(sql, values)).rowcount

        return await self._database.write(write)


def _record(row: tuple[Any, ...]) -> NodeRecord:
    """A row of _SELECT_NODES."""
    node_id, signed, listed_at, status, *queue, checked_at, last_seen_at, misses = row
    try:
        descriptor = _decode(signed)
    except ValueError as error:  # msgspec's errors are ValueErrors too
        raise StoreError(f"The stored descriptor of {node_id} can't be read: {error}") from error
    health = Health(
        status=status,
        queue=_queue(*queue),
        checked_at=checked_at,
        last_seen_at=last_seen_at,
        misses=misses,
    )
    return NodeRecord(descriptor=descriptor, signed=signed, listed_at=listed_at, health=health)


def _token(row: tuple[Any, ...]) -> TokenRecord:
    """A row of _SELECT_TOKEN."""
    jti, user_id, node_id, sub, issued_at, expires_at, requests, note_id, revoked = row
    return TokenRecord(
        jti=jti,
        user_id=user_id,
        node_id=node_id,
        sub=sub,
        issued_at=issued_at,
        expires_at=expires_at,
        requests=requests,
        note_id=note_id,
        revoked=bool(revoked),
    )


def _log_entry(row: tuple[Any, ...]) -> LogEntry:
    """A row of _SELECT_LOG."""
    index, node_id, seq, descriptor_hash, listed_at, entry_hash = row
    return LogEntry(
        index=index,
        node_id=node_id,
        seq=seq,
        descriptor_hash=descriptor_hash,
        listed_at=listed_at,
        hash=entry_hash,
    )


def _log_tip(rows: list[Any]) -> LogTip:
    """The rows of _SELECT_LOG_TIP."""
    return LogTip(*rows[0]) if rows else EMPTY_LOG


def _queue(active: int | None, waiting: int, max_active: int) -> QueueView | None:
    if active is None:
        return None
    return QueueView(active=active, waiting=waiting, max_active=max_active)


def _decode(signed: bytes) -> NodeDescriptor:
    """The descriptor inside bytes that were verified before they were stored."""
    payload = msgspec.json.decode(signed, type=SignedDescriptor).payload
    return msgspec.json.decode(b64url_decode(payload), type=NodeDescriptor)


def _health_row(record: NodeRecord) -> tuple[str | int | None, ...]:
    """The values of _UPDATE_HEALTH."""
    health, queue = record.health, record.health.queue
    return (
        health.status,
        None if queue is None else queue.active,
        None if queue is None else queue.waiting,
        None if queue is None else queue.max_active,
        health.checked_at,
        health.last_seen_at,
        health.misses,
        record.node_id,
    )
