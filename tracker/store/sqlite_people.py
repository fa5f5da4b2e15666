"""Export and deletion of a person's rows in SQLite, as domain/stored_data.py says.

A statement finds the rows that name the person, by index; the rules of domain/erasing.py say of
each what becomes of it.
"""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, Final

import aiosqlite

from luckrig.protocol.account import Cell
from luckrig.protocol.ids import ID_CHARS
from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.domain.erasing import (
    Own,
    Row,
    Standing,
    all_held,
    columns_by,
    is_mine,
    shown,
    verdict,
)
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.stored_data import TABLES
from luckrig.tracker.domain.stored_table import Table
from luckrig.tracker.store.case_stores import CaseStore, Person, exported
from luckrig.tracker.store.database import Database
from luckrig.tracker.store.directory import Directory
from luckrig.tracker.store.sqlite_audit import append_audit

# ruff: noqa: S608 -- what stands in the queries are the names of tables and columns
_IN: Final = "IN (SELECT value FROM json_each(?))"
_NOTES: Final = f"SELECT note_id FROM notes WHERE author_id {_IN}"
_NOTES_ABOUT: Final = f"SELECT note_id FROM notes WHERE node_id {_IN}"
_REPLIES: Final = f"""
    SELECT subject_id FROM cases WHERE subject_kind = 'reply'
      AND substr(subject_id, 1, {ID_CHARS}) {_IN}
"""
_REPORTS: Final = f"SELECT report_id FROM reports WHERE reporter_id {_IN}"
_OPEN_CASES: Final = "SELECT case_id FROM cases WHERE closed_at IS NULL"
_LIVE_CASES: Final = f"""
    {_OPEN_CASES}
    UNION
    SELECT case_id FROM decisions
    WHERE case_id IS NOT NULL AND action != 'dismiss' AND undone_at IS NULL
      AND (expires_at IS NULL OR expires_at > ?)
    UNION
    SELECT decisions.case_id FROM appeals JOIN decisions USING (decision_id)
    WHERE appeals.answered_at IS NULL AND decisions.case_id IS NOT NULL
"""
_APPEALED: Final = "SELECT decision_id FROM appeals WHERE answered_at IS NULL"
_DECISIONS_IN: Final = f"SELECT decision_id FROM decisions WHERE case_id {_IN}"

Fetch = Callable[[str, tuple[object, ...]], Awaitable[Iterable[Any]]]


class SqlitePeople:
    """A PeopleStore in the tracker's database. nodes, directory: what is in memory of them."""

    def __init__(
        self,
        database: Database,
        nodes: dict[str, NodeRecord],
        directory: Directory,
        cases: CaseStore,
    ) -> None:
        self._database = database
        self._nodes = nodes
        self._directory = directory
        self._cases = cases

    async def export(self, person: Person) -> dict[str, list[dict[str, Cell]]]:
        own = await _own(self._database.read, person)
        tables: dict[str, list[dict[str, Cell]]] = {}
        for table in TABLES.values():
            rows = await _rows(self._database.read, table, table.mine, own)
            mine = [row for _, row in rows if is_mine(table, row, own)]
            tables[table.name] = [exported(shown(table, row, own)) for row in mine]
        return tables

    async def erase(
        self, person: Person, *, held: Collection[str], events: Sequence[AuditEntry], now: int
    ) -> dict[str, int]:
        async def write() -> dict[str, int]:
            counts: dict[str, int] = {}
            users, handovers, nodes = list[Row](), list[Row](), list[Row]()
            async with self._database.transaction() as connection:
                fetch = _fetch(connection)
                own = await _own(fetch, person)
                # Again, for one may have begun since `held` was put together.
                holds = await self._cases.holds(now=now)
                all_ids = {*held, *(each for hold in holds for each in hold.subjects)}
                standing = await self._standing(fetch, person, all_held(all_ids, own), now)
                for table in TABLES.values():
                    changed = await _erase(connection, table, own, standing)
                    counts[table.name] = len(changed)
                    if table.name == "users":
                        users = changed
                    elif table.name == "handovers":
                        handovers = changed
                    elif table.name == "nodes":
                        nodes = changed
                await append_audit(connection, events)
            for row in nodes:
                self._nodes.pop(str(row["node_id"]), None)
            self._directory.forget(
                users=[str(row["user_id"]) for row in users],
                handovers=[str(row["old_user_id"]) for row in handovers],
                keep_ids=standing.banned,
            )
            return counts

        return await self._database.write(write)

    async def prune(self, *, now: int) -> int:
        async def write() -> int:
            held = await self._cases.holding(now=now)
            old = self._directory.left_over(held)
            async with self._database.transaction() as connection:
                await connection.executemany(
                    "DELETE FROM handovers WHERE old_user_id = ?", [(each,) for each in old]
                )
            self._directory.forget(users=(), handovers=old, keep_ids=False)
            return len(old)

        return await self._database.write(write)

    async def _standing(
        self, fetch: Fetch, person: Person, held: frozenset[str], now: int
    ) -> Standing:
        cases = {hold.case_id for hold in await self._cases.holds(now=now)}
        decisions = await _firsts(fetch, _DECISIONS_IN, _json(cases))
        return Standing(
            now=now,
            held=held | cases | decisions,
            open_cases=await _firsts(fetch, _OPEN_CASES),
            live_cases=await _firsts(fetch, _LIVE_CASES, now),
            appealed=await _firsts(fetch, _APPEALED),
            banned=not person.user_ids.isdisjoint(await self._cases.holding(now=now)),
        )


