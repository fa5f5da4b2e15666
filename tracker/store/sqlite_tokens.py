"""Writes tokens into SQLite, those that come at the same time in one transaction.

A commit waits for the disk, 2 to 3 ms: one for each token would mean 400 tokens a second at best.
So while one commit runs, the tokens that come meanwhile wait together for the next.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from luckrig.tracker.domain.quotas import Use
from luckrig.tracker.domain.records import TokenRecord
from luckrig.tracker.store.counters import UPSERT_QUOTA, Counters, quota_rows
from luckrig.tracker.store.database import Database
from luckrig.tracker.store.interface import StoreError

_INSERT_TOKEN: Final = """
    INSERT INTO tokens (jti, user_id, node_id, sub, issued_at, expires_at, requests, note_id)
    VALUES (:jti, :user_id, :node_id, :sub, :issued_at, :expires_at, :requests, :note_id)
"""

_Item = tuple[TokenRecord, Sequence[Use]]


@dataclass(slots=True)
class _Batch:
    """Tokens of one transaction. refused: the places of those whose jti was used before."""

    items: list[_Item] = field(default_factory=list[_Item])
    refused: set[int] = field(default_factory=set[int])


class TokenWriter:
    """The one way by which tokens get into the database."""

    def __init__(self, database: Database, counters: Counters) -> None:
        self._database = database
        self._counters = counters
        self._open: tuple[_Batch, asyncio.Task[None]] | None = None

    async def add(self, token: TokenRecord, uses: Sequence[Use], *, now: float) -> None:
        """When this returns, the token and its uses are on the disk.

        Raises StoreError, PeerError rate_limited.
        """
        self._counters.take(uses, now=now)
        if self._open is None:
            batch = _Batch()
            self._open = batch, self._database.begin(lambda: self._write(batch))
        batch, task = self._open
        place = len(batch.items)
        batch.items.append((token, uses))
        await asyncio.shield(task)
        if place in batch.refused:
            raise StoreError("A token with this jti is stored already.")

    async def _write(self, batch: _Batch) -> None:
        self._open = None  # nothing waits between here and the insert: the batch is complete
        try:
            await self._insert(batch.items)
        except sqlite3.IntegrityError:
            await self._write_singly(batch)
        except BaseException:
            self._give_back(batch.items)
            raise

    async def _write_singly(self, batch: _Batch) -> None:
        """One token's fault mustn't be the others'."""
        for place, item in enumerate(batch.items):
            try:
                await self._insert([item])
            except sqlite3.IntegrityError:
                batch.refused.add(place)
                self._give_back([item])
            except BaseException:
                self._give_back(batch.items[place:])
                raise

    async def _insert(self, items: Sequence[_Item]) -> None:
        rows = [asdict(token) for token, _ in items]
        quotas = quota_rows(use for _, uses in items for use in uses)
        async with self._database.transaction() as connection:
            await connection.executemany(_INSERT_TOKEN, rows)
            await connection.executemany(UPSERT_QUOTA, quotas)

    def _give_back(self, items: Iterable[_Item]) -> None:
        for _, uses in items:
            self._counters.give_back(uses)
