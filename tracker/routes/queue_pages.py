"""The page of a visitor's own tickets: /queue. The tracker knows none of them."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import is_node_id
from luckrig.protocol.wire import NodeView
from luckrig.tracker.routes.sites import Sites
from luckrig.tracker.service.nodes import NodeService
from luckrig.web.queue_page import QueuePage
from luckrig.web.render import Renderer


class QueuePages:
    """Handler of /queue."""

    def __init__(self, *, nodes: NodeService, renderer: Renderer, sites: Sites) -> None:
        self._nodes = nodes
        self._renderer = renderer
        self._sites = sites

    def routes(self) -> list[Route]:
        """Its route."""
        return [Route("/queue", self.show)]

    async def show(self, request: Request) -> Response:
        """GET /queue: the same for everybody; scripts in the browser do the rest.

        A rig that isn't on the map makes no difference: what waits elsewhere is shown all the same.
        """
        rig = await self._rig(request.query_params.get("rig", ""))
        page = QueuePage(site=self._sites.of(request), rig=rig)
        headers = {"Vary": "Accept-Language", "Content-Security-Policy": page.policy}
        return HTMLResponse(self._renderer.render(page), headers=headers)

    async def _rig(self, node_id: str) -> NodeView | None:
        if not is_node_id(node_id):
            return None
        try:
            return await self._nodes.view(node_id)
        except PeerError as error:
            if error.code != "node_not_found":
                raise
            return None
