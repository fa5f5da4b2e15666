"""Decisions and appeals in SQLite; what is in force is held in memory too."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Final

import aiosqlite

from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.domain.cases import AppealRecord, CaseRecord, DecisionRecord
from luckrig.tracker.store.case_rows import PUT_CASE, appeal_of, columns, decision_of, placeholders
from luckrig.tracker.store.database import Database
from luckrig.tracker.store.in_force import InForce
from luckrig.tracker.store.sqlite_audit import append_audit
from luckrig.tracker.store.sqlite_reports import SELECT_CASE, one_case

# ruff: noqa: S608 -- what stands in the queries are the columns' names
_DECISION: Final = f"SELECT {columns(DecisionRecord)} FROM decisions"
_APPEAL: Final = f"SELECT {columns(AppealRecord)} FROM appeals"
SELECT_STANDING: Final = f"{_DECISION} WHERE undone_at IS NULL AND action != 'dismiss'"

_INSERT_DECISION: Final = f"""
    INSERT INTO decisions ({columns(DecisionRecord)}) VALUES ({placeholders(DecisionRecord)})
"""
_UNDO: Final = """
    UPDATE decisions
    SET undone_at = :undone_at, undone_by = :undone_by, undone_reason = :undone_reason
    WHERE decision_id = :decision_id AND undone_at IS NULL
"""
_CLOSE_CASE: Final = (
    "UPDATE cases SET closed_at = :decided_at WHERE case_id = :case_id AND closed_at IS NULL"
)
_AUTOMATED: Final = f"""
    {_DECISION} WHERE case_id = ? AND automated = 1 AND undone_at IS NULL
"""
_INSERT_APPEAL: Final = f"""
    INSERT INTO appeals ({columns(AppealRecord)}) VALUES ({placeholders(AppealRecord)})
    ON CONFLICT (decision_id, by, appellant) DO NOTHING
"""
_UNANSWERED: Final = """
    SELECT decisions.case_id, count(*) FROM appeals JOIN decisions USING (decision_id)
    WHERE appeals.answered_at IS NULL
      AND decisions.case_id IN (SELECT value FROM json_each(?))
    GROUP BY decisions.case_id
"""
_ANSWER: Final = """
    UPDATE appeals
    SET upheld = :upheld, answered_by = :answered_by, answered_at = :answered_at,
        answer = :answer, same_reviewer = :same_reviewer
    WHERE appeal_id = :appeal_id AND answered_at IS NULL
