"""Receipts: what a rig says it did for a token, and what the token's user says to that.

Both are compact JWS whose header carries the signer's key, header exactly {alg, jwk, typ}:

| document         | typ                  | signed by | says                                      |
|------------------|----------------------|-----------|-------------------------------------------|
| receipt          | "lr-receipt+jwt"     | the rig   | what it served, in numbers: see Receipt   |
| countersignature | "lr-receipt-ok+jwt"  | the user  | whether that receipt is true: see Opinion |

A countersignature names its receipt by hash, so it fits no other. Neither holds a word of prompt or
reply.
"""

import hashlib
from typing import Annotated, Final, Literal

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId, derive_id
from luckrig.protocol.keys import PrivateKey, PublicKey
from luckrig.protocol.tokens import Opaque

RECEIPT_TYPE: Final = "lr-receipt+jwt"
OPINION_TYPE: Final = "lr-receipt-ok+jwt"
MAX_RECEIPT_CHARS: Final = 2048
"""A receipt with the longest model name has under 1,000."""
MAX_MODEL_CHARS: Final = 120
RECEIPT_SKEW_SECONDS: Final = 60
"""How far in the future `iat` may lie."""

Finish = Literal["stop", "length", "tool_calls", "content_filter", "cut"]

_Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
_Milliseconds = Annotated[float, msgspec.Meta(ge=0, le=86_400_000)]


class Receipt(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What a rig served. iss: the rig. jti: the token. req: the request's id at that rig.

    iat: when it was over. queue_ms, ttft_ms, generation_ms: as `luckrig.timing` has them. finish:
    how the reply ended; `cut` is a reply that the client or a ban ended.
    """

    iss: NodeId
    jti: Opaque
    req: Opaque
    iat: _Seconds
    model: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_MODEL_CHARS)]
    prompt_tokens: _Tokens
    completion_tokens: _Tokens
    streamed: bool
    finish: Finish
    queue_ms: _Milliseconds
    ttft_ms: _Milliseconds | None = None
    generation_ms: _Milliseconds | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the user's own clock saw of a stream; sent only when the user shares timings.

    ttft_ms: from sending the request to the first token. generation_ms: from there to the last.
    """

    ttft_ms: _Milliseconds
    generation_ms: _Milliseconds


class Opinion(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """What a user says to a receipt. receipt: hash_receipt of it. agrees: whether it is true."""

    receipt: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]
    agrees: bool
    iat: _Seconds
    measured: Measured | None = None


def hash_receipt(receipt: str) -> str:
    """b64url(SHA-256(the receipt as it is written)): how a countersignature names it."""
    return b64url_encode(hashlib.sha256(receipt.encode("ascii")).digest())


class ReceiptSigner:
    """A rig signs many: what they have in common is made once."""

    def __init__(self, node_key: PrivateKey) -> None:
        self._node_id = derive_id("n1", node_key.public)
        self._signer = jws.JwkSigner(typ=RECEIPT_TYPE, key=node_key)

    def sign(self, receipt: Receipt) -> str:
        """The receipt as its rig signs it. Raises ValueError if it isn't that rig's."""
        if receipt.iss != self._node_id:
            raise ValueError("the receipt is another rig's")
        return self._signer.sign(msgspec.json.encode(receipt))


def sign_receipt(receipt: Receipt, *, node_key: PrivateKey) -> str:
    """One of them. Raises ValueError if it isn't that rig's."""
    return ReceiptSigner(node_key).sign(receipt)


def countersign(
    receipt: str,
    *,
    agrees: bool,
    user_key: PrivateKey,
    now: float,
    measured: Measured | None = None,
) -> str:
    """What the user says to a receipt. measured: None keeps their own timing to themselves."""
    opinion = Opinion(receipt=hash_receipt(receipt), agrees=agrees, iat=int(now), measured=measured)
    return jws.sign_with_jwk(msgspec.json.encode(opinion), typ=OPINION_TYPE, key=user_key)


def verify_receipt(text: str, *, now: float) -> Receipt:
    """The receipt, if the rig that it names signed it. Raises PeerError signature_invalid."""
    key, receipt = _open(text, typ=RECEIPT_TYPE, kind=Receipt)
    if derive_id("n1", key) != receipt.iss:
        raise _refused("isn't signed by the rig that it names")
    _check_time(receipt.iat, now)
    return receipt


def verify_countersignature(text: str, *, receipt: str, now: float) -> tuple[str, Opinion]:
    """(user id of the signer, what they say), if it is about this receipt.

    Whether the signer is the one whose token was used is the caller's to check.
    Raises PeerError signature_invalid.
    """
    key, opinion = _open(text, typ=OPINION_TYPE, kind=Opinion)
    if opinion.receipt != hash_receipt(receipt):
        raise _refused("is about another receipt")
    _check_time(opinion.iat, now)
    return derive_id("u1", key), opinion


def _open(text: str, *, typ: str, kind: type[jws.Claims]) -> tuple[PublicKey, jws.Claims]:
    try:
        return jws.open_with_jwk(text, kind, typ=typ, max_chars=MAX_RECEIPT_CHARS)
    except jws.NotSigned as error:
        raise _refused("isn't signed with the key it carries") from error
    except ValueError as error:
        raise _refused("is malformed") from error


def _check_time(iat: int, now: float) -> None:
    if iat > now + RECEIPT_SKEW_SECONDS:
        raise _refused("was made in the future; check the clock of the machine that made it")


def _refused(why: str) -> PeerError:
    return PeerError("signature_invalid", f"The receipt or its countersignature {why}.")
