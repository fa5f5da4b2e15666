"""The user's side of receipts: read a rig's, compare it with what came, and countersign it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.receipts import (
    MAX_RECEIPT_CHARS,
    Measured,
    Receipt,
    countersign,
    verify_receipt,
)
from luckrig.protocol.tokens import Claims
from luckrig.protocol.wire import SignedReceipt


@dataclass(frozen=True, kw_only=True)
class Witnessed:
    """What a client saw of a reply.

    token: the one that it used. output_bytes: UTF-8 bytes of text, reasoning and tool calls that
    came. measured: its own timing of a stream, if the user shares timings.
    """

    token: str
    output_bytes: int
    measured: Measured | None = None


class _Own(msgspec.Struct):
    """What a reply's last document holds of ours, as far as it matters here."""

    receipt: Annotated[str, msgspec.Meta(max_length=MAX_RECEIPT_CHARS)] | None = None


def receipt_in(document: Mapping[str, Any]) -> str | None:
    """The receipt on the last JSON document of a reply, or None where there is none."""
    try:
        return msgspec.convert(document.get("luckrig"), _Own).receipt
    except msgspec.ValidationError:
        return None


def answer_receipt(
    text: str, witnessed: Witnessed, *, user_key: PrivateKey, now: float
) -> SignedReceipt:
    """The receipt with the user's signature: agreed where it fits what came, else disputed.

    Raises PeerError signature_invalid for what no rig signed: there is nothing to say to it.
    """
    receipt = verify_receipt(text, now=now)
    agrees = fits(receipt, witnessed)
    measured = witnessed.measured if agrees and receipt.streamed else None
    word = countersign(text, agrees=agrees, user_key=user_key, now=now, measured=measured)
    return SignedReceipt(receipt=text, countersignature=word)


def fits(receipt: Receipt, witnessed: Witnessed) -> bool:
    """Whether a receipt can be true for somebody who saw that.

    It must name the token that was used, at the rig that the token is for. A token is a byte at
    least, but for a few that show nothing, such as the end of a reply or a special mark.
    """
    claims = _claims_of(witnessed.token)
    if claims is None or (receipt.iss, receipt.jti) != (claims.aud, claims.jti):
        return False
    return receipt.completion_tokens <= witnessed.output_bytes + UNSEEN_TOKENS


UNSEEN_TOKENS = 8
"""Tokens of a reply that needn't show: its end, the marks around reasoning and tool calls."""


def _claims_of(token: str) -> Claims | None:
    """What one's own token says; nobody needs to check its signature to use it."""
    parts = token.split(".")
    try:
        return msgspec.json.decode(b64url_decode(parts[1]), type=Claims)
    except (IndexError, ValueError):
        return None
