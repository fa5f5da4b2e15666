"""What only operators may ask for: /api/v1/admin."""

from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.desk import (
    AnswerRequest,
    AuditPage,
    CaseDetail,
    CasePage,
    DecisionRequest,
    DecisionView,
    HoldRequest,
    LiftRequest,
    UndoRequest,
)
from luckrig.protocol.strictjson import decode
from luckrig.protocol.tokens import Opaque
from luckrig.tracker.routes.http import BODY_ERRORS, json_response
from luckrig.tracker.routes.operations import Operation, Parameter
from luckrig.tracker.routes.query import parse_query
from luckrig.tracker.routes.signed import PROOF, SignedRequests
from luckrig.tracker.service.case_desk import CaseDesk
from luckrig.tracker.service.decisions import DecisionService

MAX_AUDIT_LINES: Final = 1000
MAX_DECISION_BYTES: Final = 16_384
_OPAQUE: Final[dict[str, object]] = {"type": "string", "pattern": "^[A-Za-z0-9_-]{16,64}$"}
_CASE: Final = Parameter(
    name="case_id", where="path", schema=_OPAQUE, description="The case's id.", required=True
)
_AFTER_CASE: Final = Parameter(
    name="after", where="query", schema=_OPAQUE, description="The last page's `next`."
)
_APPEALED: Final = Parameter(
    name="appealed",
    where="query",
    schema={"type": "string", "enum": ["0", "1"]},
    description="1: the cases with an appeal that nobody has answered, instead of the open ones.",
)
_AFTER_LINE: Final = Parameter(
    name="after",
    where="query",
    schema={"type": "integer", "minimum": -1},
    description="Lines with a higher position.",
)
_LIMIT: Final = Parameter(
    name="limit",
    where="query",
    schema={"type": "integer", "minimum": 1, "maximum": MAX_AUDIT_LINES},
    description="How many at most.",
)


class CasesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which cases."""

    after: Opaque | None = None
    appealed: Annotated[int, msgspec.Meta(ge=0, le=1)] = 0


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which lines of the audit log."""

    after: Annotated[int, msgspec.Meta(ge=-1, le=2**53)] = -1
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_AUDIT_LINES)] = MAX_AUDIT_LINES


