"""The pages for people: the map, a rig, errors, static files."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.protocol.descriptor import verify_descriptor
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.ids import is_node_id
from luckrig.protocol.wire import NodeDetail, NodeView
from luckrig.tracker.domain.listing import NodeQuery
from luckrig.tracker.routes.query import MapQuery, parse_query
from luckrig.tracker.routes.sites import Sites
from luckrig.tracker.service.nodes import NodeService
from luckrig.web.assets import StaticFile
from luckrig.web.headers import STATIC_HEADERS
from luckrig.web.pages import Choices, ErrorPage, Filters, MapPage, RigPage, Totals, View
from luckrig.web.render import Renderer
from luckrig.web.taste_page import TastePage

MAX_PLOTTED: Final = 200
MAX_CHOICES: Final = 100
"""Suggestions in the filter form; the fields take any text all the same."""

_VIEWS: Final[Mapping[str, View]] = {"table": "table"}


class Pages:
    """Handlers of the pages. sites: what each says of the tracker."""

    def __init__(
        self,
        *,
        nodes: NodeService,
        renderer: Renderer,
        files: Mapping[str, StaticFile],
        sites: Sites,
    ) -> None:
        self._nodes = nodes
        self._renderer = renderer
        self._files = files
        self._sites = sites

    def routes(self) -> list[Route]:
        """Every page's route."""
        return [
            Route("/", self.show_map),
            Route("/nodes/{node_id}", self.show_node),
            Route("/taste/{node_id}", self.show_taste),
            Route("/static/{name:path}", self.send_static),
        ]

    async def show_map(self, request: Request) -> Response:
        """GET /."""
        items = [(name, value) for name, value in request.query_params.multi_items()]
        view = _VIEWS.get(dict(items).get("view", ""), "cards")
        query = parse_query([item for item in items if item[0] != "view"], MapQuery)
        chosen = await self._nodes.page(query.selection())
        plotted = await self._nodes.page(_from_the_start(query))
        everything = await self._nodes.all_views()
        page = MapPage(
            site=self._sites.english(),
            totals=_totals(everything),
            nodes=chosen.nodes,
            matching=chosen.total,
            plotted=plotted.nodes,
            filters=_filters(query),
            choices=_choices(everything),
            view=view,
            after=query.after,
            next_cursor=chosen.next,
        )
        return HTMLResponse(self._renderer.render_map(page))

    async def show_node(self, request: Request) -> Response:
        """GET /nodes/{node_id}."""
        detail = await self._detail(request)
        descriptor = verify_descriptor(bytes(detail.descriptor))
        page = RigPage(
            site=self._sites.english(),
            node=detail.node,
            signed_at=descriptor.created_at,
            reach=detail.reach,
            audit=detail.audit,
        )
        return HTMLResponse(self._renderer.render_node(page))

    async def show_taste(self, request: Request) -> Response:
        """GET /taste/{node_id}."""
        detail = await self._detail(request)
        page = TastePage(site=self._sites.of(request), node=detail.node)
        return HTMLResponse(self._renderer.render(page), headers={"Vary": "Accept-Language"})

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
        return Response(file.content, headers=headers)

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


def _from_the_start(query: MapQuery) -> NodeQuery:
    return msgspec.structs.replace(query, after=None, limit=MAX_PLOTTED).selection()


def _totals(nodes: Iterable[NodeView]) -> Totals:
    nodes = list(nodes)
    return Totals(
        rigs=len(nodes),
        answering=sum(node.status in ("available", "busy") for node in nodes),
        models=len({offer.model for node in nodes for offer in node.offers}),
        gpus=len({node.hardware.gpu for node in nodes if node.hardware.gpu}),
    )


def _choices(nodes: Iterable[NodeView]) -> Choices:
    gpus: Counter[str] = Counter()
    models: Counter[str] = Counter()
    quants: Counter[str] = Counter()
    for node in nodes:
        gpus.update([node.hardware.gpu] if node.hardware.gpu else [])
        models.update(offer.model for offer in node.offers)
        quants.update(offer.quantization for offer in node.offers if offer.quantization)
    return Choices(gpus=_common(gpus), models=_common(models), quants=_common(quants))


def _common(names: Counter[str]) -> list[str]:
    return sorted(name for name, _ in names.most_common(MAX_CHOICES))


def _filters(query: MapQuery) -> Filters:
    sort: Literal["scarcity", "newest", "name"]
    sort = "scarcity" if query.sort == "last_seen" else query.sort
    return Filters(
        q=query.q or "",
        gpu=query.gpu or "",
        model=query.model or "",
        quant=query.quant or "",
        status=query.status or "",
        capability=query.capability or "",
        min_vram=query.min_vram,
        min_context=query.min_context,
        sort=sort,
    )
