"""One's own data as JSON: /api/v1/me/export, /api/v1/me/erase."""

from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.account import AccountExport, EraseReply, EraseRequest
from luckrig.protocol.strictjson import decode
from luckrig.tracker.routes.http import BODY_ERRORS, json_response
from luckrig.tracker.routes.operations import Operation
from luckrig.tracker.routes.signed import PROOF, SignedRequests
from luckrig.tracker.service.people import PeopleService


class PeopleApi:
    """The handlers; `operations` is the list of all of them."""

    def __init__(self, *, people: PeopleService, signed: SignedRequests) -> None:
        self._people = people
        self._signed = signed
        self.operations = self._list_operations()

    async def export(self, request: Request) -> Response:
        """GET /api/v1/me/export."""
        return json_response(await self._people.export(self._signed.user_of(request)))

    async def erase(self, request: Request) -> Response:
        """POST /api/v1/me/erase."""
        signed = await self._signed.read(request)
        wanted = decode(signed.body, EraseRequest)
        return json_response(await self._people.erase(wanted, asked_by=signed.user_id))

    def _list_operations(self) -> tuple[Operation, ...]:
        errors = ("proof_invalid", "key_replaced", "rate_limited")
        return (
            Operation(
                method="GET",
                path="/api/v1/me/export",
                name="exportAccount",
                summary="All that this tracker stores of one.",
                handler=self.export,
                response=AccountExport,
                parameters=(PROOF,),
                errors=errors,
            ),
            Operation(
                method="POST",
                path="/api/v1/me/erase",
                name="eraseAccount",
                summary="Delete one's account, with all rigs and notes.",
                handler=self.erase,
                request=EraseRequest,
                response=EraseReply,
                parameters=(PROOF,),
                errors=(*BODY_ERRORS, *errors),
            ),
        )
