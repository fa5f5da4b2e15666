"""Access tokens: what a tracker signs and a node verifies offline.

A compact JWS, header exactly {alg: "Ed25519", kid, typ: "lr-at+jwt"}, at most MAX_TOKEN_CHARS.

| claim | meaning                                                                          |
|-------|----------------------------------------------------------------------------------|
| iss   | the tracker's root id (r1…)                                                      |
| aud   | the node id (n1…): a token for one rig is nothing at another                     |
| sub   | pairwise pseudonym of the user: different at every rig, known only to the tracker |
| iat   | issued at, Unix seconds                                                          |
| exp   | expires at, Unix seconds; at most MAX_BEARER_TTL_SECONDS after iat for a bearer  |
| jti   | unique token id                                                                  |
| tier  | limited or contributor                                                           |
| lim   | what the tier allows at the rig, see Limits                                      |
| cnf   | jkt: thumbprint of the key that must prove possession; absent in a bearer token  |
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.errors import TokenExpired, TokenForged
from luckrig.protocol.ids import NodeId, RootId
from luckrig.protocol.keys import PrivateKey, PublicKey

TOKEN_TYPE: Final = "lr-at+jwt"
MAX_TOKEN_CHARS: Final = 4096
MAX_BEARER_TTL_SECONDS: Final = 900
"""A stolen bearer is as good as its owner's, so it lives 15 minutes."""
MAX_BOUND_TTL_SECONDS: Final = 3600
CLOCK_SKEW_SECONDS: Final = 30
"""How far in the future `iat` may lie: home machines' clocks drift."""

OWNER_PRIORITY: Final = 9
"""Of the tokens that a rig's owner gets for it: their own requests go first."""

Tier = Literal["limited", "contributor"]
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Opaque = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{16,64}\Z")]
"""An id or a pseudonym that means nothing to its reader."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a token allows at its rig."""

    requests: _Count
    """Requests over the token's life."""
    output_tokens: _Count
    """Tokens generated for one request; more end with finish_reason `length`."""
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=64)]
    """Requests of one `sub` waiting or running at once."""
    priority: Annotated[int, msgspec.Meta(ge=0, le=OWNER_PRIORITY)]
    """Place in the rig's queue: higher goes first."""


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """RFC 7800: the key a bound token belongs to. jkt: RFC 7638 thumbprint."""

    jkt: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{43}\Z")]


class Claims(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The claims of an access token; the table is in the module's docstring."""

    iss: RootId
    aud: NodeId
    sub: Opaque
    iat: _Seconds
    exp: _Seconds
    jti: Opaque
    tier: Tier
    lim: Limits
    cnf: Confirmation | None = None


def issue(claims: Claims, *, key: PrivateKey) -> str:
    """Sign claims. Raises ValueError on a lifetime that no node would accept."""
    if not 0 < claims.exp - claims.iat <= _longest_ttl(claims):
        raise ValueError("token lifetime out of bounds")
    return jws.sign_with_kid(msgspec.json.encode(claims), typ=TOKEN_TYPE, key=key)


def verify(
    token: str, *, keys: Mapping[str, PublicKey], issuer: str, audience: str, now: float
) -> Claims:
    """The claims of a token that this node may trust.

    keys: kid → key of the tracker's current keyset. now: Unix seconds.
    Raises TokenExpired when the token is good but too old, TokenForged on everything else,
    never saying what was wrong. Vectors: tests/vectors/tokens.json.
    """
    try:
        claims = jws.open_with_kid(
            token, Claims, typ=TOKEN_TYPE, max_chars=MAX_TOKEN_CHARS, keys=keys
        )
    except ValueError as error:
        raise TokenForged from error
    if claims.iss != issuer or claims.aud != audience:
        raise TokenForged
    check_lifetime(claims, now=now)
    return claims


def check_lifetime(claims: Claims, *, now: float) -> None:
    """Raise unless iat ≤ now < exp, with a little room for a drifting clock at the start."""
    if claims.iat > now + CLOCK_SKEW_SECONDS:
        raise TokenForged
    if not 0 < claims.exp - claims.iat <= _longest_ttl(claims):
        raise TokenForged
    if now >= claims.exp:
        raise TokenExpired


def _longest_ttl(claims: Claims) -> int:
    return MAX_BEARER_TTL_SECONDS if claims.cnf is None else MAX_BOUND_TTL_SECONDS
