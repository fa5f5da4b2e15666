"""The page of a visitor's own tickets: /queue. The tracker knows none of them."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.tracker.routes.sites import Sites
from luckrig.web.queue_page import QueuePage
from luckrig.web.render import Renderer


class QueuePages:
    """Handler of /queue."""

    def __init__(self, *, renderer: Renderer, sites: Sites) -> None:
        self._renderer = renderer
        self._sites = sites

    def routes(self) -> list[Route]:
        """Its route."""
        return [Route("/queue", self.show)]

    async def show(self, request: Request) -> Response:
        """GET /queue: the same for everybody; scripts in the browser do the rest."""
        page = QueuePage(site=self._sites.of(request))
        return HTMLResponse(self._renderer.render(page), headers={"Vary": "Accept-Language"})
