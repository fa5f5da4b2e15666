"""Users, hand-overs, invites and quotas in SQLite; users and live quotas are held in memory too."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import asdict
from typing import Final

import aiosqlite

from luckrig.tracker.domain.quotas import Use
from luckrig.tracker.domain.records import (
    HandoverRecord,
    InviteRecord,
    UserRecord,
    invite_refused,
)
from luckrig.tracker.store.counters import UPSERT_QUOTA, Counters, quota_rows
from luckrig.tracker.store.database import Database
from luckrig.tracker.store.directory import Directory

_INSERT_USER: Final = """
    INSERT INTO users (user_id, account, registered_at, contributor_since)
    VALUES (:user_id, :account, :registered_at, :contributor_since)
"""
_INSERT_HANDOVER: Final = """
    INSERT INTO handovers (old_user_id, new_user_id, signed, received_at)
    VALUES (:old_user_id, :new_user_id, :signed, :received_at)
"""
_INSERT_INVITE: Final = """
    INSERT INTO invites (code_hash, made_by, made_at, expires_at, uses_left)
    VALUES (:code_hash, :made_by, :made_at, :expires_at, :uses_left)
"""
_USE_INVITE: Final = """
    UPDATE invites SET uses_left = uses_left - 1
    WHERE code_hash = ? AND uses_left > 0 AND expires_at > ?
"""
_FORGET_INVITES: Final = "DELETE FROM invites WHERE uses_left <= 0 OR expires_at <= ?"


async def open_users(database: Database) -> "tuple[SqliteUsers, Counters]":
    """The shelf, and the counters it shares with tokens. Raises StoreError."""
    users = await database.read(
        "SELECT user_id, account, registered_at, contributor_since FROM users", ()
    )
    handovers = await database.read(
        "SELECT old_user_id, new_user_id, signed, received_at FROM handovers", ()
    )
    quotas = await database.read("SELECT name, used, ends_at FROM quotas", ())
    directory = Directory(
        (
            UserRecord(user_id=user_id, account=account, registered_at=at, contributor_since=since)
            for user_id, account, at, since in users
        ),
        (
            HandoverRecord(old_user_id=old, new_user_id=new, signed=signed, received_at=at)
            for old, new, signed, at in handovers
        ),
    )
    counters = Counters((name, used, ends_at) for name, used, ends_at in quotas)
    return SqliteUsers(database, directory, counters), counters


class SqliteUsers:
    """A UserStore in the tracker's database. Made by open_users."""

    def __init__(self, database: Database, directory: Directory, counters: Counters) -> None:
        self._database = database
        self.directory = directory
        self._counters = counters

    async def user(self, user_id: str) -> UserRecord | None:
        return self.directory.users.get(user_id)

    async def register(
        self, user: UserRecord, *, invite_hash: str | None, uses: Sequence[Use], now: float
    ) -> UserRecord:
        async def insert(connection: aiosqlite.Connection) -> None:
            if invite_hash is not None:
                cursor = await connection.execute(_USE_INVITE, (invite_hash, int(now)))
                if cursor.rowcount != 1:
                    raise invite_refused()
            await connection.execute(_INSERT_USER, asdict(user))

        async def write() -> UserRecord:
            found = self.directory.registered(user.user_id)
            if found is not None:
                return found
            await self._counted(uses, now, insert)
            self.directory.put(user)
            return user

        return await self._database.write(write)

    async def promote(self, accounts: Collection[str], *, now: int) -> int:
        async def write() -> int:
            promoted = self.directory.promotable(accounts, now=now)
            if promoted:
                async with self._database.transaction() as connection:
                    await connection.executemany(
                        "UPDATE users SET contributor_since = ? WHERE user_id = ?",
                        [(now, user.user_id) for user in promoted],
                    )
            for user in promoted:
                self.directory.put(user)
            return len(promoted)

        return await self._database.write(write)

    async def hand_over(
        self, handover: HandoverRecord, *, uses: Sequence[Use], now: float
    ) -> HandoverRecord:
        async def move(connection: aiosqlite.Connection) -> None:
            await connection.execute(_INSERT_HANDOVER, asdict(handover))
            await connection.execute(
                "UPDATE users SET user_id = ? WHERE user_id = ?",
                (handover.new_user_id, handover.old_user_id),
            )

        async def write() -> HandoverRecord:
            stored = self.directory.stored(handover)
            if stored is not None:
                return stored
            await self._counted(uses, now, move)
            self.directory.move(handover)
            return handover

        return await self._database.write(write)

    async def handover(self, old_user_id: str) -> HandoverRecord | None:
        return self.directory.handovers.get(old_user_id)

    async def first_id(self, user_id: str) -> str:
        return self.directory.first_id(user_id)

    async def latest_id(self, user_id: str) -> str:
        return self.directory.latest_id(user_id)

    async def all_ids(self, user_id: str) -> list[str]:
        return self.directory.all_ids(user_id)

    async def put_invite(self, invite: InviteRecord) -> None:
        async def write() -> None:
            async with self._database.transaction() as connection:
                await connection.execute(_INSERT_INVITE, asdict(invite))

        await self._database.write(write)

    async def prune(self, *, now: int) -> int:
        async def write() -> int:
            async with self._database.transaction() as connection:
                await connection.execute("DELETE FROM quotas WHERE ends_at <= ?", (now,))
                await connection.execute(_FORGET_INVITES, (now,))
            return self._counters.prune(now=now)

        return await self._database.write(write)

    async def _counted(
        self,
        uses: Sequence[Use],
        now: float,
        work: Callable[[aiosqlite.Connection], Awaitable[None]],
    ) -> None:
        """One transaction with the uses and what they are for."""
        self._counters.take(uses, now=now)
        try:
            async with self._database.transaction() as connection:
                await connection.executemany(UPSERT_QUOTA, quota_rows(uses))
                await work(connection)
        except BaseException:
            self._counters.give_back(uses)
            raise