async def _own(fetch: Fetch, person: Person) -> Own:
    users, nodes = _json(person.user_ids), _json(person.node_ids)
    notes = await _firsts(fetch, _NOTES, users)
    return Own(
        users=person.user_ids,
        nodes=person.node_ids,
        account=person.account,
        notes=notes,
        lost_notes=notes | await _firsts(fetch, _NOTES_ABOUT, nodes),
        replies=await _firsts(fetch, _REPLIES, nodes),
        reports=await _firsts(fetch, _REPORTS, users),
    )


async def _rows(
    fetch: Fetch, table: Table, columns: Sequence[str], own: Own
) -> list[tuple[int, Row]]:
    """(rowid, row) of each row that names the person in one of these columns."""
    if not columns:
        return []
    names = [column.name for column in table.columns]
    wanted = " OR ".join(f"{name} {_IN}" for name in columns)
    sql = f"SELECT rowid, {', '.join(names)} FROM {table.name} WHERE {wanted} ORDER BY rowid"
    ids = tuple(_json(_ids(table, name, own)) for name in columns)
    return [
        (rowid, dict(zip(names, values, strict=True))) for rowid, *values in await fetch(sql, ids)
    ]


def _ids(table: Table, name: str, own: Own) -> frozenset[str]:
    names = table.column(name).names
    return frozenset() if names is None else own.ids(names)


async def _erase(
    connection: aiosqlite.Connection, table: Table, own: Own, standing: Standing
) -> list[Row]:
    """Apply the rules to one table; return the rows that were deleted or changed."""
    deleted: list[tuple[int]] = []
    updates: dict[str, list[tuple[object, ...]]] = defaultdict(list)
    changed: list[Row] = []
    for rowid, row in await _rows(_fetch(connection), table, columns_by(table), own):
        becomes = verdict(table, row, own, standing)
        if becomes is None:
            continue
        changed.append(row)
        if becomes == "delete":
            deleted.append((rowid,))
        else:
            settings = ", ".join(f"{name} = ?" for name in becomes)
            updates[settings].append((*becomes.values(), rowid))
    await connection.executemany(f"DELETE FROM {table.name} WHERE rowid = ?", deleted)
    for settings, values in updates.items():
        sql = f"UPDATE {table.name} SET {settings} WHERE rowid = ?"
        await connection.executemany(sql, values)
    return changed


def _fetch(connection: aiosqlite.Connection) -> Fetch:
    """Reads inside a transaction."""

    async def fetch(sql: str, values: tuple[object, ...]) -> Iterable[Any]:
        return await connection.execute_fetchall(sql, values)

    return fetch


async def _firsts(fetch: Fetch, sql: str, *values: object) -> frozenset[str]:
    return frozenset(row[0] for row in await fetch(sql, values))


def _json(ids: Iterable[str]) -> str:
    return json.dumps(sorted(ids))
