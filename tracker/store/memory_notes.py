"""Tuning notes in memory: the twin of sqlite_notes.py."""

from collections.abc import Collection, Sequence
from dataclasses import asdict

from luckrig.tracker.domain.ledger import Entry
from luckrig.tracker.domain.records import NoteRecord, ReproductionRecord
from luckrig.tracker.store.interface import StoreError
from luckrig.tracker.store.memory_contributions import MemoryContributions
from luckrig.tracker.store.shelves import Fixed, Records, Shelf


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

    async def notes_by(self, author_ids: Collection[str]) -> list[str]:
        return sorted(
            note_id
            for note_id, versions in self._notes.items()
            if versions[0].author_id in author_ids
        )

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

    def shelves(self) -> dict[str, Shelf]:
        """Its tables, for export and deletion."""
        return {
            "notes": Fixed(
                lambda: (
                    ((note.note_id, note.version), asdict(note))
                    for versions in self._notes.values()
                    for note in reversed(versions)
                ),
                delete=self._delete,
            ),
            "reproductions": Records(lambda: self._reproductions),
        }

    def _delete(self, key: tuple[str, int]) -> None:
        note_id, version = key
        left = [each for each in self._notes.pop(note_id) if each.version != version]
        if left:
            self._notes[note_id] = left
