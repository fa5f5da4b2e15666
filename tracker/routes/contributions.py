"""Receipts in, ledger, scores and timings out: /api/v1/receipts, ledger, me/score, timings."""

from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.receipts import MAX_RECEIPT_CHARS
from luckrig.protocol.strictjson import decode
from luckrig.protocol.wire import (
    MAX_RECEIPTS_AT_ONCE,
    AnchorReply,
    AnchorRequest,
    LedgerPage,
    ReceiptsReply,
    ReceiptsRequest,
    ScoreReply,
    TimingsReply,
)
from luckrig.tracker.routes.exports import TIMINGS_PARAMETERS, TimingsQuery
from luckrig.tracker.routes.http import BODY_ERRORS, cacheable_json, json_response, read_json_body
from luckrig.tracker.routes.operations import Operation, Parameter
from luckrig.tracker.routes.query import parse_query
from luckrig.tracker.routes.signed import PROOF, SignedRequests
from luckrig.tracker.service.ledger import Ledger
from luckrig.tracker.service.receipts import ReceiptService
from luckrig.tracker.service.scores import ScoreService

MAX_BODY_BYTES: Final = MAX_RECEIPTS_AT_ONCE * (2 * MAX_RECEIPT_CHARS + 100)
MAX_LEDGER_ENTRIES: Final = 1000
"""In one answer: about 400 KB."""


class LedgerQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which piece of the ledger: entries with a position above `after`."""

    after: Annotated[int, msgspec.Meta(ge=-1, le=2**53)] = -1
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LEDGER_ENTRIES)] = MAX_LEDGER_ENTRIES


class ContributionApi:
    """The handlers; `operations` is the list of all of them."""

    def __init__(
        self,
        *,
        receipts: ReceiptService,
        ledger: Ledger,
        scores: ScoreService,
        signed: SignedRequests,
    ) -> None:
        self._receipts = receipts
        self._ledger = ledger
        self._scores = scores
        self._signed = signed
        self.operations = self._list_operations()

    async def submit(self, request: Request) -> Response:
        """POST /api/v1/receipts."""
        body = await read_json_body(request, max_bytes=MAX_BODY_BYTES)
        return json_response(await self._receipts.submit(decode(body, ReceiptsRequest)))

    async def get_ledger(self, request: Request) -> Response:
        """GET /api/v1/ledger."""
        query = parse_query(request.query_params.multi_items(), LedgerQuery)
        return json_response(await self._ledger.page(after=query.after, limit=query.limit))

    async def get_score(self, request: Request) -> Response:
        """GET /api/v1/me/score."""
        return json_response(await self._scores.score(self._signed.user_of(request)))

    async def anchor(self, request: Request) -> Response:
        """POST /api/v1/admin/anchors."""
        signed = await self._signed.read(request)
        wanted = decode(signed.body, AnchorRequest)
        return json_response(await self._scores.anchor(wanted, asked_by=signed.user_id))

    async def get_timings(self, request: Request) -> Response:
        """GET /api/v1/timings."""
        query = parse_query(request.query_params.multi_items(), TimingsQuery)
        return cacheable_json(request, await self._scores.timings(node_id=query.node))

    def _list_operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="POST",
                path="/api/v1/receipts",
                name="submitReceipts",
                summary="What rigs served and what their users say to it.",
                handler=self.submit,
                request=ReceiptsRequest,
                response=ReceiptsReply,
                errors=BODY_ERRORS,
            ),
            Operation(
                method="GET",
                path="/api/v1/ledger",
                name="getLedger",
                summary="Every contribution, as a chain of hashes with a signed head.",
                handler=self.get_ledger,
                response=LedgerPage,
                parameters=_LEDGER_PARAMETERS,
                errors=("invalid_request",),
            ),
            Operation(
                method="GET",
                path="/api/v1/me/score",
                name="getScore",
                summary="Your score, every term of it.",
                handler=self.get_score,
                response=ScoreReply,
                parameters=(PROOF,),
                errors=("proof_invalid", "rate_limited"),
            ),
            Operation(
                method="POST",
                path="/api/v1/admin/anchors",
                name="anchor",
                summary="Say that a user is a person you know, or no longer. For operators.",
                handler=self.anchor,
                request=AnchorRequest,
                response=AnchorReply,
                parameters=(PROOF,),
                errors=(*BODY_ERRORS, "proof_invalid", "operators_only", "rate_limited"),
            ),
            Operation(
                method="GET",
                path="/api/v1/timings",
                name="getTimings",
                summary="What users measured and shared, by rig, model and length of prompt.",
                handler=self.get_timings,
                response=TimingsReply,
                parameters=TIMINGS_PARAMETERS,
                errors=("invalid_request",),
            ),
        )


_LEDGER_PARAMETERS: Final = (
    Parameter(
        name="after",
        where="query",
        schema={"type": "integer", "minimum": -1},
        description="The position before the first entry wanted; -1 for the beginning.",
    ),
    Parameter(
        name="limit",
        where="query",
        schema={"type": "integer", "minimum": 1, "maximum": MAX_LEDGER_ENTRIES},
        description="Entries in the answer.",
    ),
)
