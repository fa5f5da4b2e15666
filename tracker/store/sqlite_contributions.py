"""Receipts, ledger, live hours and timings in SQLite."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import aiosqlite

from luckrig.protocol.ledger_chain import GENESIS
from luckrig.tracker.domain.ledger import Entry, canonical, entry_hash
from luckrig.tracker.domain.receipts import ReceiptRecord, TimingRecord
from luckrig.tracker.store.database import Database
from luckrig.tracker.store.interface import LIVE_DAYS_KEPT, LedgerRow, LiveHours, Receipts

_RECEIPT_COLUMNS: Final = """
    node_id, request_id, jti, user_id, receipt, countersignature, state, received_at, settled
"""
_PUT_RECEIPT: Final = f"""
    INSERT OR REPLACE INTO receipts ({_RECEIPT_COLUMNS})
    VALUES (:node_id, :request_id, :jti, :user_id, :signed, :countersignature, :state,
            :received_at, :settled)
"""  # noqa: S608 -- the columns are the constant above
_SELECT_RECEIPT: Final = f"""
    SELECT {_RECEIPT_COLUMNS} FROM receipts WHERE node_id = ? AND request_id = ?
"""  # noqa: S608
_SELECT_UNSETTLED: Final = f"""
    SELECT {_RECEIPT_COLUMNS} FROM receipts WHERE settled = 0 AND received_at < ?
    ORDER BY received_at, node_id, request_id LIMIT ?
"""  # noqa: S608
_COUNT_OF_NODE: Final = """
    SELECT count(*), count(*) FILTER (WHERE state = 'disputed')
    FROM receipts WHERE node_id = ? AND received_at >= ?
"""
_PUT_TIMING: Final = """
    INSERT OR REPLACE INTO timings
    VALUES (:node_id, :request_id, :account, :model, :prompt_tokens, :completion_tokens, :ttft_ms,
            :tokens_per_second, :shared_at)
"""
_SELECT_TIMINGS: Final = """
    SELECT node_id, request_id, account, model, prompt_tokens, completion_tokens, ttft_ms,
           tokens_per_second, shared_at
    FROM timings WHERE shared_at >= :since
"""
_SELECT_TIMINGS_OF: Final = f"{_SELECT_TIMINGS} AND node_id = :node_id"  # by the primary key
_PRUNE_RECEIPTS: Final = """
    DELETE FROM receipts
    WHERE settled = 1 AND received_at < :before
      AND user_id NOT IN (SELECT value FROM json_each(:held))
      AND node_id NOT IN (SELECT value FROM json_each(:held))
"""
_PRUNE_TIMINGS: Final = """
    DELETE FROM timings
    WHERE shared_at < :before
      AND account NOT IN (SELECT value FROM json_each(:held))
      AND node_id NOT IN (SELECT value FROM json_each(:held))
"""
_SELECT_LEDGER_TIP: Final = "SELECT position, hash FROM ledger ORDER BY position DESC LIMIT 1"
_SELECT_LIVE: Final = """
    SELECT node_id, count(*), sum(scarcity_milli) / count(*) FROM live_hours
    WHERE hour >= ? AND hour < ? GROUP BY node_id ORDER BY node_id
"""
_SELECT_LIVE_DAYS: Final = """
    SELECT day, max(hours) FROM (
        SELECT day, hours FROM live_days WHERE node_id = :node_id AND day >= :since
        UNION ALL
        SELECT hour / 24, count(*) FROM live_hours
        WHERE node_id = :node_id AND hour >= :since * 24 GROUP BY hour / 24
    ) GROUP BY day ORDER BY day
"""
# A clock that goes back can close a day twice; its hours aren't added up then.
_KEEP_LIVE_DAYS: Final = """
    INSERT INTO live_days
    SELECT node_id, hour / 24, count(*) FROM live_hours WHERE hour < ? GROUP BY node_id, hour / 24
    ON CONFLICT DO UPDATE SET hours = max(hours, excluded.hours)
