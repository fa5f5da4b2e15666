"""Tuning notes: anybody with a key may write one about a rig, improve it, and reproduce others'."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from luckrig.protocol.errors import PeerError
from luckrig.protocol.notes import verify_note, verify_reproduction
from luckrig.protocol.wire import NotesReply, NoteVersion, NoteView
from luckrig.tracker.domain.ledger import Reproduced
from luckrig.tracker.domain.records import NoteRecord, ReproductionRecord
from luckrig.tracker.service.bans import BanService
from luckrig.tracker.service.ledger import Ledger
from luckrig.tracker.store.interface import Store

MAX_NOTES_OF_A_RIG: Final = 200
MAX_NOTES_OF_AN_AUTHOR: Final = 20
"""About one rig."""


class NoteService:
    """What banned people wrote, and notes about banned rigs, are shown to nobody."""

    def __init__(
        self, store: Store, bans: BanService, ledger: Ledger, *, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._bans = bans
        self._ledger = ledger
        self._clock = clock
        self._writing = asyncio.Lock()

    async def put(self, signed: str) -> NoteView:
        """Store a version of a note; the same again changes nothing.

        Raises PeerError as verify_note does; banned, node_not_found, note_conflict, rate_limited.
        """
        author_id, note = verify_note(signed, now=self._clock())
        await self._bans.check(author_id)
        await self._check_rig(note.node_id)
        record = NoteRecord(
            note_id=note.note_id,
            version=note.version,
            author_id=author_id,
            node_id=note.node_id,
            signed=signed,
            created_at=int(self._clock()),
        )
        async with self._writing:  # looked at and stored as one
            versions = await self._store.notes.versions(note.note_id)
            if any(each.signed == signed for each in versions):
                return await self._view(versions)
            await self._check_successor(record, versions)
            if not versions:
                await self._check_room(record)
            await self._store.notes.put_note(record)
            return await self._view([record, *versions])

    async def of_rig(self, node_id: str) -> NotesReply:
        """The newest version of each note about a rig, the most reproduced first."""
        _, views = await self.part_of_rig(node_id, start=0, limit=MAX_NOTES_OF_A_RIG)
        return NotesReply(notes=views)

    async def part_of_rig(
        self, node_id: str, *, start: int, limit: int
    ) -> tuple[int, list[NoteView]]:
        """(how many notes there are about a rig, some of them in the order of `of_rig`)."""
        await self._check_rig(node_id)
        banned, hidden = await self._bans.banned_users(), await self._bans.hidden_notes()
        notes = [each for each in await self._store.notes.notes_of(node_id)
                 if each.author_id not in banned and each.note_id not in hidden]  # fmt: skip
        said = await self._said([each.note_id for each in notes])
        notes.sort(key=lambda note: (-said[note.note_id].total(), note.note_id))
        shown = notes[start : start + limit]
        return len(notes), [_note_view([each], said[each.note_id]) for each in shown]

    async def history(self, note_id: str) -> NoteView:
        """All versions of a note. Raises PeerError note_not_found."""
        versions = await self._versions(note_id)
        await self._check_rig(versions[0].node_id)
        return await self._view(versions)

    async def reproduce(self, note_id: str, signed: str) -> NoteView:
        """Somebody got what a note says; once for each user and note.

        Raises PeerError as verify_reproduction does; banned, note_not_found, note_conflict.
        """
        user_id, said = verify_reproduction(signed, now=self._clock())
        await self._bans.check(user_id)
        versions = await self._versions(note_id)
        await self._check_rig(versions[0].node_id)
        if said.note_id != note_id or said.version not in {each.version for each in versions}:
            raise PeerError("note_conflict", "There is no such version of this note.")
        author = await self._ledger.account_of(versions[0].author_id)
        user = await self._ledger.account_of(user_id)
        if author == user:
            raise PeerError("note_conflict", "Others have to reproduce your note.")
        record = ReproductionRecord(
            note_id=note_id,
            user_id=user_id,
            version=said.version,
            signed=signed,
            created_at=int(self._clock()),
        )
        said_before = {
            await self._ledger.account_of(each.user_id)
            for each in await self._store.notes.reproductions([note_id])
        }
        if user not in said_before:
            await self._enter(record, versions[0].node_id, author, user)
        return await self._view(versions)

    async def author_of(self, note_id: str) -> str | None:
        """The user id of a note's author, or None without such a note."""
        versions = await self._store.notes.versions(note_id)
        return versions[0].author_id if versions else None

    async def is_about(self, note_id: str, node_id: str) -> bool:
        """Whether there is such a note about that rig."""
        versions = await self._store.notes.versions(note_id)
        return bool(versions) and versions[0].node_id == node_id

    async def _enter(
        self, record: ReproductionRecord, node_id: str, author: str, user: str
    ) -> None:
        async with self._ledger.draft() as draft:
            entry = Reproduced(node_id=node_id, author_id=author, by_user_id=user, at=draft.at)
            if await self._store.notes.put_reproduction(record, [entry]):
                draft.add(entry)

    async def _versions(self, note_id: str) -> list[NoteRecord]:
        versions = await self._store.notes.versions(note_id)
        if (
            not versions
            or note_id in await self._bans.hidden_notes()
            or versions[0].author_id in await self._bans.banned_users()
        ):
            raise PeerError("note_not_found", "There is no such note on this tracker.")
        return versions

    async def _check_rig(self, node_id: str) -> None:
        if await self._store.node(node_id) is None or node_id in await self._bans.closed_nodes():
            raise PeerError("node_not_found", "No rig with that id is on this tracker's map.")

    async def _check_successor(self, note: NoteRecord, versions: Sequence[NoteRecord]) -> None:
        expected = versions[0].version + 1 if versions else 1
        if note.version != expected:
            raise PeerError(
                "note_conflict", f"The next version of this note is {expected}.", param="version"
            )
        if not versions:
            return
        if versions[0].node_id != note.node_id:
            raise PeerError("note_conflict", "This note is about another rig.", param="node_id")
        author = await self._ledger.account_of(note.author_id)
        if await self._ledger.account_of(versions[0].author_id) != author:
            raise PeerError("note_conflict", "Only its author can change a note. Write your own.")

    async def _check_room(self, note: NoteRecord) -> None:
        others = await self._store.notes.notes_of(note.node_id)
        own = sum(each.author_id == note.author_id for each in others)
        if len(others) >= MAX_NOTES_OF_A_RIG or own >= MAX_NOTES_OF_AN_AUTHOR:
            raise PeerError(
                "rate_limited",
                f"A rig has at most {MAX_NOTES_OF_A_RIG} notes, {MAX_NOTES_OF_AN_AUTHOR} of one"
                " author. Improve one that is there.",
            )

    async def _view(self, versions: Sequence[NoteRecord]) -> NoteView:
        """versions: the newest first."""
        note_id = versions[0].note_id
        return _note_view(versions, (await self._said([note_id]))[note_id])

    async def _said(self, note_ids: Collection[str]) -> Mapping[str, Counter[int]]:
        """How many people, banned ones aside, reproduced each version, by note."""
        banned = await self._bans.banned_users()
        said: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for each in await self._store.notes.reproductions(note_ids):
            if each.user_id not in banned:
                said[each.note_id][each.version] += 1
        return said


def _note_view(versions: Sequence[NoteRecord], said: Counter[int]) -> NoteView:
    """versions: the newest first. said: how many reproduced each."""
    newest = versions[0]
    return NoteView(
        note_id=newest.note_id,
        node_id=newest.node_id,
        author_id=newest.author_id,
        reproduced=said.total(),
        versions=[_version(each, said[each.version]) for each in versions],
    )


def _version(record: NoteRecord, reproduced: int) -> NoteVersion:
    # It was verified before it was stored; `now` can't be too early for it.
    _, note = verify_note(record.signed, now=record.created_at)
    return NoteVersion(
        version=note.version,
        text=note.text,
        references=note.references,
        created_at=record.created_at,
        reproduced=reproduced,
        signed=record.signed,
    )
