"""The page that plays replays. No replay ever reaches the tracker."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.tracker.routes.sites import Sites
from luckrig.web.render import Renderer
from luckrig.web.replays_page import ReplaysPage


class ReplayPages:
    """Its handler. sites: what the page says of the tracker."""

    def __init__(self, *, renderer: Renderer, sites: Sites) -> None:
        self._renderer = renderer
        self._sites = sites

    def routes(self) -> list[Route]:
        """The page's route."""
        return [Route("/replays", self.show_replays)]

    async def show_replays(self, request: Request) -> Response:
        """GET /replays."""
        page = ReplaysPage(site=self._sites.of(request))
        return HTMLResponse(self._renderer.render(page), headers={"Vary": "Accept-Language"})
