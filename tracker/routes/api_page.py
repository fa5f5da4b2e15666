"""GET /api: the API as a page to read."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.web.api_page import make_api_page
from luckrig.web.pages import Site, with_query
from luckrig.web.render import Renderer

_PATH: Final = "/api"


class ApiPages:
    """The handler. document: the OpenAPI document, the same for ever, asked for once.

    site: what the page says of the tracker, in the language of the request.
    """

    def __init__(
        self,
        *,
        document: Callable[[], Mapping[str, Any]],
        renderer: Renderer,
        site: Callable[[Request], Site],
    ) -> None:
        self._document = document
        self._renderer = renderer
        self._site = site
        self._made: dict[tuple[str, str], str] = {}

    def routes(self) -> list[Route]:
        """The page's."""
        return [Route(_PATH, self.show)]

    async def show(self, request: Request) -> Response:
        """GET /api. 45 operations take longer to render than a map: once for each language, and
        once more for links that keep it."""
        site = _without_query(self._site(request))
        key = site.words.language, site.lang
        html = self._made.get(key)
        if html is None:
            html = self._renderer.render(make_api_page(self._document(), site=site))
            self._made[key] = html
        return HTMLResponse(html, headers={"Vary": "Accept-Language"})


def _without_query(site: Site) -> Site:
    """The page is kept for whoever comes next, who didn't ask what this visitor did."""
    links = [
        replace(each, path=with_query(_PATH, {"lang": each.language})) for each in site.languages
    ]
    return replace(site, languages=tuple(links))
