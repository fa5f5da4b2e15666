"""The operators' audit log in SQLite."""

from collections.abc import Sequence
from typing import Any, Final

import aiosqlite

from luckrig.protocol.ledger_chain import GENESIS
from luckrig.tracker.domain.audit_log import AuditEntry
from luckrig.tracker.store.audit_chain import next_rows
from luckrig.tracker.store.case_stores import AuditRow
from luckrig.tracker.store.database import Database

_SELECT_TIP: Final = "SELECT position, hash FROM audit ORDER BY position DESC LIMIT 1"
_SELECT_LINES: Final = (
    "SELECT position, entry, hash FROM audit WHERE position > ? ORDER BY position LIMIT ?"
)


async def append_audit(connection: aiosqlite.Connection, events: Sequence[AuditEntry]) -> None:
    """Append to the audit log inside a transaction."""
    if not events:
        return
    size, tip = _tip(list(await connection.execute_fetchall(_SELECT_TIP)))
    rows = next_rows(events, size=size, tip=tip)
    await connection.executemany("INSERT INTO audit VALUES (?, ?, ?)", rows)


class SqliteAudit:
    """That part of a CaseStore which is the audit log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def log(self, events: Sequence[AuditEntry]) -> None:
        async def write() -> None:
            async with self._database.transaction() as connection:
                await append_audit(connection, events)

        await self._database.write(write)

    async def audit(self, *, after: int, limit: int) -> list[AuditRow]:
        return [AuditRow(*row) for row in await self._database.read(_SELECT_LINES, (after, limit))]

    async def audit_tip(self) -> tuple[int, bytes]:
        return _tip(await self._database.read(_SELECT_TIP, ()))


def _tip(rows: list[Any]) -> tuple[int, bytes]:
    """The rows of _SELECT_TIP."""
    return (rows[0][0] + 1, rows[0][1]) if rows else (0, GENESIS)
