"""Reports, the cases they join, and legal holds in SQLite."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Final

import aiosqlite

from luckrig.protocol.reports import SubjectKind
from luckrig.tracker.domain.audit_log import AuditEntry, about_case
from luckrig.tracker.domain.cases import (
    CaseRecord,
    HoldRecord,
    ReportRecord,
    anonymised_report,
    join_case,
    open_case,
)
from luckrig.tracker.domain.quotas import Use
from luckrig.tracker.store.case_rows import (
    PUT_CASE,
    case_of,
    columns,
    hold_row,
    placeholders,
    report_of,
)
from luckrig.tracker.store.case_stores import CaseCounts
from luckrig.tracker.store.counters import UPSERT_QUOTA, Counters, quota_rows
from luckrig.tracker.store.database import Database
from luckrig.tracker.store.sqlite_audit import append_audit

# ruff: noqa: S608 -- what stands in the queries are the columns' names
_CASE: Final = f"SELECT {columns(CaseRecord)} FROM cases"
SELECT_CASE: Final = f"{_CASE} WHERE case_id = ?"
_REPORT: Final = f"SELECT {columns(ReportRecord)} FROM reports"
SELECT_HOLDS: Final = f"SELECT {columns(HoldRecord)} FROM holds"

_INSERT_REPORT: Final = f"""
    INSERT INTO reports ({columns(ReportRecord)}) VALUES ({placeholders(ReportRecord)})
"""
_PUT_HOLD: Final = f"""
    INSERT OR REPLACE INTO holds ({columns(HoldRecord)}) VALUES ({placeholders(HoldRecord)})
"""
_CASE_OF_REPORT: Final = f"""
    {_CASE} WHERE case_id = (SELECT case_id FROM reports WHERE report_id = ?)
"""
_OPEN_ABOUT: Final = f"{_CASE} WHERE subject_kind = ? AND subject_id = ? AND closed_at IS NULL"
_AFTER: Final = """
    (:due_at IS NULL OR severity < :severity
     OR (severity = :severity AND (due_at, case_id) > (:due_at, :case_id)))
"""
_OPEN: Final = f"""
    {_CASE} WHERE closed_at IS NULL AND {_AFTER}
    ORDER BY severity DESC, due_at, case_id LIMIT :limit
"""
_APPEALED_CASES: Final = """
    SELECT decisions.case_id FROM appeals JOIN decisions USING (decision_id)
    WHERE appeals.answered_at IS NULL AND decisions.case_id IS NOT NULL
"""
_APPEALED: Final = f"""
    {_CASE} WHERE case_id IN ({_APPEALED_CASES}) AND {_AFTER}
    ORDER BY severity DESC, due_at, case_id LIMIT :limit
"""
_COUNTS: Final = f"""
    SELECT (SELECT count(*) FROM cases WHERE closed_at IS NULL),
           (SELECT count(DISTINCT case_id) FROM ({_APPEALED_CASES}))
