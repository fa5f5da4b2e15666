"""One SQLite file: who may write when, and what becomes of errors. Knows no tables.

One connection, which aiosqlite runs in a thread of its own. A write is a transaction under one
lock, and a task of its own: cancelling the caller can't stop it between two of its statements, it
goes on to its end and only the caller doesn't learn of it.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import aiosqlite

from luckrig.tracker.store.interface import StoreError
from luckrig.tracker.store.migrations import load_migrations, migrate

BUSY_TIMEOUT_SECONDS: Final = 5
"""How long to wait for another program's lock, such as a backup's."""

Result = TypeVar("Result")


class Database:
    """An open file. Made by open_database."""

    def __init__(self, path: Path, connection: aiosqlite.Connection) -> None:
        self._path = path
        self._connection = connection
        self._lock = asyncio.Lock()
        self._writes: set[asyncio.Task[Any]] = set()

    async def read(self, sql: str, values: tuple[object, ...] | dict[str, object]) -> list[Any]:
        """All rows that a query finds. Raises StoreError."""
        async with self._lock:  # not inside somebody's transaction: it may be rolled back
            with explained(self._path):
                return list(await self._connection.execute_fetchall(sql, values))

    async def write(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Run a write to its end, whatever becomes of the caller. Raises StoreError.

        work: may use transaction(), and change what is kept in memory after it.
        """

        return await asyncio.shield(self.begin(work))

    def begin(self, work: Callable[[], Awaitable[Result]]) -> "asyncio.Task[Result]":
        """The same for several callers: each waits for the task, behind a shield."""

        async def run() -> Result:
            async with self._lock:
                with explained(self._path):
                    return await work()

        task = asyncio.create_task(run())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[aiosqlite.Connection, None]:
        """What happens inside is on the disk afterwards, or never happened. Within write() only."""
        await self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            await self._connection.execute("COMMIT")
        except BaseException:
            await self._connection.rollback()
            raise

    async def aclose(self) -> None:
        """Finish the writes that were begun, and close."""
        await asyncio.gather(*self._writes, return_exceptions=True)
        with explained(self._path):
            await self._connection.close()


async def open_database(path: Path) -> Database:
    """Open the file, after making or upgrading it where needed (see migrations.py).

    A new file is readable by its owner only. Raises StoreError with a text for the operator.
    """
    with explained(path):
        await asyncio.to_thread(_prepare, path)
        connection = await aiosqlite.connect(
            path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None
        )
        try:
            await connection.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut
            await connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            await connection.close()
            raise
    return Database(path, connection)


@contextmanager
def explained(path: Path) -> Generator[None, None, None]:
    """Foreign errors become StoreError here, and nowhere else."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The database {path} failed: {error}") from error


def _prepare(path: Path) -> None:
    """Make or upgrade the file. Blocks."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's other files copy the mode
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # stays with the file
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection, path, load_migrations())
    finally:
        connection.close()
