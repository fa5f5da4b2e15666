"""How a rig proves on connect that it has its key.

A compact JWS, header exactly {alg, jwk, typ: "lr-tunnel+jwt"}, over what only this connection has:

| claim      | meaning                                                                      |
|------------|------------------------------------------------------------------------------|
| node_id    | hash of the key in the header                                                |
| aud        | root id of the tracker that the rig was told to trust                        |
| origin     | where the rig connected to: who stands in between can't hand the proof on    |
| nonce      | the tracker's, from HELLO: a proof works once                                |
| iat        | made at, Unix seconds; accepted ± CLOCK_SECONDS                              |
| takes_over | whether it wants the place of another connection of the same rig             |
"""

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId, RootId, derive_id
from luckrig.protocol.keys import PrivateKey

TUNNEL_TYPE: Final = "lr-tunnel+jwt"
CLOCK_SECONDS: Final = 60
MAX_PROOF_CHARS: Final = 2048


class TunnelClaims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The claims; the table is in the module's docstring."""

    node_id: NodeId
    aud: RootId
    origin: Annotated[str, msgspec.Meta(max_length=200)]
    nonce: Annotated[str, msgspec.Meta(max_length=64)]
    iat: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    takes_over: bool


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a proof must be about: a tracker's root id, its origin, and a fresh nonce of its."""

    root_id: str
    origin: str
    nonce: str


class ClockOff(PeerError):
    """The proof is good but for its time. ahead_seconds: of the rig's clock; negative: behind."""

    def __init__(self, ahead_seconds: int) -> None:
        self.ahead_seconds = ahead_seconds
        where = "ahead of" if ahead_seconds > 0 else "behind"
        super().__init__(
            "proof_invalid",
            f"This rig's clock is {abs(ahead_seconds)} s {where} the tracker's. Set it right: "
            "tokens and proofs depend on it.",
        )


def make_tunnel_proof(
    challenge: Challenge, *, key: PrivateKey, now: float, takes_over: bool
) -> str:
    """Sign for the tracker that this rig trusts, under the address that it connected to."""
    claims = TunnelClaims(
        node_id=derive_id("n1", key.public),
        aud=challenge.root_id,
        origin=challenge.origin,
        nonce=challenge.nonce,
        iat=int(now),
        takes_over=takes_over,
    )
    return jws.sign_with_jwk(msgspec.json.encode(claims), typ=TUNNEL_TYPE, key=key)


def verify_tunnel_proof(text: str, challenge: Challenge, *, now: float) -> TunnelClaims:
    """Who connects. Raises ClockOff, or PeerError proof_invalid for anything else that is wrong."""
    try:
        key, claims = jws.open_with_jwk(
            text, TunnelClaims, typ=TUNNEL_TYPE, max_chars=MAX_PROOF_CHARS
        )
    except jws.NotSigned as error:
        raise _refused("its signature is wrong") from error
    except ValueError as error:
        raise _refused("it is malformed") from error
    if derive_id("n1", key) != claims.node_id:
        raise _refused("it is signed by another key than the rig's")
    if claims.aud != challenge.root_id:
        raise _refused("it is for a tracker with another root key")
    if claims.origin != challenge.origin:
        raise _refused(f"this tracker's address is {challenge.origin}")
    if claims.nonce != challenge.nonce:
        raise _refused("it was made for another connection")
    ahead = claims.iat - int(now)
    if abs(ahead) > CLOCK_SECONDS:
        raise ClockOff(ahead)
    return claims


def _refused(why: str) -> PeerError:
    return PeerError("proof_invalid", f"The tunnel's proof doesn't hold: {why}.")