"""


class SqliteReports:
    """That part of a CaseStore which is reports, cases and holds."""

    def __init__(
        self, database: Database, counters: Counters, holds: dict[str, HoldRecord]
    ) -> None:
        self._database = database
        self._counters = counters
        self._holds = holds

    async def add_report(
        self, report: ReportRecord, *, uses: Sequence[Use], now: float, events: Sequence[AuditEntry]
    ) -> CaseRecord:
        async def write() -> CaseRecord:
            async with self._database.transaction() as connection:
                known = await one_case(connection, _CASE_OF_REPORT, (report.report_id,))
            if known is not None:
                return known
            self._counters.take(uses, now=now)
            try:
                async with self._database.transaction() as connection:
                    await connection.executemany(UPSERT_QUOTA, quota_rows(uses))
                    return await _insert(connection, report, events)
            except BaseException:
                self._counters.give_back(uses)
                raise

        return await self._database.write(write)

    async def report(self, ticket_hash: str) -> ReportRecord | None:
        rows = await self._database.read(f"{_REPORT} WHERE ticket_hash = ?", (ticket_hash,))
        return report_of(rows[0]) if rows else None

    async def reports_of(self, case_id: str, *, limit: int) -> list[ReportRecord]:
        sql = f"{_REPORT} WHERE case_id = ? ORDER BY received_at DESC, report_id LIMIT ?"
        return [report_of(row) for row in await self._database.read(sql, (case_id, limit))]

    async def reports_between(self, since: int, until: int) -> list[ReportRecord]:
        sql = f"""
            {_REPORT} WHERE received_at >= ? AND received_at < ? ORDER BY received_at, report_id
        """
        rows = await self._database.read(sql, (since, until))
        return [anonymised_report(report_of(row)) for row in rows]

    async def case(self, case_id: str) -> CaseRecord | None:
        rows = await self._database.read(SELECT_CASE, (case_id,))
        return case_of(rows[0]) if rows else None

    async def open_cases(
        self, *, after: CaseRecord | None, limit: int, appealed: bool = False
    ) -> list[CaseRecord]:
        values: dict[str, object] = {
            "severity": None if after is None else after.severity,
            "due_at": None if after is None else after.due_at,
            "case_id": None if after is None else after.case_id,
            "limit": limit,
        }
        rows = await self._database.read(_APPEALED if appealed else _OPEN, values)
        return [case_of(row) for row in rows]

    async def cases_about(
        self, kind: SubjectKind, subject_id: str, *, limit: int
    ) -> list[CaseRecord]:
        sql = f"""
            {_CASE} WHERE subject_id = ? AND subject_kind = ?
            ORDER BY opened_at DESC, case_id DESC LIMIT ?
        """
        rows = await self._database.read(sql, (subject_id, kind, limit))
        return [case_of(row) for row in rows]

    async def case_counts(self) -> CaseCounts:
        (row,) = await self._database.read(_COUNTS, ())
        return CaseCounts(*row)

    async def put_hold(self, hold: HoldRecord, *, events: Sequence[AuditEntry]) -> None:
        async def write() -> None:
            async with self._database.transaction() as connection:
                await connection.execute(_PUT_HOLD, hold_row(hold))
                await append_audit(connection, events)
            self._holds[hold.case_id] = hold

        await self._database.write(write)

    async def release_hold(self, case_id: str, *, events: Sequence[AuditEntry]) -> bool:
        async def write() -> bool:
            if case_id not in self._holds:
                return False
            async with self._database.transaction() as connection:
                await connection.execute("DELETE FROM holds WHERE case_id = ?", (case_id,))
                await append_audit(connection, events)
            del self._holds[case_id]
            return True

        return await self._database.write(write)

    def _forget_holds(self, now: float) -> None:
        """Those that have ended; after they are off the disk."""
        for case_id in [each.case_id for each in self._holds.values() if each.until <= now]:
            del self._holds[case_id]

    async def holds(self, *, now: float) -> list[HoldRecord]:
        return [hold for hold in self._holds.values() if now < hold.until]


async def _insert(
    connection: aiosqlite.Connection, report: ReportRecord, events: Sequence[AuditEntry]
) -> CaseRecord:
    """Store a report that is new, and its case."""
    about = (report.subject_kind, report.subject_id)
    case = await one_case(connection, _OPEN_ABOUT, about)
    case = open_case(report.case_id, report) if case is None else join_case(case, report)
    await connection.execute(PUT_CASE, asdict(case))
    await connection.execute(_INSERT_REPORT, asdict(replace(report, case_id=case.case_id)))
    await append_audit(connection, about_case(events, report.case_id, case.case_id))
    return case


async def one_case(
    connection: aiosqlite.Connection, sql: str, values: tuple[object, ...]
) -> CaseRecord | None:
    """The case that a query finds, inside a transaction."""
    rows = list(await connection.execute_fetchall(sql, values))
    return case_of(tuple(rows[0])) if rows else None
