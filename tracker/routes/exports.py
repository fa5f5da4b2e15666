"""The map and what users measured, whole: as CSV for spreadsheets, as JSON for programs."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from itertools import chain, islice
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.ids import NODE_ID_PATTERN, NodeId
from luckrig.protocol.wire import NodePage, NodeView
from luckrig.tracker.domain.listing import NodeQuery
from luckrig.tracker.routes.connections import Stream
from luckrig.tracker.routes.http import JSON, cacheable
from luckrig.tracker.routes.operations import Operation, Parameter
from luckrig.tracker.routes.query import FILTER_PARAMETERS, MapFilters, parse_query
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.service.scores import ScoreService
from luckrig.web.tables import (
    MEDIA_TYPE,
    NODE_COLUMNS,
    TIMING_COLUMNS,
    node_rows,
    timing_row,
    write_csv,
)

PIECE_RIGS: Final = 100
"""Rigs that are written in one go: some 2 ms of the event loop."""

TIMINGS_PARAMETERS: Final = (
    Parameter(
        name="node",
        where="query",
        schema={"type": "string", "pattern": NODE_ID_PATTERN},
        description="Only this rig's.",
    ),
)


class TimingsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose timings: one rig's, or all."""

    node: NodeId | None = None


class ExportApi:
    """The handlers; `operations` is the list of all of them."""

    def __init__(self, nodes: NodeService, scores: ScoreService) -> None:
        self._nodes = nodes
        self._scores = scores
        self.operations = (
            Operation(
                method="GET",
                path="/api/v1/nodes.csv",
                name="exportNodesCsv",
                summary="The whole list as CSV: a row for each model of each rig.",
                handler=self.get_nodes_csv,
                response=str,
                parameters=FILTER_PARAMETERS,
                errors=("invalid_request",),
                media_type=MEDIA_TYPE,
                example=",".join(NODE_COLUMNS),
            ),
            Operation(
                method="GET",
                path="/api/v1/nodes.json",
                name="exportNodes",
                summary="The whole list in one answer; `next` is always null.",
                handler=self.get_nodes_json,
                response=NodePage,
                parameters=FILTER_PARAMETERS,
                errors=("invalid_request",),
            ),
            Operation(
                method="GET",
                path="/api/v1/timings.csv",
                name="exportTimingsCsv",
                summary="What users measured and shared, as CSV: never whose it was.",
                handler=self.get_timings_csv,
                response=str,
                parameters=TIMINGS_PARAMETERS,
                errors=("invalid_request",),
                media_type=MEDIA_TYPE,
                example=",".join(TIMING_COLUMNS),
            ),
        )

    async def get_nodes_csv(self, request: Request) -> Response:
        """GET /api/v1/nodes.csv."""
        _, nodes = await self._nodes.export(_filters(request))
        return Stream(_csv_pieces(nodes), media_type=MEDIA_TYPE, headers=_download("rigs.csv"))

    async def get_nodes_json(self, request: Request) -> Response:
        """GET /api/v1/nodes.json."""
        total, nodes = await self._nodes.export(_filters(request))
        pieces = _json_pieces(total, nodes)
        return Stream(pieces, media_type=JSON, headers=_download("rigs.json"))

    async def get_timings_csv(self, request: Request) -> Response:
        """GET /api/v1/timings.csv."""
        query = parse_query(request.query_params.multi_items(), TimingsQuery)
        reply = await self._scores.timings(node_id=query.node)
        table = write_csv(chain([TIMING_COLUMNS], map(timing_row, reply.timings)))
        headers = _download("timings.csv")
        return cacheable(request, table.encode(), MEDIA_TYPE, headers=headers)


async def _csv_pieces(nodes: Iterator[NodeView]) -> AsyncGenerator[bytes, None]:
    yield write_csv([NODE_COLUMNS]).encode()
    while piece := list(islice(nodes, PIECE_RIGS)):
        yield write_csv(chain.from_iterable(map(node_rows, piece))).encode()
        await asyncio.sleep(0)  # sending to a fast client doesn't suspend


async def _json_pieces(total: int, nodes: Iterator[NodeView]) -> AsyncGenerator[bytes, None]:
    yield b'{"nodes":['
    between = b""
    while piece := list(islice(nodes, PIECE_RIGS)):
        yield between + b",".join(map(msgspec.json.encode, piece))
        between = b","
        await asyncio.sleep(0)
    yield b'],"total":%d,"next":null}' % total


def _filters(request: Request) -> NodeQuery:
    return parse_query(request.query_params.multi_items(), MapFilters).selection()


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-cache"}