"""


class SqliteDecisions:
    """That part of a CaseStore which is decisions and appeals."""

    def __init__(self, database: Database, in_force: InForce) -> None:
        self._database = database
        self._in_force = in_force

    async def put_decision(
        self,
        decision: DecisionRecord,
        *,
        opening: CaseRecord | None = None,
        events: Sequence[AuditEntry],
    ) -> bool:
        async def write() -> bool:
            async with self._database.transaction() as connection:
                if decision.automated:
                    held = self._in_force.at(decision.decided_at).get(decision.target_id)
                    case = await one_case(connection, SELECT_CASE, (decision.case_id,))
                    if decision.yields_to(held, case):
                        return False
                if opening is not None:
                    await connection.execute(PUT_CASE, asdict(opening))
                ended = [] if decision.automated else await _close_case(connection, decision)
                await connection.execute(_INSERT_DECISION, asdict(decision))
                await append_audit(connection, events)
            for each in (*ended, decision):
                self._in_force.put(each)
            return True

        return await self._database.write(write)

    async def undo_decision(self, undone: DecisionRecord, *, events: Sequence[AuditEntry]) -> bool:
        async def write() -> bool:
            async with self._database.transaction() as connection:
                if not await _undo(connection, undone):
                    return False
                await append_audit(connection, events)
            self._in_force.put(undone)
            return True

        return await self._database.write(write)

    async def decision(self, decision_id: str) -> DecisionRecord | None:
        found = await self._decisions(f"{_DECISION} WHERE decision_id = ?", (decision_id,))
        return found[0] if found else None

    async def decisions_of(self, case_id: str) -> list[DecisionRecord]:
        sql = f"{_DECISION} WHERE case_id = ? ORDER BY decided_at, decision_id"
        return await self._decisions(sql, (case_id,))

    async def decisions_about(self, target_ids: Collection[str]) -> list[DecisionRecord]:
        sql = f"""
            {_DECISION} WHERE target_id IN (SELECT value FROM json_each(?))
            ORDER BY decided_at DESC, decision_id DESC
        """
        return await self._decisions(sql, (json.dumps(sorted(target_ids)),))

    async def decisions_between(self, since: int, until: int) -> list[DecisionRecord]:
        sql = f"""
            {_DECISION} WHERE decided_at >= ? AND decided_at < ? ORDER BY decided_at, decision_id
        """
        return await self._decisions(sql, (since, until))

    async def holding(self, *, now: float) -> Mapping[str, DecisionRecord]:
        return self._in_force.at(now)

    async def put_appeal(self, appeal: AppealRecord, *, events: Sequence[AuditEntry]) -> bool:
        async def write() -> bool:
            async with self._database.transaction() as connection:
                cursor = await connection.execute(_INSERT_APPEAL, asdict(appeal))
                if cursor.rowcount == 0:
                    return False
                await append_audit(connection, events)
                return True

        return await self._database.write(write)

    async def appeal(self, appeal_id: str) -> AppealRecord | None:
        found = await self._appeals(f"{_APPEAL} WHERE appeal_id = ?", (appeal_id,))
        return found[0] if found else None

    async def appeals_of(self, decision_ids: Collection[str]) -> list[AppealRecord]:
        sql = f"""
            {_APPEAL} WHERE decision_id IN (SELECT value FROM json_each(?))
            ORDER BY received_at, appeal_id
        """
        return await self._appeals(sql, (json.dumps(sorted(decision_ids)),))

    async def appeals_between(self, since: int, until: int) -> list[AppealRecord]:
        sql = f"""
            {_APPEAL} WHERE received_at >= ? AND received_at < ? ORDER BY received_at, appeal_id
        """
        return await self._appeals(sql, (since, until))

    async def unanswered(self, case_ids: Collection[str]) -> Mapping[str, int]:
        return dict(await self._database.read(_UNANSWERED, (json.dumps(sorted(case_ids)),)))

    async def answer_appeal(
        self,
        answered: AppealRecord,
        *,
        undone: DecisionRecord | None,
        events: Sequence[AuditEntry],
    ) -> bool:
        async def write() -> bool:
            is_undone = False
            async with self._database.transaction() as connection:
                cursor = await connection.execute(_ANSWER, asdict(answered))
                if cursor.rowcount == 0:
                    return False
                if undone is not None:
                    is_undone = await _undo(connection, undone)
                await append_audit(connection, events)
            if undone is not None and is_undone:
                self._in_force.put(undone)
            return True

        return await self._database.write(write)

    async def _decisions(self, sql: str, values: tuple[object, ...]) -> list[DecisionRecord]:
        return [decision_of(row) for row in await self._database.read(sql, values)]

    async def _appeals(self, sql: str, values: tuple[object, ...]) -> list[AppealRecord]:
        return [appeal_of(row) for row in await self._database.read(sql, values)]


async def _close_case(
    connection: aiosqlite.Connection, decision: DecisionRecord
) -> list[DecisionRecord]:
    """Close a decision's case; return what was automated in it, now undone."""
    if decision.case_id is None:
        return []
    await connection.execute(_CLOSE_CASE, asdict(decision))
    rows = await connection.execute_fetchall(_AUTOMATED, (decision.case_id,))
    ended = [decision_of(tuple(row)).ended_by(decision) for row in rows]
    for each in ended:
        await _undo(connection, each)
    return ended


async def _undo(connection: aiosqlite.Connection, undone: DecisionRecord) -> bool:
    cursor = await connection.execute(_UNDO, asdict(undone))
    return cursor.rowcount > 0
