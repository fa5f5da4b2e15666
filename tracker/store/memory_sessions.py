"""Who is signed in, in memory: the twin of sqlite_sessions.py."""

from collections.abc import Collection

from luckrig.tracker.domain.cases import SessionRecord
from luckrig.tracker.store.shelves import Records, Shelf


class MemorySessions:
    """A SessionStore that lives as long as its process."""

    def __init__(self) -> None:
        self._sessions: dict[str, SessionRecord] = {}

    async def put_session(self, session: SessionRecord) -> None:
        self._sessions[session.token_hash] = session

    async def session(self, token_hash: str) -> SessionRecord | None:
        return self._sessions.get(token_hash)

    async def end_session(self, token_hash: str) -> None:
        self._sessions.pop(token_hash, None)

    async def end_sessions(self, user_ids: Collection[str]) -> int:
        left = {key: each for key, each in self._sessions.items() if each.user_id not in user_ids}
        ended = len(self._sessions) - len(left)
        self._sessions = left
        return ended

    async def prune_sessions(self, *, now: int) -> int:
        live = {key: each for key, each in self._sessions.items() if each.expires_at > now}
        pruned = len(self._sessions) - len(live)
        self._sessions = live
        return pruned

    def shelves(self) -> dict[str, Shelf]:
        """Its table, for export and deletion."""
        return {"sessions": Records(lambda: self._sessions)}
