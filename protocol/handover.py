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

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import RootId, UserId, derive_id
from luckrig.protocol.keys import PrivateKey, PublicKey
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


class HandoverSignature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature. Both are base64url."""

    protected: Annotated[str, msgspec.Meta(max_length=512)]
    signature: Annotated[str, msgspec.Meta(max_length=128)]


class SignedHandover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The wire form: the old key's signature, then the new one's."""

    payload: Annotated[str, msgspec.Meta(max_length=1024)]
    signatures: Annotated[list[HandoverSignature], msgspec.Meta(min_length=2, max_length=2)]


def sign_handover(*, root_id: str, old: PrivateKey, new: PrivateKey, now: float) -> bytes:
    """The hand-over as signed JSON."""
    handover = Handover(
        iss=root_id,
        old=derive_id("u1", old.public),
        new=derive_id("u1", new.public),
        iat=int(now),
    )
    payload = msgspec.json.encode(handover)
    signatures: list[HandoverSignature] = []
    for typ, key in ((OLD_TYPE, old), (NEW_TYPE, new)):
        protected, _, signature = jws.sign_with_jwk(payload, typ=typ, key=key).split(".")
        signatures.append(HandoverSignature(protected=protected, signature=signature))
    return msgspec.json.encode(
        SignedHandover(payload=b64url_encode(payload), signatures=signatures)
    )


def verify_handover(body: bytes, *, root_id: str) -> Handover:
    """The hand-over inside signed JSON, both signatures checked; how old it is, is not.

    Raises PeerError: signature_invalid for anything about the signatures and for another tracker's,
    body_too_large, invalid_json or invalid_request for the rest. Vectors: handover.json.
    """
    if len(body) > MAX_HANDOVER_BYTES:
        raise PeerError("body_too_large", f"A hand-over has at most {MAX_HANDOVER_BYTES} bytes.")
    signed = decode(body, SignedHandover)
    old, new = _signer(signed, 0, OLD_TYPE), _signer(signed, 1, NEW_TYPE)
    handover = decode(b64url_decode(signed.payload), Handover)
    if derive_id("u1", old) != handover.old:
        raise _forged("the first signature is not made with the old key")
    if derive_id("u1", new) != handover.new:
        raise _forged("the second signature is not made with the new key")
    if old == new:
        raise _forged("both keys are the same")
    if handover.iss != root_id:
        raise _forged(f"it is for the tracker {handover.iss}")
    return handover


def _signer(signed: SignedHandover, index: int, typ: str) -> PublicKey:
    part = signed.signatures[index]
    try:
        parsed = jws.parse_parts(
            part.protected, signed.payload, part.signature, header_type=jws.JwkHeader, typ=typ
        )
        key = PublicKey.from_jwk(parsed.header.jwk)
    except ValueError as error:
        raise _forged(f"signature {index} is malformed") from error
    if not parsed.is_signed_by(key):
        raise _forged(f"signature {index} is wrong")
    return key


def _forged(why: str) -> PeerError:
    return PeerError("signature_invalid", f"The hand-over doesn't hold: {why}.")
