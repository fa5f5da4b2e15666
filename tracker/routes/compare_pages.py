"""The page that sets rigs side by side: /compare."""

import re
from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.tracker.domain.timings import PROMPT_BUCKETS
from luckrig.tracker.routes.sites import Sites
from luckrig.tracker.service.comparisons import ComparisonService
from luckrig.web.compare_page import (
    MAX_COMPARED,
    ComparedRig,
    ComparePage,
    NotCompared,
    SimilarRig,
)
from luckrig.web.render import Renderer

MAX_ASKED: Final = 16
"""Values that are read at all; what is beyond them is as good as not asked for."""
MAX_ASKED_CHARS: Final = 200
"""Of one value: an id, or the address of a rig's page."""

_NODE_ID: Final = re.compile(r"(?<![a-z0-9])n1[a-z2-7]{32}(?![a-z0-9])")


class ComparePages:
    """Handler of /compare."""

    def __init__(self, *, comparisons: ComparisonService, renderer: Renderer, sites: Sites) -> None:
        self._comparisons = comparisons
        self._renderer = renderer
        self._sites = sites

    def routes(self) -> list[Route]:
        """Its route."""
        return [Route("/compare", self.show)]

    async def show(self, request: Request) -> Response:
        """GET /compare. What can't be a column is said on the page, with all that can."""
        node_ids, left_out = read_asked(request.query_params.getlist("rigs"))
        found = await self._comparisons.compare(node_ids)
        page = ComparePage(
            site=self._sites.of(request),
            rigs=[
                ComparedRig(node=rig.node, timings=rig.timings, is_listed=rig.is_listed)
                for rig in found.rigs
            ],
            left_out=[*left_out, *(NotCompared("unknown", each) for each in found.unknown)],
            similar=[
                SimilarRig(node=each.node, shares=each.shares or "none") for each in found.similar
            ],
            prompt_starts=(0, *PROMPT_BUCKETS),
        )
        return HTMLResponse(self._renderer.render(page), headers={"Vary": "Accept-Language"})


def read_asked(values: Iterable[str]) -> tuple[list[str], list[NotCompared]]:
    """The ids of at most MAX_COMPARED rigs, each once, and what is none of them and why.

    values: as people type and paste them: ids, addresses of rigs' pages, several with commas or
    spaces between.
    """
    node_ids: list[str] = []
    left_out: list[NotCompared] = []
    pieces = [piece for value in values for piece in re.split(r"[\s,]+", value[:2000]) if piece]
    for piece in pieces[:MAX_ASKED]:
        text = piece[:MAX_ASKED_CHARS]
        found = _NODE_ID.search(text)
        if found is None:
            left_out.append(NotCompared("shape", text))
        elif found[0] in node_ids:
            left_out.append(NotCompared("twice", found[0]))
        elif len(node_ids) >= MAX_COMPARED:
            left_out.append(NotCompared("too_many", found[0]))
        else:
            node_ids.append(found[0])
    return node_ids, left_out
