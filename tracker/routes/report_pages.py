"""The report form, and the private page of each report: for people without a key, or scripts."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.reports import MAX_REPORT_CHARS, AppealText
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.forms import check_same_site, read_form
from luckrig.tracker.routes.report_form import (
    find_problems,
    make_report,
    read_form_id,
    read_values,
)
from luckrig.tracker.service.reports import ReportService
from luckrig.web.pages import Site, wait_words
from luckrig.web.render import Renderer
from luckrig.web.report_pages import FIELDS, Problem, ReportPage, TicketPage, ticket_path

FORM_ID_BYTES: Final = 24
"""32 characters, which nobody else can guess: whoever has a form's id can have its ticket."""
MAX_REPORT_FORM_BYTES: Final = 196_608
"""Three texts of 4,000 characters and the short ones; a form takes up to 12 bytes for each."""
MAX_PREFILLED_CHARS: Final = 300

_FORM_HEADERS: Final = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language"}
_TICKET_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
    "X-Robots-Tag": "noindex",
}
_PREFILLED: Final = {"kind": "subject_kind", "id": "subject_id", "category": "category"}


class ReportPages:
    """Handlers of /report and what is below it.

    hosts: this tracker's Host values, lower case. site: what a page says of the tracker, in the
    language of the request. random_bytes: secret ones, for the forms' ids.
    """

    def __init__(
        self,
        *,
        reports: ReportService,
        renderer: Renderer,
        networks: ClientNetworks,
        hosts: Collection[str],
        site: Callable[[Request], Site],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._reports = reports
        self._renderer = renderer
        self._networks = networks
        self._hosts = frozenset(hosts)
        self._site = site
        self._random_bytes = random_bytes

    def routes(self) -> list[Route]:
        """Every page's route."""
        return [
            Route("/report", self.show_form, methods=["GET"]),
            Route("/report", self.take_form, methods=["POST"]),
            Route("/report/{ticket}", self.show_ticket, methods=["GET"]),
            Route("/report/{ticket}", self.take_appeal, methods=["POST"]),
        ]

    async def show_form(self, request: Request) -> Response:
        """GET /report?kind=&id=&category=&lang=: links fill in what is reported."""
        query = request.query_params
        values = {
            field: query.get(name, "")[:MAX_PREFILLED_CHARS] for name, field in _PREFILLED.items()
        }
        page = ReportPage(site=self._site(request), form_id=self._new_form_id(), values=values)
        return self._send_form(page)

    async def take_form(self, request: Request) -> Response:
        """POST /report: leads to the report's own page, or the form comes back with its faults."""
        check_same_site(request, hosts=self._hosts)
        fields = await read_form(request, max_bytes=MAX_REPORT_FORM_BYTES)
        site = self._site(request)
        values = read_values(fields)
        form_id = read_form_id(fields)
        page = ReportPage(
            site=site,
            form_id=form_id or self._new_form_id(),
            values=values,
            problems=find_problems(values),
            alert="" if form_id else "report.error.form",
        )
        if page.problems or page.alert:
            return self._send_form(page, status=400)
        try:
            report = make_report(values, form_id=page.form_id, language=site.words.language)
            reply = await self._reports.report(
                report, prefix=self._networks.prefix(request), reporter_id=None
            )
        except PeerError as error:
            return self._send_refusal(page, error)
        return _see(site.link(ticket_path(reply.ticket), new="1"))

    async def show_ticket(self, request: Request) -> Response:
        """GET /report/{ticket}."""
        ticket: str = request.path_params["ticket"]
        query = request.query_params
        page = TicketPage(
            site=self._site(request),
            ticket=ticket,
            status=await self._reports.status(ticket),
            news=next((news for news in ("new", "appealed") if query.get(news) == "1"), ""),
        )
        return self._send_ticket(page)

    async def take_appeal(self, request: Request) -> Response:
        """POST /report/{ticket}: an appeal of whoever reported."""
        check_same_site(request, hosts=self._hosts)
        fields = await read_form(request)
        ticket: str = request.path_params["ticket"]
        status = await self._reports.status(ticket)
        page = TicketPage(
            site=self._site(request),
            ticket=ticket,
            status=status,
            appeal_to=fields.get("decision_id", ""),
            appeal_text=fields.get("text", ""),
        )
        refused = _text_fault(page.appeal_text)
        code = 400
        if not refused:
            try:
                await self._reports.appeal(ticket, _appeal(page))
            except PeerError as error:
                refused, code = f"appeal.{error.code}", error.status
                if not page.site.words.has(refused):
                    raise
        if refused:
            # As it is now: what stood in the way may have changed since.
            now = await self._reports.status(ticket)
            return self._send_ticket(replace(page, status=now, refused=refused), status=code)
        return _see(page.site.link(ticket_path(ticket), appealed="1"))

    def _new_form_id(self) -> str:
        return b64url_encode(self._random_bytes(FORM_ID_BYTES))

    def _send_refusal(self, page: ReportPage, error: PeerError) -> Response:
        """The form with all that was typed, saying why the tracker didn't take it."""
        if error.code == "rate_limited":
            wait = wait_words(error.retry_after_seconds)
            refused = replace(page, alert="report.error.busy", wait=wait)
            return self._send_form(refused, status=error.status, wait=error.retry_after_seconds)
        if error.param in FIELDS:
            key = f"report.error.{error.code}"
            known = key if page.site.words.has(key) else f"report.error.{error.param}"
            problems: Mapping[str, Problem] = {error.param: Problem(known)}
            return self._send_form(replace(page, problems=problems), status=400)
        refused = replace(page, alert="report.error.refused", refused=error.message)
        return self._send_form(refused, status=error.status)

    def _send_form(
        self, page: ReportPage, *, status: int = 200, wait: int | None = None
    ) -> Response:
        headers = _FORM_HEADERS if wait is None else {**_FORM_HEADERS, "Retry-After": str(wait)}
        return HTMLResponse(self._renderer.render(page), status, headers)

    def _send_ticket(self, page: TicketPage, *, status: int = 200) -> Response:
        return HTMLResponse(self._renderer.render(page), status, _TICKET_HEADERS)


def _see(path: str) -> Response:
    """Elsewhere, so that reloading the page sends no form again."""
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})


def _text_fault(text: str) -> str:
    if not text.strip():
        return "appeal.missing"
    return "appeal.too_long" if len(text) > MAX_REPORT_CHARS else ""


def _appeal(page: TicketPage) -> AppealText:
    fields = {"decision_id": page.appeal_to, "text": page.appeal_text}
    try:
        return msgspec.convert(fields, AppealText)
    except msgspec.ValidationError:
        raise PeerError("appeal_refused", "This decision isn't about what you reported.") from None
