"""The operators' desk: /operator. Reading and deciding, for whoever the settings name, at each
request anew."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from luckrig.protocol.descriptor_log import LogHead
from luckrig.protocol.desk import (
    AnswerRequest,
    AuditPage,
    DecisionRequest,
    HoldRequest,
    LiftRequest,
    UndoRequest,
)
from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.errors import PeerError
from luckrig.tracker.routes.form_values import convert
from luckrig.tracker.routes.query import parse_query, without_language
from luckrig.tracker.routes.sessions import Browsers, private_page, private_redirect
from luckrig.tracker.service.case_desk import CaseDesk
from luckrig.tracker.service.decisions import DecisionService
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.service.sessions import Session
from luckrig.web.operator_pages import (
    DECIDE,
    DESK,
    AuditLogPage,
    CaseFile,
    DecidePage,
    DeskPage,
    Problem,
    Viewer,
    case_path,
)
from luckrig.web.pages import Site
from luckrig.web.render import Renderer

AUDIT_LINES: Final = 50
"""On a page."""
_MENDABLE: Final = frozenset(
    ("invalid_request", "unsafe_text", "decision_conflict", "case_not_found", "node_not_found")
)
"""What whoever sent a form can mend: it is shown again, with what they typed."""
_DONE: Final = frozenset(("decided", "lifted"))
"""What the page says to have been done: texts `desk.done.` of the languages."""

Fields = Mapping[str, str]


class DeskQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of which list."""

    after: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    appealed: bool = False


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines with a position above `after`, -1 for the first ones; None for the newest."""

    after: Annotated[int, msgspec.Meta(ge=-1, le=2**53)] | None = None


class DecideQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was just done, to be said."""

    done: Annotated[str, msgspec.Meta(max_length=20)] = ""


