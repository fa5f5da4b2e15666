"""A rig's sealing keys, as the rig itself signs them: `GET /luckrig/sealing`.

A compact JWS, header exactly {alg, jwk, typ: "lr-sealing+jwt"}, by the node's key:

| claim | meaning                                                                     |
|-------|-----------------------------------------------------------------------------|
| iss   | the node id; must be the hash of the header's key                           |
| iat   | signed at, Unix seconds                                                     |
| keys  | 1 to 8 of `kem`, `key` (base64url) and `exp`; the best one to use first     |

Whoever hands it on can't put a key of theirs in: a rig's id is the hash of the key that signs. A
rig makes new keys each day, keeps them in memory only and forgets them a day after they have
expired, so what was sealed before stays sealed even from somebody who takes the rig later.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId, derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.subtext.hpke import Kem, SealingPublicKey

SEALING_TYPE: Final = "lr-sealing+jwt"
SEALING_PATH: Final = "/luckrig/sealing"
MAX_SEALING_CHARS: Final = 20_480
"""Eight keys of the larger kind make 18,200."""
MAX_KEY_SECONDS: Final = 7 * 86_400
"""The longest that a key may still be good for: a rig whose keys leak is done with it in a week."""
CLOCK_SKEW_SECONDS: Final = 60


class SealingKeyClaim(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key. exp: Unix seconds after which nothing is sealed to it any more."""

    kem: Kem
    key: Annotated[str, msgspec.Meta(max_length=2048)]
    exp: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class SealingClaims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The claims; the table is in the module's docstring."""

    iss: NodeId
    iat: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    keys: Annotated[list[SealingKeyClaim], msgspec.Meta(min_length=1, max_length=8)]


class SealingReply(msgspec.Struct, frozen=True, kw_only=True):
    """What a rig answers at SEALING_PATH. sealing: compact JWS."""

    sealing: str


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key that a rig takes sealed requests with, until `expires_at`, Unix seconds."""

    key: SealingPublicKey
    expires_at: int


def sign_sealing_keys(keys: list[PublishedKey], *, node_key: PrivateKey, now: float) -> str:
    """The signed list, best key first. now: Unix seconds."""
    claims = SealingClaims(
        iss=derive_id("n1", node_key.public),
        iat=int(now),
        keys=[
            SealingKeyClaim(kem=each.key.kem, key=b64url_encode(each.key.raw), exp=each.expires_at)
            for each in keys
        ],
    )
    return jws.sign_with_jwk(msgspec.json.encode(claims), typ=SEALING_TYPE, key=node_key)


def verify_sealing_keys(text: str, *, node_id: str, now: float) -> list[PublishedKey]:
    """The keys that are good now, in the rig's order; perhaps none.

    Raises PeerError signature_invalid for a list that the rig of that id didn't sign, or that is
    malformed or from the future.
    """
    try:
        signer, claims = jws.open_with_jwk(
            text, SealingClaims, typ=SEALING_TYPE, max_chars=MAX_SEALING_CHARS
        )
        keys = [
            PublishedKey(SealingPublicKey(each.kem, b64url_decode(each.key)), each.exp)
            for each in claims.keys
        ]
    except jws.NotSigned as error:
        raise _refused("aren't signed with the key they carry") from error
    except ValueError as error:
        raise _refused("are malformed") from error
    if derive_id("n1", signer) != node_id:
        raise _refused("aren't signed with the rig's key: somebody in between exchanged them")
    if claims.iss != node_id:
        raise _refused("are another rig's")
    if claims.iat > now + CLOCK_SKEW_SECONDS:
        raise _refused("are from the future; check this machine's clock and the rig's")
    return [each for each in keys if now < each.expires_at <= now + MAX_KEY_SECONDS]


def _refused(why: str) -> PeerError:
    return PeerError("signature_invalid", f"The rig's sealing keys {why}. Nothing was sent.")
