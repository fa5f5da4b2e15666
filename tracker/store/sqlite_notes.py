"""Tuning notes in SQLite."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Final

from luckrig.tracker.domain.ledger import Entry
from luckrig.tracker.domain.records import NoteRecord, ReproductionRecord
from luckrig.tracker.store.database import Database
from luckrig.tracker.store.sqlite_contributions import append_entries

_INSERT_NOTE: Final = """
    INSERT INTO notes (note_id, version, author_id, node_id, signed, created_at)
    VALUES (:note_id, :version, :author_id, :node_id, :signed, :created_at)
"""
_SELECT_VERSIONS: Final = """
    SELECT note_id, version, author_id, node_id, signed, created_at
    FROM notes WHERE note_id = ? ORDER BY version DESC
"""
_SELECT_NOTES_OF: Final = """
    SELECT note_id, max(version), author_id, node_id, signed, created_at
    FROM notes WHERE node_id = ? GROUP BY note_id
"""  # SQLite takes the other columns from the row that has the maximum
_SELECT_NOTES_BY: Final = """
    SELECT DISTINCT note_id FROM notes
    WHERE author_id IN (SELECT value FROM json_each(?)) ORDER BY note_id
"""
_INSERT_REPRODUCTION: Final = """
    INSERT OR IGNORE INTO reproductions (note_id, user_id, version, signed, created_at)
    VALUES (:note_id, :user_id, :version, :signed, :created_at)
"""
_SELECT_REPRODUCTIONS: Final = """
    SELECT note_id, user_id, version, signed, created_at
    FROM reproductions WHERE note_id IN (SELECT value FROM json_each(?))
"""

_PEOPLE: Final = """
    SELECT DISTINCT notes.node_id, reproductions.user_id
    FROM reproductions JOIN notes USING (note_id)
"""


class SqliteNotes:
    """A NoteStore in the tracker's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put_note(self, note: NoteRecord) -> None:
        async def write() -> None:
            async with self._database.transaction() as connection:
                await connection.execute(_INSERT_NOTE, asdict(note))

        await self._database.write(write)

    async def versions(self, note_id: str) -> list[NoteRecord]:
        return await self._notes(_SELECT_VERSIONS, note_id)

    async def notes_of(self, node_id: str) -> list[NoteRecord]:
        return await self._notes(_SELECT_NOTES_OF, node_id)

    async def notes_by(self, author_ids: Collection[str]) -> list[str]:
        rows = await self._database.read(_SELECT_NOTES_BY, (json.dumps(sorted(author_ids)),))
        return [note_id for (note_id,) in rows]

    async def put_reproduction(
        self, reproduction: ReproductionRecord, entries: Sequence[Entry]
    ) -> bool:
        async def write() -> bool:
            async with self._database.transaction() as connection:
                cursor = await connection.execute(_INSERT_REPRODUCTION, asdict(reproduction))
                if cursor.rowcount == 0:
                    return False
                await append_entries(connection, entries)
                return True

        return await self._database.write(write)

    async def reproductions(self, note_ids: Collection[str]) -> list[ReproductionRecord]:
        ids = json.dumps(sorted(note_ids))
        rows = await self._database.read(_SELECT_REPRODUCTIONS, (ids,))
        return [
            ReproductionRecord(
                note_id=note_id, user_id=user_id, version=version, signed=signed, created_at=at
            )
            for note_id, user_id, version, signed, at in rows
        ]

    async def reproducers(self) -> set[tuple[str, str]]:
        return {(node_id, user_id) for node_id, user_id in await self._database.read(_PEOPLE, ())}

    async def _notes(self, sql: str, value: str) -> list[NoteRecord]:
        return [
            NoteRecord(
                note_id=note_id,
                version=version,
                author_id=author_id,
                node_id=node_id,
                signed=signed,
                created_at=created_at,
            )
            for note_id, version, author_id, node_id, signed, created_at in (
                await self._database.read(sql, (value,))
            )
        ]
