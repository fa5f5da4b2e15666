"""Reports and appeals as JSON: /api/v1/reports, /api/v1/me, /api/v1/admin."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.reports import (
    AppealText,
    DecisionNotice,
    ReportReply,
    ReportRequest,
    ReportStatus,
    StatementsReply,
)
from luckrig.protocol.strictjson import decode
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.http import BODY_ERRORS, json_response, read_json_body
from luckrig.tracker.routes.operations import Operation, Parameter
from luckrig.tracker.routes.signed import PROOF, PROOF_IF_ANY, SignedRequests
from luckrig.tracker.service.reports import ReportService
from luckrig.tracker.service.statements import StatementService

MAX_REPORT_BYTES: Final = 65_536
_TICKET: Final = Parameter(
    name="ticket",
    where="path",
    schema={"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"},
    description="What the report's receipt says.",
    required=True,
)


class ReportApi:
    """The handlers; `operations` is the list of all of them."""

    def __init__(
        self,
        *,
        reports: ReportService,
        statements: StatementService,
        signed: SignedRequests,
        networks: ClientNetworks,
    ) -> None:
        self._reports = reports
        self._statements = statements
        self._signed = signed
        self._networks = networks
        self.operations = self._list_operations()

    async def report(self, request: Request) -> Response:
        """POST /api/v1/reports."""
        reporter_id = None
        if "dpop" in request.headers:
            signed = await self._signed.read(request, max_bytes=MAX_REPORT_BYTES)
            body, reporter_id = signed.body, signed.user_id
        else:
            body = await read_json_body(request, max_bytes=MAX_REPORT_BYTES)
        wanted = decode(body, ReportRequest)
        prefix = self._networks.prefix(request)
        reply = await self._reports.report(wanted, prefix=prefix, reporter_id=reporter_id)
        return json_response(reply)

    async def status(self, request: Request) -> Response:
        """GET /api/v1/reports/{ticket}."""
        return json_response(await self._reports.status(request.path_params["ticket"]))

    async def appeal_report(self, request: Request) -> Response:
        """POST /api/v1/reports/{ticket}/appeals."""
        body = await read_json_body(request, max_bytes=MAX_REPORT_BYTES)
        wanted = decode(body, AppealText)
        return json_response(await self._reports.appeal(request.path_params["ticket"], wanted))

    async def statements(self, request: Request) -> Response:
        """GET /api/v1/me/decisions."""
        return json_response(await self._statements.about(self._signed.user_of(request)))

    async def appeal(self, request: Request) -> Response:
        """POST /api/v1/me/appeals."""
        signed = await self._signed.read(request, max_bytes=MAX_REPORT_BYTES)
        wanted = decode(signed.body, AppealText)
        return json_response(await self._statements.appeal(wanted, user_id=signed.user_id))

    def _list_operations(self) -> tuple[Operation, ...]:
        appealing = (*BODY_ERRORS, "appeal_refused", "decision_conflict")
        return (
            Operation(
                method="POST",
                path="/api/v1/reports",
                name="report",
                summary="Report a rig, a note, a user or a reply; signed by trusted notifiers.",
                handler=self.report,
                request=ReportRequest,
                response=ReportReply,
                parameters=(PROOF_IF_ANY,),
                errors=(
                    *BODY_ERRORS,
                    "proof_invalid",
                    "node_not_found",
                    "note_not_found",
                    "rate_limited",
                ),
            ),
            Operation(
                method="GET",
                path="/api/v1/reports/{ticket}",
                name="getReport",
                summary="What has become of a report.",
                handler=self.status,
                response=ReportStatus,
                parameters=(_TICKET,),
                errors=("report_not_found",),
            ),
            Operation(
                method="POST",
                path="/api/v1/reports/{ticket}/appeals",
                name="appealReport",
                summary="Appeal what was decided about one's report.",
                handler=self.appeal_report,
                request=AppealText,
                response=ReportStatus,
                parameters=(_TICKET,),
                errors=(*appealing, "report_not_found"),
            ),
            Operation(
                method="GET",
                path="/api/v1/me/decisions",
                name="getMyDecisions",
                summary="What operators decided about one's key, rigs and notes, and why.",
                handler=self.statements,
                response=StatementsReply,
                parameters=(PROOF,),
                errors=("proof_invalid", "key_replaced", "rate_limited"),
            ),
            Operation(
                method="POST",
                path="/api/v1/me/appeals",
                name="appeal",
                summary="Appeal a decision about oneself.",
                handler=self.appeal,
                request=AppealText,
                response=DecisionNotice,
                parameters=(PROOF,),
                errors=(*appealing, "proof_invalid", "key_replaced", "rate_limited"),
            ),
        )