class OperatorPages:
    """The handlers. site: what pages say of this tracker, in the language of the request."""

    def __init__(
        self,
        *,
        browsers: Browsers,
        operators: Operators,
        desk: CaseDesk,
        decisions: DecisionService,
        renderer: Renderer,
        site: Callable[[Request], Site],
    ) -> None:
        self._browsers = browsers
        self._operators = operators
        self._desk = desk
        self._decisions = decisions
        self._renderer = renderer
        self._site = site

    def routes(self) -> list[Route]:
        """Every page and form."""
        case = f"{DESK}/cases/{{case_id}}"
        return [
            Route(DESK, self.show_cases, methods=["GET"]),
            Route(f"{DESK}/audit", self.show_audit, methods=["GET"]),
            Route(DECIDE, self.show_decide, methods=["GET"]),
            Route(DECIDE, self.decide_unreported, methods=["POST"]),
            Route(f"{DESK}/lift", self.lift, methods=["POST"]),
            Route(case, self.show_case, methods=["GET"]),
            Route(f"{case}/decide", self.decide, methods=["POST"]),
            Route(f"{case}/undo", self.undo, methods=["POST"]),
            Route(f"{case}/answers", self.answer, methods=["POST"]),
            Route(f"{case}/hold", self.hold, methods=["POST"]),
        ]

    async def show_cases(self, request: Request) -> Response:
        """GET /operator."""
        viewer = await self._viewer(request)
        query = parse_query(without_language(request), DeskQuery)
        cases = await self._desk.page(
            after=query.after, appealed=query.appealed, asked_by=viewer.user_id
        )
        page = DeskPage(
            site=self._site(request),
            viewer=viewer,
            cases=cases,
            appealed=query.appealed,
            after=query.after,
        )
        return private_page(self._renderer, page)

    async def show_case(self, request: Request) -> Response:
        """GET /operator/cases/{case_id}."""
        return await self._case_file(request, await self._viewer(request))

    async def show_audit(self, request: Request) -> Response:
        """GET /operator/audit."""
        viewer = await self._viewer(request)
        after = parse_query(without_language(request), AuditQuery).after
        if after is None:
            newest = _size(await self._desk.audit(after=-1, limit=1, asked_by=viewer.user_id))
            after = max(-1, newest - AUDIT_LINES - 1)
        found = await self._desk.audit(after=after, limit=AUDIT_LINES, asked_by=viewer.user_id)
        page = AuditLogPage(
            site=self._site(request),
            viewer=viewer,
            lines=found.lines,
            size=_size(found),
            limit=AUDIT_LINES,
        )
        return private_page(self._renderer, page)

    async def show_decide(self, request: Request) -> Response:
        """GET /operator/decide."""
        viewer = await self._viewer(request)
        done = parse_query(without_language(request), DecideQuery).done
        page = DecidePage(
            site=self._site(request), viewer=viewer, done=done if done in _DONE else None
        )
        return private_page(self._renderer, page)

    async def decide(self, request: Request) -> Response:
        """POST /operator/cases/{case_id}/decide."""
        case_id = request.path_params["case_id"]

        async def act(fields: Fields, user_id: str) -> str:
            await self._decisions.decide(_of_case(fields, case_id), asked_by=user_id)
            return self._link(request, case_path(case_id))

        return await self._act(request, act)

    async def undo(self, request: Request) -> Response:
        """POST /operator/cases/{case_id}/undo."""

        async def act(fields: Fields, user_id: str) -> str:
            await self._decisions.undo(convert(fields, UndoRequest), asked_by=user_id)
            return self._link(request, case_path(request.path_params["case_id"]))

        return await self._act(request, act)

    async def answer(self, request: Request) -> Response:
        """POST /operator/cases/{case_id}/answers."""

        async def act(fields: Fields, user_id: str) -> str:
            await self._decisions.answer(convert(fields, AnswerRequest), asked_by=user_id)
            return self._link(request, case_path(request.path_params["case_id"]))

        return await self._act(request, act)

    async def hold(self, request: Request) -> Response:
        """POST /operator/cases/{case_id}/hold."""
        case_id = request.path_params["case_id"]

        async def act(fields: Fields, user_id: str) -> str:
            given = {name: value for name, value in fields.items() if name != "hold"}
            wanted = convert({**given, "case_id": case_id}, HoldRequest)
            await self._decisions.hold(wanted, asked_by=user_id)
            return self._link(request, case_path(case_id))

        return await self._act(request, act)

    async def decide_unreported(self, request: Request) -> Response:
        """POST /operator/decide."""

        async def act(fields: Fields, user_id: str) -> str:
            made = await self._decisions.decide(_decision(fields), asked_by=user_id)
            if made.case_id is None:
                return self._link(request, DECIDE, done="decided")
            return self._link(request, case_path(made.case_id))

        return await self._act(request, act)

    async def lift(self, request: Request) -> Response:
        """POST /operator/lift."""

        async def act(fields: Fields, user_id: str) -> str:
            await self._decisions.lift(convert(fields, LiftRequest), asked_by=user_id)
            return self._link(request, DECIDE, done="lifted")

        return await self._act(request, act)

    async def _act(
        self, request: Request, act: Callable[[Fields, str], Awaitable[str]]
    ) -> Response:
        """Do what a form asks for and lead to its page, or show the form again and say why not."""
        session, fields = await self._browsers.posted(request)
        viewer = self._check(session)
        try:
            return private_redirect(await act(fields, viewer.user_id))
        except PeerError as error:
            if error.code not in _MENDABLE:
                raise
            return await self._shown_again(request, viewer, fields, error)

    async def _shown_again(
        self, request: Request, viewer: Viewer, fields: Fields, error: PeerError
    ) -> Response:
        if "case_id" in request.path_params:
            return await self._case_file(request, viewer, error=error, draft=fields)
        page = DecidePage(
            site=self._site(request),
            viewer=viewer,
            problem=Problem(error.code, error.message),
            draft=fields,
        )
        return private_page(self._renderer, page, status=error.status)

    async def _case_file(
        self,
        request: Request,
        viewer: Viewer,
        *,
        error: PeerError | None = None,
        draft: Fields | None = None,
    ) -> Response:
        case_id = request.path_params["case_id"]
        page = CaseFile(
            site=self._site(request),
            viewer=viewer,
            detail=await self._desk.case(case_id, asked_by=viewer.user_id),
            is_alone=self._operators.is_alone,
            problem=None if error is None else Problem(error.code, error.message),
            draft=draft or {},
        )
        return private_page(self._renderer, page, status=200 if error is None else error.status)

    def _link(self, request: Request, path: str, **query: str) -> str:
        return self._site(request).link(path, **query)

    async def _viewer(self, request: Request) -> Viewer:
        return self._check(await self._browsers.signed_in(request))

    def _check(self, session: Session) -> Viewer:
        self._operators.check(session.user_id)
        return Viewer(
            user_id=session.user_id, csrf=self._browsers.form_token(session), is_operator=True
        )


def _of_case(fields: Fields, case_id: str) -> DecisionRequest:
    """`what` is one of operator_pages.choice_value."""
    action, _, target = fields.get("what", "").partition(" ")
    kind, _, target_id = target.partition(" ")
    rest = {name: value for name, value in fields.items() if name != "what"}
    chosen = {"action": action, "target_kind": kind, "target_id": target_id}
    return _decision({**rest, **chosen, "case_id": case_id})


def _decision(fields: Fields) -> DecisionRequest:
    """The form always sends days; only a suspension has them."""
    is_suspension = fields.get("action") == "suspend"
    return convert(fields if is_suspension else {**fields, "days": ""}, DecisionRequest)


def _size(page: AuditPage) -> int:
    """How many lines the log has, as its head says; the head is our own."""
    payload = b64url_decode(page.head.split(".")[1])
    return msgspec.json.decode(payload, type=LogHead).size
