"""Registration, hand-over and invites: /api/v1/registration, handover, admin/invites."""

from starlette.requests import Request
from starlette.responses import Response

from luckrig.protocol.handover import MAX_HANDOVER_BYTES, SignedHandover
from luckrig.protocol.strictjson import decode
from luckrig.protocol.wire import (
    HandoverReply,
    InviteReply,
    InviteRequest,
    RegistrationInfo,
    RegistrationReply,
    RegistrationRequest,
)
from luckrig.tracker.routes.clients import ClientNetworks
from luckrig.tracker.routes.http import BODY_ERRORS, json_response, read_json_body
from luckrig.tracker.routes.operations import Operation
from luckrig.tracker.routes.signed import PROOF, SignedRequests
from luckrig.tracker.service.users import UserService


class UserApi:
    """The handlers; `operations` is the list of all of them."""

    def __init__(
        self, *, users: UserService, signed: SignedRequests, networks: ClientNetworks
    ) -> None:
        self._users = users
        self._signed = signed
        self._networks = networks
        self.operations = self._list_operations()

    async def get_registration(self, request: Request) -> Response:
        """GET /api/v1/registration."""
        return json_response(self._users.info())

    async def register(self, request: Request) -> Response:
        """POST /api/v1/registration."""
        signed = await self._signed.read(request)
        reply = await self._users.register(
            decode(signed.body, RegistrationRequest),
            user_id=signed.user_id,
            prefix=self._networks.prefix(request),
        )
        return json_response(reply)

    async def hand_over(self, request: Request) -> Response:
        """POST /api/v1/handover."""
        body = await read_json_body(request, max_bytes=MAX_HANDOVER_BYTES)
        reply = await self._users.hand_over(body, prefix=self._networks.prefix(request))
        return json_response(reply)

    async def invite(self, request: Request) -> Response:
        """POST /api/v1/admin/invites."""
        signed = await self._signed.read(request)
        wanted = decode(signed.body, InviteRequest)
        return json_response(await self._users.invite(wanted, asked_by=signed.user_id))

    def _list_operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="GET",
                path="/api/v1/registration",
                name="getRegistration",
                summary="What a new key has to bring.",
                handler=self.get_registration,
                response=RegistrationInfo,
            ),
            Operation(
                method="POST",
                path="/api/v1/registration",
                name="register",
                summary="Register a key, so that it may have tokens.",
                handler=self.register,
                request=RegistrationRequest,
                response=RegistrationReply,
                parameters=(PROOF,),
                errors=(
                    *BODY_ERRORS,
                    "proof_invalid",
                    "banned",
                    "key_replaced",
                    "registration_required",
                    "rate_limited",
                ),
            ),
            Operation(
                method="POST",
                path="/api/v1/handover",
                name="handOver",
                summary="Replace a key by another one: signed by both.",
                handler=self.hand_over,
                request=SignedHandover,
                response=HandoverReply,
                errors=(
                    *BODY_ERRORS,
                    "signature_invalid",
                    "banned",
                    "key_replaced",
                    "handover_conflict",
                    "rate_limited",
                ),
            ),
            Operation(
                method="POST",
                path="/api/v1/admin/invites",
                name="invite",
                summary="Make an invite for new keys. For operators.",
                handler=self.invite,
                request=InviteRequest,
                response=InviteReply,
                parameters=(PROOF,),
                errors=(*BODY_ERRORS, "proof_invalid", "operators_only", "rate_limited"),
            ),
        )
