"""Tuning notes in memory: the twin of sqlite_notes.py."""

from collections.abc import Collection, Sequence

from luckrig.tracker.domain.ledger import Entry
from luckrig.tracker.domain.records import NoteRecord, ReproductionRecord
from luckrig.tracker.store.interface import StoreError
from luckrig.tracker.store.memory_contributions import MemoryContributions


class MemoryNotes:
    """A NoteStore that lives as long as its process."""

    def __init__(self, contributions: MemoryContributions) -> None:
        self._contributions = contributions
        self._notes: dict[str, list[NoteRecord]] = {}
        self._reproductions: dict[tuple[str, str], ReproductionRecord] = {}

    async def put_note(self, note: NoteRecord) -> None:
        versions = self._notes.setdefault(note.note_id, [])
        if any(stored.version == note.version for stored in versions):
            raise StoreError("This version of the note is stored already.")
        versions.append(note)
        versions.sort(key=lambda stored: -stored.version)

    async def versions(self, note_id: str) -> list[NoteRecord]:
        return list(self._notes.get(note_id, ()))

    async def notes_of(self, node_id: str) -> list[NoteRecord]:
        return [versions[0] for versions in self._notes.values() if versions[0].node_id == node_id]

    async def put_reproduction(
        self, reproduction: ReproductionRecord, entries: Sequence[Entry]
    ) -> bool:
        key = (reproduction.note_id, reproduction.user_id)
        if key in self._reproductions:
            return False
        self._reproductions[key] = reproduction
        self._contributions.append(entries)
        return True

    async def reproductions(self, note_ids: Collection[str]) -> list[ReproductionRecord]:
        return [each for each in self._reproductions.values() if each.note_id in note_ids]

    async def reproducers(self) -> set[tuple[str, str]]:
        return {
            (self._notes[each.note_id][0].node_id, each.user_id)
            for each in self._reproductions.values()
        }
