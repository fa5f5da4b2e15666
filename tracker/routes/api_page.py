"""GET /api: the API as a page to read."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.web.api_page import make_api_page
from luckrig.web.pages import Site
from luckrig.web.render import Renderer


class ApiPages:
    """The handler. document: the OpenAPI document, the same for ever, asked for once."""

    def __init__(
        self,
        *,
        document: Callable[[], Mapping[str, Any]],
        renderer: Renderer,
        site: Callable[[], Site],
    ) -> None:
        self._document = document
        self._renderer = renderer
        self._site = site
        self._html: str | None = None

    def routes(self) -> list[Route]:
        """The page's."""
        return [Route("/api", self.show)]

    async def show(self, request: Request) -> Response:
        """GET /api."""
        if self._html is None:  # 40 operations take longer to render than a map
            self._html = self._renderer.render(make_api_page(self._document(), site=self._site()))
        return HTMLResponse(self._html)