"""


class SqliteContributions:
    """A ContributionStore in the tracker's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def receipt(self, node_id: str, request_id: str) -> ReceiptRecord | None:
        rows = await self._database.read(_SELECT_RECEIPT, (node_id, request_id))
        return _receipt(rows[0]) if rows else None

    async def receipts_of_token(self, jti: str) -> int:
        ((count,),) = await self._database.read(
            "SELECT count(*) FROM receipts WHERE jti = ?", (jti,)
        )
        return int(count)

    async def receipts_of_node(self, node_id: str, *, since: int) -> Receipts:
        rows = await self._database.read(_COUNT_OF_NODE, (node_id, since))
        return Receipts(*rows[0])

    async def put_receipts(
        self,
        receipts: Sequence[ReceiptRecord],
        timings: Sequence[TimingRecord],
        entries: Sequence[Entry],
    ) -> None:
        receipt_rows = [asdict(receipt) for receipt in receipts]
        timing_rows = [asdict(timing) for timing in timings]

        async def write() -> None:
            async with self._database.transaction() as connection:
                await connection.executemany(_PUT_RECEIPT, receipt_rows)
                await connection.executemany(_PUT_TIMING, timing_rows)
                await append_entries(connection, entries)

        await self._database.write(write)

    async def unsettled(self, *, before: int, limit: int) -> list[ReceiptRecord]:
        rows = await self._database.read(_SELECT_UNSETTLED, (before, limit))
        return [_receipt(row) for row in rows]

    async def ledger(self, *, after: int, limit: int) -> list[LedgerRow]:
        rows = await self._database.read(
            "SELECT position, entry, hash FROM ledger WHERE position > ? ORDER BY position LIMIT ?",
            (after, limit),
        )
        return [LedgerRow(*row) for row in rows]

    async def ledger_tip(self) -> tuple[int, bytes]:
        return _tip(await self._database.read(_SELECT_LEDGER_TIP, ()))

    async def add_live(self, *, hour: int, scarcities: Mapping[str, int]) -> None:
        rows = [(node_id, hour, milli) for node_id, milli in scarcities.items()]

        async def write() -> None:
            async with self._database.transaction() as connection:
                await connection.executemany(
                    "INSERT OR IGNORE INTO live_hours VALUES (?,?,?)", rows
                )

        await self._database.write(write)

    async def live_hours(self, *, day: int) -> list[LiveHours]:
        rows = await self._database.read(_SELECT_LIVE, (day * 24, day * 24 + 24))
        return [LiveHours(*row) for row in rows]

    async def live_days(self, node_id: str, *, since: int) -> dict[int, int]:
        values: dict[str, object] = {"node_id": node_id, "since": since}
        return dict(await self._database.read(_SELECT_LIVE_DAYS, values))

    async def first_live_day(self) -> int | None:
        ((hour,),) = await self._database.read("SELECT min(hour) FROM live_hours", ())
        return None if hour is None else int(hour) // 24

    async def close_day(self, *, day: int, entries: Sequence[Entry]) -> None:
        async def write() -> None:
            async with self._database.transaction() as connection:
                await append_entries(connection, entries)
                await connection.execute(_KEEP_LIVE_DAYS, (day * 24 + 24,))
                await connection.execute("DELETE FROM live_hours WHERE hour < ?", (day * 24 + 24,))
                await connection.execute(
                    "DELETE FROM live_days WHERE day <= ?", (day - LIVE_DAYS_KEPT,)
                )

        await self._database.write(write)

    async def prune(self, *, before: int, held: Collection[str] = ()) -> int:
        values = {"before": before, "held": json.dumps(sorted(held))}

        async def write() -> int:
            async with self._database.transaction() as connection:
                receipts = await connection.execute(_PRUNE_RECEIPTS, values)
                timings = await connection.execute(_PRUNE_TIMINGS, values)
                return receipts.rowcount + timings.rowcount

        return await self._database.write(write)

    async def timings(self, *, node_id: str | None, since: int) -> list[TimingRecord]:
        sql = _SELECT_TIMINGS if node_id is None else _SELECT_TIMINGS_OF
        rows = await self._database.read(sql, {"node_id": node_id, "since": since})
        return [_timing(row) for row in rows]


async def append_entries(connection: aiosqlite.Connection, entries: Sequence[Entry]) -> None:
    """Append to the ledger inside a transaction."""
    if not entries:
        return
    size, last_hash = _tip(list(await connection.execute_fetchall(_SELECT_LEDGER_TIP)))
    rows: list[LedgerRow] = []
    for position, entry in enumerate(entries, start=size):
        last_hash = entry_hash(last_hash, entry)
        rows.append(LedgerRow(position, canonical(entry), last_hash))
    await connection.executemany("INSERT INTO ledger VALUES (?, ?, ?)", rows)


def _tip(rows: list[Any]) -> tuple[int, bytes]:
    """The rows of _SELECT_LEDGER_TIP."""
    return (rows[0][0] + 1, rows[0][1]) if rows else (0, GENESIS)


def _receipt(row: tuple[Any, ...]) -> ReceiptRecord:
    """A row of _RECEIPT_COLUMNS."""
    node_id, request_id, jti, user_id, signed, countersignature, state, received_at, settled = row
    return ReceiptRecord(
        node_id=node_id,
        request_id=request_id,
        jti=jti,
        user_id=user_id,
        signed=signed,
        countersignature=countersignature,
        state=state,
        received_at=received_at,
        settled=bool(settled),
    )


def _timing(row: tuple[Any, ...]) -> TimingRecord:
    """A row of _SELECT_TIMINGS."""
    node_id, request_id, account, model, prompt, completion, ttft_ms, tps, shared_at = row
    return TimingRecord(
        node_id=node_id,
        request_id=request_id,
        account=account,
        model=model,
        prompt_tokens=prompt,
        completion_tokens=completion,
        ttft_ms=ttft_ms,
        tokens_per_second=tps,
        shared_at=shared_at,
    )
