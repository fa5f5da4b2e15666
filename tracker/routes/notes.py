"""Tuning notes: /api/v1/notes."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.ids import NODE_ID_PATTERN, NodeId
from luckrig.protocol.notes import MAX_SIGNED_NOTE_CHARS
from luckrig.protocol.strictjson import decode
from luckrig.protocol.wire import NoteRequest, NotesReply, NoteView, ReproducedRequest
from luckrig.tracker.routes.http import BODY_ERRORS, cacheable_json, json_response, read_json_body
from luckrig.tracker.routes.operations import Operation, Parameter
from luckrig.tracker.routes.query import parse_query
from luckrig.tracker.service.notes import NoteService

MAX_BODY_BYTES: Final = MAX_SIGNED_NOTE_CHARS + 100
_NOTE_ID: Final = Parameter(
    name="note_id",
    where="path",
    schema={"type": "string", "pattern": "^[A-Za-z0-9_-]{16,64}$"},
    description="The note's id.",
    required=True,
)
_NODE: Final = Parameter(
    name="node",
    where="query",
    schema={"type": "string", "pattern": NODE_ID_PATTERN},
    description="The rig that the notes are about.",
    required=True,
)


class NotesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Notes about which rig."""

    node: NodeId


class NotesApi:
    """The handlers; `operations` is the list of all of them."""

    def __init__(self, notes: NoteService) -> None:
        self._notes = notes
        self.operations = self._list_operations()

    async def put(self, request: Request) -> Response:
        """POST /api/v1/notes."""
        body = await read_json_body(request, max_bytes=MAX_BODY_BYTES)
        return json_response(await self._notes.put(decode(body, NoteRequest).note))

    async def list(self, request: Request) -> Response:
        """GET /api/v1/notes."""
        query = parse_query(request.query_params.multi_items(), NotesQuery)
        return cacheable_json(request, await self._notes.of_rig(query.node))

    async def get(self, request: Request) -> Response:
        """GET /api/v1/notes/{note_id}."""
        return cacheable_json(request, await self._notes.history(request.path_params["note_id"]))

    async def reproduce(self, request: Request) -> Response:
        """POST /api/v1/notes/{note_id}/reproduced."""
        body = await read_json_body(request, max_bytes=MAX_BODY_BYTES)
        signed = decode(body, ReproducedRequest).reproduced
        return json_response(await self._notes.reproduce(request.path_params["note_id"], signed))

    def _list_operations(self) -> tuple[Operation, ...]:
        writing = (*BODY_ERRORS, "signature_invalid", "banned", "note_conflict")
        return (
            Operation(
                method="POST",
                path="/api/v1/notes",
                name="putNote",
                summary="A version of a tuning note, signed by its author.",
                handler=self.put,
                request=NoteRequest,
                response=NoteView,
                errors=(*writing, "unsafe_text", "node_not_found", "rate_limited"),
            ),
            Operation(
                method="GET",
                path="/api/v1/notes",
                name="listNotes",
                summary="The notes about a rig, the most reproduced first.",
                handler=self.list,
                response=NotesReply,
                parameters=(_NODE,),
                errors=("invalid_request", "node_not_found"),
            ),
            Operation(
                method="GET",
                path="/api/v1/notes/{note_id}",
                name="getNote",
                summary="A note with all its versions.",
                handler=self.get,
                response=NoteView,
                parameters=(_NOTE_ID,),
                errors=("note_not_found", "node_not_found"),
            ),
            Operation(
                method="POST",
                path="/api/v1/notes/{note_id}/reproduced",
                name="reproduceNote",
                summary="Say that you got what a note says.",
                handler=self.reproduce,
                request=ReproducedRequest,
                response=NoteView,
                parameters=(_NOTE_ID,),
                errors=(*writing, "note_not_found", "node_not_found"),
            ),
        )
