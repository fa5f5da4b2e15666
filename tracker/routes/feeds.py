"""What other sites take from the map: a feed of new rigs, badges, and what crawlers may read."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import is_node_id
from luckrig.protocol.wire import NodeView
from luckrig.tracker.domain.listing import NodeQuery
from luckrig.tracker.routes.http import cacheable
from luckrig.tracker.routes.operations import Operation, Parameter
from luckrig.tracker.routes.query import parse_query
from luckrig.tracker.service.nodes import NodeService
from luckrig.web import badge, feed
from luckrig.web.pages import Site
from luckrig.web.render import Renderer

ROBOTS: Final = """\
User-agent: *
Disallow: /?
Disallow: /api/v1/
Disallow: /compare?
Disallow: /login
Disallow: /logout
Disallow: /me
Disallow: /n/
Disallow: /operator
Disallow: /report/
Allow: /
"""
"""Rigs' pages and texts are for everybody. Lists come in as many ways as there are filters, and
comparisons as there are sets of rigs; nobody's private page is a crawler's, whatever it asks."""

BADGE_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "public, max-age=60",
    "Content-Security-Policy": "default-src 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",  # it is made for other people's pages
}
FEED_HEADERS: Final[Mapping[str, str]] = {"Cache-Control": "public, max-age=300"}

Show = Literal["luckrig", "name", "gpu", "model"]


class BadgeQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """show: what stands beside the status."""

    show: Show = "luckrig"


class Feeds:
    """The handlers. `operations` is the list of those that are part of the API."""

    def __init__(self, *, nodes: NodeService, renderer: Renderer, site: Callable[[], Site]) -> None:
        self._nodes = nodes
        self._renderer = renderer
        self._site = site
        self.operations = (
            Operation(
                method="GET",
                path="/feed.atom",
                name="getFeed",
                summary=f"The newest {feed.MAX_ENTRIES} rigs as an Atom feed.",
                handler=self.get_feed,
                response=str,
                media_type=feed.MEDIA_TYPE,
            ),
            Operation(
                method="GET",
                path="/badge/{node_id}.svg",
                name="getBadge",
                summary="A rig's status as a picture; 404 comes as a picture, too.",
                handler=self.get_badge,
                response=str,
                parameters=_BADGE_PARAMETERS,
                errors=("invalid_request",),
                media_type=badge.MEDIA_TYPE,
                example=badge.draw_badge("luckrig", "available"),
            ),
        )

    def routes(self) -> list[Route]:
        """Those that are no part of the API."""
        return [Route("/robots.txt", self.get_robots)]

    async def get_feed(self, request: Request) -> Response:
        """GET /feed.atom."""
        newest = await self._nodes.page(NodeQuery(sort="newest", limit=feed.MAX_ENTRIES))
        text = self._renderer.render(feed.Feed(site=self._site(), nodes=newest.nodes))
        return cacheable(request, text.encode(), feed.MEDIA_TYPE, headers=FEED_HEADERS)

    async def get_badge(self, request: Request) -> Response:
        """GET /badge/{node_id}.svg."""
        query = parse_query(request.query_params.multi_items(), BadgeQuery)
        node_id: str = request.path_params["node_id"]
        try:
            node = await self._nodes.view(node_id) if is_node_id(node_id) else None
        except PeerError:  # a picture that isn't there is no text either
            node = None
        picture = badge.draw_badge(_label(node, query.show), node.status if node else None)
        return cacheable(
            request,
            picture.encode(),
            badge.MEDIA_TYPE,
            status=200 if node else 404,
            headers=BADGE_HEADERS,
        )

    async def get_robots(self, request: Request) -> Response:
        """GET /robots.txt."""
        return PlainTextResponse(ROBOTS, headers={"Cache-Control": "public, max-age=86400"})


def _label(node: NodeView | None, show: Show) -> str:
    if node is None:
        return "luckrig"
    match show:
        case "luckrig":
            return "luckrig"
        case "name":
            return node.name
        case "gpu":
            return node.hardware.gpu or "no GPU"
        case "model":
            return node.offers[0].model


_BADGE_PARAMETERS: Final = (
    Parameter(
        name="node_id",
        where="path",
        schema={"type": "string"},
        description="The rig's id.",
        required=True,
    ),
    Parameter(
        name="show",
        where="query",
        schema={"type": "string", "enum": ["luckrig", "name", "gpu", "model"]},
        description="What stands beside the status.",
    ),
)
