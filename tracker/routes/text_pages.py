"""The pages of words and numbers: terms, privacy, compliance, about, transparency."""

from collections.abc import Callable, Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from luckrig.protocol.transparency import PERIOD_PATTERN, PeriodName, TransparencyReport
from luckrig.tracker.routes.http import cacheable, cacheable_json
from luckrig.tracker.routes.operations import Operation, Parameter
from luckrig.tracker.routes.query import parse_query, without_language
from luckrig.tracker.service.transparency import TransparencyService
from luckrig.web.pages import Page, Site
from luckrig.web.render import Renderer
from luckrig.web.tables import MEDIA_TYPE
from luckrig.web.text_pages import (
    AboutPage,
    CompliancePage,
    Operator,
    PrivacyPage,
    TermsPage,
)
from luckrig.web.transparency_page import TransparencyPage, make_csv


class PeriodQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which period; none, or an empty one, is the current year."""

    period: PeriodName | None = None


class TextPages:
    """Handlers of those pages. site: what they say of the tracker, in the language of the request.

    stored: the tables that /privacy lists. root_id: the tracker's, r1….
    """

    def __init__(
        self,
        *,
        transparency: TransparencyService,
        renderer: Renderer,
        site: Callable[[Request], Site],
        operator: Operator,
        stored: Sequence[str],
        root_id: str,
    ) -> None:
        self._transparency = transparency
        self._renderer = renderer
        self._site = site
        self._operator = operator
        self._stored = stored
        self._root_id = root_id
        self.operations = (
            Operation(
                method="GET",
                path="/transparency.json",
                name="getTransparency",
                summary="What was reported, decided and appealed in a period, in numbers.",
                handler=self.get_numbers,
                response=TransparencyReport,
                parameters=(
                    Parameter(
                        name="period",
                        where="query",
                        schema={"type": "string", "pattern": PERIOD_PATTERN},
                        description="2026, 2026-H2 or 2026-11; without it, the current year.",
                    ),
                ),
                errors=("invalid_request",),
            ),
        )

    def routes(self) -> list[Route]:
        """Every page's route."""
        return [
            Route("/terms", self.show_terms),
            Route("/privacy", self.show_privacy),
            Route("/compliance", self.show_compliance),
            Route("/about", self.show_about),
            Route("/transparency", self.show_transparency),
            Route("/transparency.csv", self.get_csv),
        ]

    async def show_terms(self, request: Request) -> Response:
        """GET /terms."""
        return self._show(TermsPage(site=self._site(request), operator=self._operator))

    async def show_privacy(self, request: Request) -> Response:
        """GET /privacy."""
        site = self._site(request)
        return self._show(PrivacyPage(site=site, operator=self._operator, stored=self._stored))

    async def show_compliance(self, request: Request) -> Response:
        """GET /compliance."""
        return self._show(CompliancePage(site=self._site(request), operator=self._operator))

    async def show_about(self, request: Request) -> Response:
        """GET /about."""
        site = self._site(request)
        return self._show(AboutPage(site=site, operator=self._operator, root_id=self._root_id))

    async def show_transparency(self, request: Request) -> Response:
        """GET /transparency."""
        report = await self._report(request)
        return self._show(TransparencyPage(site=self._site(request), report=report))

    async def get_numbers(self, request: Request) -> Response:
        """GET /transparency.json."""
        return cacheable_json(request, await self._report(request))

    async def get_csv(self, request: Request) -> Response:
        """GET /transparency.csv."""
        report = await self._report(request)
        name = f"transparency-{report.period}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return cacheable(request, make_csv(report).encode(), MEDIA_TYPE, headers=headers)

    async def _report(self, request: Request) -> TransparencyReport:
        query = parse_query(without_language(request), PeriodQuery)
        return await self._transparency.report(query.period)

    def _show(self, page: Page) -> Response:
        return HTMLResponse(self._renderer.render(page), headers={"Vary": "Accept-Language"})