class AdminApi:
    """The handlers; `operations` is the list of all of them."""

    def __init__(
        self, *, decisions: DecisionService, desk: CaseDesk, signed: SignedRequests
    ) -> None:
        self._decisions = decisions
        self._desk = desk
        self._signed = signed
        self.operations = self._list_operations()

    async def cases(self, request: Request) -> Response:
        """GET /api/v1/admin/cases."""
        asked_by = self._signed.user_of(request)
        query = parse_query(request.query_params.multi_items(), CasesQuery)
        page = await self._desk.page(
            after=query.after, appealed=bool(query.appealed), asked_by=asked_by
        )
        return json_response(page)

    async def case(self, request: Request) -> Response:
        """GET /api/v1/admin/cases/{case_id}."""
        asked_by = self._signed.user_of(request)
        case_id = request.path_params["case_id"]
        return json_response(await self._desk.case(case_id, asked_by=asked_by))

    async def decide(self, request: Request) -> Response:
        """POST /api/v1/admin/decisions."""
        signed = await self._signed.read(request, max_bytes=MAX_DECISION_BYTES)
        wanted = decode(signed.body, DecisionRequest)
        return json_response(await self._decisions.decide(wanted, asked_by=signed.user_id))

    async def undo(self, request: Request) -> Response:
        """POST /api/v1/admin/undo."""
        signed = await self._signed.read(request, max_bytes=MAX_DECISION_BYTES)
        wanted = decode(signed.body, UndoRequest)
        return json_response(await self._decisions.undo(wanted, asked_by=signed.user_id))

    async def lift(self, request: Request) -> Response:
        """POST /api/v1/admin/lift."""
        signed = await self._signed.read(request, max_bytes=MAX_DECISION_BYTES)
        wanted = decode(signed.body, LiftRequest)
        return json_response(await self._decisions.lift(wanted, asked_by=signed.user_id))

    async def answer(self, request: Request) -> Response:
        """POST /api/v1/admin/answers."""
        signed = await self._signed.read(request, max_bytes=MAX_DECISION_BYTES)
        wanted = decode(signed.body, AnswerRequest)
        case_id = await self._decisions.answer(wanted, asked_by=signed.user_id)
        return json_response(await self._desk.case(case_id, asked_by=signed.user_id))

    async def hold(self, request: Request) -> Response:
        """POST /api/v1/admin/holds."""
        signed = await self._signed.read(request, max_bytes=MAX_DECISION_BYTES)
        wanted = decode(signed.body, HoldRequest)
        await self._decisions.hold(wanted, asked_by=signed.user_id)
        return json_response(await self._desk.case(wanted.case_id, asked_by=signed.user_id))

    async def audit(self, request: Request) -> Response:
        """GET /api/v1/admin/audit."""
        asked_by = self._signed.user_of(request)
        query = parse_query(request.query_params.multi_items(), AuditQuery)
        page = await self._desk.audit(after=query.after, limit=query.limit, asked_by=asked_by)
        return json_response(page)

    def _list_operations(self) -> tuple[Operation, ...]:
        reading = ("proof_invalid", "operators_only", "rate_limited")
        writing = (*BODY_ERRORS, *reading, "case_not_found", "unsafe_text", "decision_conflict")
        return (
            Operation(
                method="GET",
                path="/api/v1/admin/cases",
                name="listCases",
                summary="Cases to decide, the gravest first. For operators.",
                handler=self.cases,
                response=CasePage,
                parameters=(PROOF, _AFTER_CASE, _APPEALED),
                errors=(*reading, "invalid_request", "case_not_found"),
            ),
            Operation(
                method="GET",
                path="/api/v1/admin/cases/{case_id}",
                name="getCase",
                summary="One case with all about it. For operators.",
                handler=self.case,
                response=CaseDetail,
                parameters=(PROOF, _CASE),
                errors=(*reading, "case_not_found"),
            ),
            Operation(
                method="POST",
                path="/api/v1/admin/decisions",
                name="decide",
                summary="Decide about a user, a rig, a note or a network. For operators.",
                handler=self.decide,
                request=DecisionRequest,
                response=DecisionView,
                parameters=(PROOF,),
                errors=writing,
            ),
            Operation(
                method="POST",
                path="/api/v1/admin/undo",
                name="undoDecision",
                summary="Take a decision back. For operators.",
                handler=self.undo,
                request=UndoRequest,
                response=DecisionView,
                parameters=(PROOF,),
                errors=writing,
            ),
            Operation(
                method="POST",
                path="/api/v1/admin/lift",
                name="lift",
                summary="Take back what holds a user, rig, note or network now. For operators.",
                handler=self.lift,
                request=LiftRequest,
                response=DecisionView,
                parameters=(PROOF,),
                errors=writing,
            ),
            Operation(
                method="POST",
                path="/api/v1/admin/answers",
                name="answerAppeal",
                summary="Answer an appeal. For operators.",
                handler=self.answer,
                request=AnswerRequest,
                response=CaseDetail,
                parameters=(PROOF,),
                errors=writing,
            ),
            Operation(
                method="POST",
                path="/api/v1/admin/holds",
                name="holdCase",
                summary="Set or end a legal hold. For operators.",
                handler=self.hold,
                request=HoldRequest,
                response=CaseDetail,
                parameters=(PROOF,),
                errors=writing,
            ),
            Operation(
                method="GET",
                path="/api/v1/admin/audit",
                name="getAudit",
                summary="The audit log with a signed head. For operators.",
                handler=self.audit,
                response=AuditPage,
                parameters=(PROOF, _AFTER_LINE, _LIMIT),
                errors=(*reading, "invalid_request"),
            ),
        )
