"""The page of rigs that are worth a look: /showcase."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.protocol.wire import NodeView, ShowcaseCategory
from luckrig.tracker.routes.sites import Sites
from luckrig.tracker.service.nodes import NodeService
from luckrig.tracker.service.showcase import ShowcaseService
from luckrig.web.render import Renderer
from luckrig.web.showcase_page import ShowcasePage, ShownCategory, ShownRig


class ShowcasePages:
    """Handler of /showcase."""

    def __init__(
        self, *, showcase: ShowcaseService, nodes: NodeService, renderer: Renderer, sites: Sites
    ) -> None:
        self._showcase = showcase
        self._nodes = nodes
        self._renderer = renderer
        self._sites = sites

    def routes(self) -> list[Route]:
        """Its route."""
        return [Route("/showcase", self.show)]

    async def show(self, request: Request) -> Response:
        """GET /showcase."""
        found = (await self._showcase.current()).categories
        views = await self._nodes.views({rig.node_id for each in found for rig in each.rigs})
        shown = [_category(each, views) for each in found]
        page = ShowcasePage(
            site=self._sites.of(request), categories=[each for each in shown if each.rigs]
        )
        return HTMLResponse(self._renderer.render(page), headers={"Vary": "Accept-Language"})


def _category(category: ShowcaseCategory, views: Mapping[str, NodeView]) -> ShownCategory:
    return ShownCategory(
        key=category.key,
        rigs=[
            ShownRig(node=views[each.node_id], number=each.number)
            for each in category.rigs
            if each.node_id in views  # it may have left since it was counted
        ],
    )
