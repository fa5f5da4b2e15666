"""What a tracker is asked about keys: registration, invites, hand-over."""

from luckrig.client.tracker import TrackerClient
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import (
    HandoverReply,
    InviteReply,
    InviteRequest,
    RegistrationInfo,
    RegistrationReply,
    RegistrationRequest,
)


async def registration(client: TrackerClient) -> RegistrationInfo:
    """What a new key has to bring."""
    return await client.transport.get("/api/v1/registration", RegistrationInfo)


async def register(
    client: TrackerClient, *, work: str | None, invite: str | None, user_key: PrivateKey
) -> RegistrationReply:
    """Register a key. Raises LuckrigError registration_required with what is missing."""
    request = RegistrationRequest(work=work, invite=invite)
    return await client.transport.post_signed(
        "/api/v1/registration", request, RegistrationReply, key=user_key
    )


async def hand_over(client: TrackerClient, signed: bytes) -> HandoverReply:
    """Replace a key. signed: as sign_handover makes it; the same again does no harm."""
    return await client.transport.post("/api/v1/handover", signed, HandoverReply)


async def make_invite(
    client: TrackerClient, *, uses: int, days: int, operator_key: PrivateKey
) -> InviteReply:
    """An invite for new keys. Raises LuckrigError operators_only."""
    request = InviteRequest(uses=uses, days=days)
    return await client.transport.post_signed(
        "/api/v1/admin/invites", request, InviteReply, key=operator_key
    )
