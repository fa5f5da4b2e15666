"""The pages for people: the map, the console, errors, static files."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Final, NoReturn

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.ids import is_node_id
from luckrig.protocol.wire import NodeDetail
from luckrig.tracker.routes.packing import Packable, pack, send
from luckrig.tracker.routes.query import MapQuery, parse_query
from luckrig.tracker.routes.recent import RecentPages
from luckrig.tracker.routes.sites import Sites
from luckrig.tracker.service.nodes import LikedRig as RigToBeLike
from luckrig.tracker.service.nodes import NodeService
from luckrig.web.assets import StaticFile
from luckrig.web.headers import STATIC_HEADERS
from luckrig.web.map_page import (
    Choices,
    Filters,
    LikedRig,
    MapPage,
    ScarceNow,
    Totals,
    View,
)
from luckrig.web.pages import ErrorPage, Site
from luckrig.web.render import Renderer
from luckrig.web.taste_page import TastePage

MAX_PLOTTED: Final = 200
PIECES_AT_ONCE: Final = 250
"""Of the 5,000 or so that the map's page is put together from. Others have a turn after them: some
1 ms, where the whole page takes more than 20."""

_OF_PAGES: Final = frozenset(("view", "lang"))
"""What only pages know in a query."""
_VIEWS: Final[Mapping[str, View]] = {"table": "table"}


class Pages:
    """Handlers of the pages. sites: what each says of the tracker. clock: Unix seconds."""

    def __init__(
        self,
        *,
        nodes: NodeService,
        renderer: Renderer,
        files: Mapping[str, StaticFile],
        sites: Sites,
        clock: Callable[[], float],
    ) -> None:
        self._nodes = nodes
        self._renderer = renderer
        self._files = files
        self._sites = sites
        self._clock = clock
        self._recent = RecentPages(nodes.generation, clock=clock)

    def routes(self) -> list[Route]:
        """Every page's route."""
        return [
            Route("/", self.show_map),
            Route("/taste/{node_id}", self.show_taste),
            Route("/static/{name:path}", self.send_static),
        ]

    async def run(self) -> NoReturn:
        """Make the map's pages anew until cancelled, so that few have to wait for one."""
        await self._recent.run()

    async def show_map(self, request: Request) -> Response:
        """GET /. Who comes, goes or changes what it offers is seen at once; statuses may be of
        MAX_AGE_SECONDS ago.
        """
        items = dict(request.query_params.multi_items())
        view = _VIEWS.get(items.get("view", ""), "cards")
        asked = [item for item in request.query_params.multi_items() if item[0] not in _OF_PAGES]
        query = parse_query(asked, MapQuery)
        site = self._sites.of(request)

        async def make() -> Packable:
            await asyncio.sleep(0)  # scarcity may have been counted just now
            now = int(self._clock())  # it may be a while after the request
            return await self._make(await self._map_page(query, view, replace(site, now=now)))

        body = await self._recent.get((request.url.query, site.words.language), make)
        headers = {"Content-Type": "text/html; charset=utf-8", "Vary": "Accept-Language"}
        return send(request, body, headers)

    async def _make(self, page: MapPage) -> Packable:
        await asyncio.sleep(0)
        pieces: list[str] = []
        for piece in self._renderer.pieces(page):
            pieces.append(piece)
            if len(pieces) % PIECES_AT_ONCE == 0:
                await asyncio.sleep(0)
        return pack("".join(pieces).encode())

    async def _map_page(self, query: MapQuery, view: View, site: Site) -> MapPage:
        seen = await self._nodes.map(query.selection(), plotted=MAX_PLOTTED)
        summary, names = seen.summary, seen.summary.names
        return MapPage(
            site=site,
            totals=Totals(
                rigs=summary.rigs,
                answering=summary.answering,
                models=summary.models,
                gpus=summary.gpus,
            ),
            nodes=seen.page.nodes,
            matching=seen.page.total,
            plotted=seen.plotted,
            scarce=[ScarceNow(**asdict(each)) for each in seen.scarce],
            liked=None if seen.liked is None else _liked(seen.liked),
            filters=_filters(query),
            choices=Choices(**names._asdict()),
            view=view,
            after=query.after,
            next_cursor=seen.page.next,
        )

    async def show_taste(self, request: Request) -> Response:
        """GET /taste/{node_id}."""
        detail = await self._detail(request)
        page = TastePage(site=self._sites.of(request), node=detail.node)
        headers = {"Vary": "Accept-Language", "Content-Security-Policy": page.policy}
        return HTMLResponse(self._renderer.render(page), headers=headers)

    async def _detail(self, request: Request) -> NodeDetail:
        node_id = request.path_params["node_id"]
        if not is_node_id(node_id):
            raise PeerError("node_not_found", "A node id is n1 and 32 characters of base32.")
        return await self._nodes.detail(node_id)

    async def send_static(self, request: Request) -> Response:
        """GET /static/{name}: names hold a hash of the content, so browsers keep them."""
        file = self._files.get(request.url.path)
        if file is None:
            raise PeerError("not_found", "No such file.")
        headers = {**STATIC_HEADERS, "Content-Type": file.media_type}
        return send(request, Packable(file.content, file.packed), headers)

    def error(self, request: Request, error: LuckrigError) -> Response:
        """The page for an error, in the visitor's language."""
        request_id: str = request.state.request_id
        page = ErrorPage(
            site=self._sites.of(request),
            status=error.status,
            code=error.code,
            message=error.message,
            request_id=request_id if error.status >= 500 else None,
            retry_after_seconds=error.retry_after_seconds,
        )
        headers = {"Vary": "Accept-Language"}
        if error.retry_after_seconds is not None:
            headers["Retry-After"] = str(error.retry_after_seconds)
        return HTMLResponse(self._renderer.render(page), error.status, headers)


def _liked(rig: RigToBeLike) -> LikedRig:
    return LikedRig(
        node_id=rig.node_id, name=rig.name, gpu=rig.gpu, ram_bytes=rig.likeness.ram_bytes
    )


def _filters(query: MapQuery) -> Filters:
    return Filters(
        q=query.q or "",
        gpu=query.gpu or "",
        vendor=query.vendor or "",
        model=query.model or "",
        family=query.family or "",
        quant=query.quant or "",
        tag=query.tag or "",
        like=query.selection().like or "",
        status=query.status or "",
        capability=query.capability or "",
        min_vram=query.min_vram,
        min_context=query.min_context,
        sort=query.sort,
    )
