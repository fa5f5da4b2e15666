"""What a case is about: whether it exists, what it says of itself, and who stands behind it."""

from collections.abc import Callable

from luckrig.protocol.desk import TargetChoice
from luckrig.protocol.errors import PeerError
from luckrig.protocol.notes import verify_note
from luckrig.protocol.reports import SubjectKind
from luckrig.tracker.domain.cases import CaseRecord
from luckrig.tracker.service.notices import notice
from luckrig.tracker.store.interface import Store


class Subjects:
    """Looks subjects up. clock: Unix seconds."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def known(self, kind: SubjectKind, subject_id: str) -> str:
        """The subject's id as cases name it: a user's is that of today's key.

        Raises PeerError node_not_found or note_not_found; any user's id is taken, for whoever only
        uses rigs is on no list here.
        """
        if kind == "user":
            return await self._store.users.latest_id(subject_id)
        if kind == "note" and not await self._store.notes.versions(subject_id):
            raise PeerError(
                "note_not_found", "This tracker knows no such note.", param="subject_id"
            )
        node_id = subject_id.partition("/")[0]
        if kind in ("node", "reply") and await self._store.node(node_id) is None:
            raise PeerError("node_not_found", "This tracker knows no such rig.", param="subject_id")
        return subject_id

    async def excerpt(self, case: CaseRecord) -> str | None:
        """What the subject says of itself now; None where it says nothing or is gone."""
        if case.subject_kind == "node":
            node = await self._store.node(case.subject_id)
            return None if node is None else f"{node.descriptor.name}\n\n{node.descriptor.note}"
        if case.subject_kind == "note":
            versions = await self._store.notes.versions(case.subject_id)
            if versions:
                return verify_note(versions[0].signed, now=versions[0].created_at)[1].text
        return None

    async def targets(self, case: CaseRecord) -> list[TargetChoice]:
        """Who or what a decision about it may act on, the subject first."""
        match case.subject_kind:
            case "node":
                found = await self._rig(case.subject_id, "subject")
            case "note":
                found = await self._note(case.subject_id)
            case "user":
                found = [
                    TargetChoice(kind="user", id=case.subject_id, relation="subject", label="")
                ]
            case "reply":
                found = await self._reply(case.subject_id)
        held = await self._store.cases.holding(now=self._clock())
        return [
            TargetChoice(
                kind=each.kind,
                id=each.id,
                relation=each.relation,
                label=each.label,
                in_force=notice(held[each.id]) if each.id in held else None,
            )
            for each in found
        ]

    async def _rig(self, node_id: str, relation: str) -> list[TargetChoice]:
        node = await self._store.node(node_id)
        rig = TargetChoice(
            kind="node",
            id=node_id,
            relation="subject" if relation == "subject" else "rig",
            label="" if node is None else node.descriptor.name,
        )
        if node is None:
            return [rig]
        owner_id = await self._store.users.latest_id(node.descriptor.owner_id)
        return [rig, TargetChoice(kind="user", id=owner_id, relation="owner", label="")]

    async def _note(self, note_id: str) -> list[TargetChoice]:
        note = TargetChoice(kind="note", id=note_id, relation="subject", label="")
        versions = await self._store.notes.versions(note_id)
        if not versions:
            return [note]
        author_id = await self._store.users.latest_id(versions[0].author_id)
        author = TargetChoice(kind="user", id=author_id, relation="author", label="")
        return [note, author, *await self._rig(versions[0].node_id, "rig")]

    async def _reply(self, subject_id: str) -> list[TargetChoice]:
        node_id, _, request_id = subject_id.partition("/")
        found = await self._rig(node_id, "rig")
        receipt = await self._store.contributions.receipt(node_id, request_id)
        if receipt is not None and receipt.user_id:  # "" once that account is deleted
            user_id = await self._store.users.latest_id(receipt.user_id)
            found.append(TargetChoice(kind="user", id=user_id, relation="user", label=""))
        return found
