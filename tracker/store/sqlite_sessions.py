"""Who is signed in, in SQLite."""

import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Final

from luckrig.tracker.domain.cases import SessionRecord
from luckrig.tracker.store.case_rows import columns, placeholders, session_of
from luckrig.tracker.store.database import Database

_PUT: Final = f"""
    INSERT OR REPLACE INTO sessions ({columns(SessionRecord)})
    VALUES ({placeholders(SessionRecord)})
"""  # noqa: S608 -- what stands in the query are the columns' names
_SELECT: Final = f"SELECT {columns(SessionRecord)} FROM sessions WHERE token_hash = ?"  # noqa: S608

_END_OF_USERS: Final = """
    DELETE FROM sessions WHERE user_id IN (SELECT value FROM json_each(:users))
"""


class SqliteSessions:
    """A SessionStore in the tracker's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_session(self, session: SessionRecord) -> None:
        await self._change(_PUT, asdict(session))

    async def session(self, token_hash: str) -> SessionRecord | None:
        rows = await self._database.read(_SELECT, (token_hash,))
        return session_of(rows[0]) if rows else None

    async def end_session(self, token_hash: str) -> None:
        await self._change("DELETE FROM sessions WHERE token_hash = :it", {"it": token_hash})

    async def end_sessions(self, user_ids: Collection[str]) -> int:
        return await self._change(_END_OF_USERS, {"users": json.dumps(sorted(user_ids))})

    async def prune_sessions(self, *, now: int) -> int:
        return await self._change("DELETE FROM sessions WHERE expires_at <= :now", {"now": now})

    async def _change(self, sql: str, values: dict[str, object]) -> int:
        async def write() -> int:
            async with self._database.transaction() as connection:
                return (await connection.execute(sql, values)).rowcount

        return await self._database.write(write)
