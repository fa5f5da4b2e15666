"""The page of a rig, with what is known of it; and a note about a rig, with its history."""

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.protocol.descriptor import verify_descriptor
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import is_node_id
from luckrig.tracker.domain.timings import PROMPT_BUCKETS
from luckrig.tracker.routes.sites import Sites
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.service.notes import NoteService
from luckrig.tracker.service.scores import ScoreService
from luckrig.web.render import Renderer
from luckrig.web.rig_page import NOTES_SHOWN, NotePage, NotesPart, RigPage

_HEADERS: Final = {"Vary": "Accept-Language"}
_MAX_DIGITS: Final = 3
"""Of the numbers in these pages' addresses: a rig has at most 20 pages of notes, a note 100
versions."""


class RigPages:
    """Handlers. sites: what each page says of the tracker."""

    def __init__(
        self,
        *,
        nodes: NodeService,
        notes: NoteService,
        scores: ScoreService,
        renderer: Renderer,
        sites: Sites,
    ) -> None:
        self._nodes = nodes
        self._notes = notes
        self._scores = scores
        self._renderer = renderer
        self._sites = sites

    def routes(self) -> list[Route]:
        """Every page's route."""
        return [
            Route("/nodes/{node_id}", self.show_node),
            Route("/notes/{note_id}", self.show_note),
        ]

    async def show_node(self, request: Request) -> Response:
        """GET /nodes/{node_id}. notes: which page of the notes."""
        node_id = request.path_params["node_id"]
        if not is_node_id(node_id):
            raise PeerError("node_not_found", "A node id is n1 and 32 characters of base32.")
        detail = await self._nodes.detail(node_id)
        descriptor = verify_descriptor(bytes(detail.descriptor))
        page = RigPage(
            site=self._sites.of(request),
            node=detail.node,
            signed_at=descriptor.created_at,
            reach=detail.reach,
            audit=detail.audit,
            timings=(await self._scores.timings(node_id=node_id)).timings,
            prompt_buckets=PROMPT_BUCKETS,
            live_hours=await self._nodes.live_days(node_id),
            notes=await self._notes_part(node_id, _number(request, "notes") or 1),
        )
        return HTMLResponse(self._renderer.render(page), headers=_HEADERS)

    async def show_note(self, request: Request) -> Response:
        """GET /notes/{note_id}. before: only versions below that one."""
        note = await self._notes.history(request.path_params["note_id"])
        page = NotePage(
            site=self._sites.of(request),
            node=await self._nodes.view(note.node_id),
            note=note,
            before=_number(request, "before"),
        )
        return HTMLResponse(self._renderer.render(page), headers=_HEADERS)

    async def _notes_part(self, node_id: str, number: int) -> NotesPart:
        """A page beyond the last one is empty, and leads back."""
        start = (number - 1) * NOTES_SHOWN
        total, notes = await self._notes.part_of_rig(node_id, start=start, limit=NOTES_SHOWN)
        return NotesPart(notes=notes, total=total, number=number)


def _number(request: Request, name: str) -> int | None:
    """A number from 1 on out of the query string; None for anything else."""
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        return None
    return int(text) or None
