"""Hand-over of a user's key: the old key says who follows it, and the new one agrees.

JSON-serialised JWS with two signatures over one payload, the old key's first. Each header is
exactly {alg: "Ed25519", jwk, typ}: typ is OLD_TYPE, then NEW_TYPE, so that neither signature can
stand in the other's place.

| claim | meaning                                                       |
|-------|---------------------------------------------------------------|
| iss   | root id of the tracker it is for: another one mustn't take it |
| old   | u1… of the key that is given up                               |
| new   | u1… of the key that follows                                   |
| iat   | signed at, Unix seconds                                       |
"""

from typing import Annotated, Final

import msgspec

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import RootId, UserId, derive_id
from luckrig.protocol.jws_json import SignedByTwo, sign_by_two
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.strictjson import decode

OLD_TYPE: Final = "lr-handover-old+jws"
NEW_TYPE: Final = "lr-handover-new+jws"
MAX_HANDOVER_BYTES: Final = 4096
HANDOVER_WINDOW_SECONDS: Final = 3600
"""A hand-over that was signed and never sent mustn't lie around as a loaded gun."""


class Handover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The claims; the table is in the module's docstring."""

    iss: RootId
    old: UserId
    new: UserId
    iat: Annotated[int, msgspec.Meta(ge=0, le=2**53)]

    def check_fresh(self, now: float) -> None:
        """Raises PeerError invalid_request unless it was signed within the last hour or so."""
        if abs(now - self.iat) > HANDOVER_WINDOW_SECONDS:
            raise PeerError(
                "invalid_request",
                "This hand-over wasn't signed just now. Check this machine's clock and sign anew.",
                param="iat",
            )


class SignedHandover(SignedByTwo, frozen=True):
    """The wire form: the old key's signature, then the new one's."""


def sign_handover(*, root_id: str, old: PrivateKey, new: PrivateKey, now: float) -> bytes:
    """The hand-over as signed JSON."""
    handover = Handover(
        iss=root_id,
        old=derive_id("u1", old.public),
        new=derive_id("u1", new.public),
        iat=int(now),
    )
    return sign_by_two(msgspec.json.encode(handover), (OLD_TYPE, old), (NEW_TYPE, new))


def verify_handover(body: bytes, *, root_id: str) -> Handover:
    """The hand-over inside signed JSON, both signatures checked; how old it is, is not.

    Raises PeerError: signature_invalid for anything about the signatures and for another tracker's,
    body_too_large, invalid_json or invalid_request for the rest. Vectors: handover.json.
    """
    if len(body) > MAX_HANDOVER_BYTES:
        raise PeerError("body_too_large", f"A hand-over has at most {MAX_HANDOVER_BYTES} bytes.")
    signed = decode(body, SignedHandover)
    try:
        old, new = signed.signer(0, OLD_TYPE), signed.signer(1, NEW_TYPE)
    except ValueError as error:
        raise _forged(str(error)) from error
    handover = decode(signed.content, Handover)
    if derive_id("u1", old) != handover.old:
        raise _forged("the first signature is not made with the old key")
    if derive_id("u1", new) != handover.new:
        raise _forged("the second signature is not made with the new key")
    if old == new:
        raise _forged("both keys are the same")
    if handover.iss != root_id:
        raise _forged(f"it is for the tracker {handover.iss}")
    return handover


def _forged(why: str) -> PeerError:
    return PeerError("signature_invalid", f"The hand-over doesn't hold: {why}.")
