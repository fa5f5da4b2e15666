"""What a tracker is asked about tuning notes."""

import msgspec

from luckrig.client.tracker import TrackerClient
from luckrig.protocol.errors import PeerError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.notes import (
    Note,
    Reproduction,
    sign_note,
    sign_reproduction,
    verify_note,
)
from luckrig.protocol.wire import NoteRequest, NotesReply, NoteView, ReproducedRequest


async def notes_about(client: TrackerClient, node_id: str) -> list[NoteView]:
    """The notes about a rig, each exactly as its author signed it.

    Raises PeerError signature_invalid when the tracker shows anything else.
    """
    reply = await client.transport.get("/api/v1/notes", NotesReply, params={"node": node_id})
    for view in reply.notes:
        _check(view)
    return reply.notes


async def note(client: TrackerClient, note_id: str) -> NoteView:
    """One note with all its versions, checked like the others."""
    view = await client.transport.get(f"/api/v1/notes/{note_id}", NoteView)
    _check(view)
    return view


async def write_note(client: TrackerClient, note: Note, *, author_key: PrivateKey) -> NoteView:
    """Publish a version of a note."""
    request = NoteRequest(note=sign_note(note, author_key=author_key))
    body = msgspec.json.encode(request)
    return await client.transport.post("/api/v1/notes", body, NoteView)


async def reproduce_note(
    client: TrackerClient, reproduction: Reproduction, *, user_key: PrivateKey
) -> NoteView:
    """Say that one got what a version of a note says."""
    signed = sign_reproduction(reproduction, user_key=user_key)
    body = msgspec.json.encode(ReproducedRequest(reproduced=signed))
    path = f"/api/v1/notes/{reproduction.note_id}/reproduced"
    return await client.transport.post(path, body, NoteView)


def _check(view: NoteView) -> None:
    """After a change of keys a note has versions by two ids of one person; the tracker vouches
    for that, so only what was written is checked against the signature."""
    for version in view.versions:
        _, signed = verify_note(version.signed, now=float("inf"))
        shown = (view.note_id, view.node_id, version.version, version.text, version.references)
        if shown != (
            signed.note_id,
            signed.node_id,
            signed.version,
            signed.text,
            signed.references,
        ):
            raise PeerError(
                "signature_invalid", "The tracker shows a note that its author didn't sign."
            )
