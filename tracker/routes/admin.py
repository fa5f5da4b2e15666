"""What only operators may ask for: /api/v1/admin."""

from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.strictjson import decode
from luckrig.protocol.wire import BanReply, BanRequest, LiftReply, LiftRequest
from luckrig.tracker.routes.http import BODY_ERRORS, json_response
from luckrig.tracker.routes.operations import Operation
from luckrig.tracker.routes.signed import PROOF, SignedRequests
from luckrig.tracker.service.bans import BanService


class AdminApi:
    """The handlers; `operations` is the list of all of them."""

    def __init__(self, *, bans: BanService, signed: SignedRequests) -> None:
        self._bans = bans
        self._signed = signed
        self.operations = self._list_operations()

    async def ban(self, request: Request) -> Response:
        """POST /api/v1/admin/bans."""
        signed = await self._signed.read(request)
        wanted = decode(signed.body, BanRequest)
        return json_response(await self._bans.ban(wanted, asked_by=signed.user_id))

    async def lift(self, request: Request) -> Response:
        """POST /api/v1/admin/bans/lift."""
        signed = await self._signed.read(request)
        wanted = decode(signed.body, LiftRequest)
        return json_response(await self._bans.lift(wanted, asked_by=signed.user_id))

    def _list_operations(self) -> tuple[Operation, ...]:
        errors = (*BODY_ERRORS, "proof_invalid", "operators_only", "rate_limited")
        return (
            Operation(
                method="POST",
                path="/api/v1/admin/bans",
                name="ban",
                summary="Ban a user or a rig, with a reason. For operators.",
                handler=self.ban,
                request=BanRequest,
                response=BanReply,
                parameters=(PROOF,),
                errors=(*errors, "unsafe_text"),
            ),
            Operation(
                method="POST",
                path="/api/v1/admin/bans/lift",
                name="liftBan",
                summary="End a ban. For operators.",
                handler=self.lift,
                request=LiftRequest,
                response=LiftReply,
                parameters=(PROOF,),
                errors=errors,
            ),
        )
