"""What a tracker is asked by a user about themselves: decisions, appeals, their data, a login."""

from typing import Final

import msgspec

from luckrig.client.tracker import TrackerClient
from luckrig.protocol.account import AccountExport, EraseReply, EraseRequest, LoginReply
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import AppealText, DecisionNotice, StatementsReply

MAX_EXPORT_BYTES: Final = 256 * 2**20
"""Receipts of 90 days at a token a minute are about 60 MiB."""
EXPORT_SECONDS: Final = 120.0
LOGIN_PATH: Final = "/login/"


class LoginRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing: the proof says who asks."""


async def statements(client: TrackerClient, *, user_key: PrivateKey) -> StatementsReply:
    """What operators decided about a user, their rigs and their notes; the newest first."""
    return await client.transport.get_signed("/api/v1/me/decisions", StatementsReply, key=user_key)


async def appeal(
    client: TrackerClient, text: AppealText, *, user_key: PrivateKey
) -> DecisionNotice:
    """Appeal a decision about oneself. Raises LuckrigError appeal_refused, case_not_found."""
    return await client.transport.post_signed(
        "/api/v1/me/appeals", text, DecisionNotice, key=user_key
    )


async def login(client: TrackerClient, *, user_key: PrivateKey) -> LoginReply:
    """An address that signs one browser in, once.

    Raises PeerError for an address that isn't the tracker's own: a browser is about to open it.
    """
    reply = await client.transport.post_signed(
        "/api/v1/sessions", LoginRequest(), LoginReply, key=user_key
    )
    code = reply.url.removeprefix(f"{client.address.origin}{LOGIN_PATH}")
    if not (code.isascii() and code.replace("-", "").replace("_", "").isalnum()):
        client.transport.nonsense("sends an address for the browser that isn't its own")
    return reply


async def export(client: TrackerClient, *, user_key: PrivateKey) -> tuple[AccountExport, bytes]:
    """All that the tracker stores of a user, and the same as the JSON that it sent."""
    raw = await client.transport.fetch_signed(
        "/api/v1/me/export",
        key=user_key,
        max_bytes=MAX_EXPORT_BYTES,
        timeout_seconds=EXPORT_SECONDS,
    )
    exported = client.transport.decode(raw, AccountExport)
    if exported.user_id != derive_id("u1", user_key.public):
        raise PeerError("signature_invalid", "The tracker sent the data of somebody else.")
    return exported, raw


async def erase(client: TrackerClient, *, user_key: PrivateKey) -> EraseReply:
    """Delete the account, at once and for good. Raises LuckrigError rate_limited and the like."""
    request = EraseRequest(user_id=derive_id("u1", user_key.public))
    return await client.transport.post_signed("/api/v1/me/erase", request, EraseReply, key=user_key)
