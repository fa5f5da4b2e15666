"""Which of a rig's users are banned: what the tracker signs and a node follows.

A compact JWS, header exactly {alg: "Ed25519", kid, typ: "lr-revocations+jwt"}, signed by a key of
the tracker's keyset, like access tokens. Whoever is banned gets no new token, so a list names only
users whose last token hasn't expired yet: it is short, and empties by itself.

| claim | meaning                                                                        |
|-------|--------------------------------------------------------------------------------|
| iss   | the tracker's root id                                                          |
| aud   | the node id: each rig has its own list, because pseudonyms differ by rig       |
| seq   | grows with every list; a lower one than the last seen is refused               |
| iat   | signed at, Unix seconds                                                        |
| exp   | not to be taken over after this; at most REVOCATIONS_TTL_SECONDS after iat     |
| subs  | the `sub` of each banned user with a live token at this rig, at most MAX_SUBS  |
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId, RootId
from luckrig.protocol.keys import PrivateKey, PublicKey
from luckrig.protocol.tokens import CLOCK_SKEW_SECONDS, Opaque

REVOCATIONS_TYPE: Final = "lr-revocations+jwt"
REVOCATIONS_TTL_SECONDS: Final = 60
"""How long somebody on the way can replay a list in which a name is missing yet."""
MAX_SUBS: Final = 4000
"""A ban is a person's decision, and a token lives for minutes; well under strict JSON's bound."""
MAX_REVOCATIONS_CHARS: Final = 400_000

_Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Revocations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The banned users of one rig; the table is in the module's docstring."""

    iss: RootId
    aud: NodeId
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    iat: _Seconds
    exp: _Seconds
    subs: Annotated[list[Opaque], msgspec.Meta(max_length=MAX_SUBS)]


def sign_revocations(revocations: Revocations, *, key: PrivateKey) -> str:
    """Sign a list. key: the tracker's online key, whose public half is in its keyset."""
    return jws.sign_with_kid(msgspec.json.encode(revocations), typ=REVOCATIONS_TYPE, key=key)


def verify_revocations(
    text: str,
    *,
    keys: Mapping[str, PublicKey],
    issuer: str,
    audience: str,
    min_seq: int,
    now: float,
) -> Revocations:
    """The list, if this tracker signed it for this node and it is neither old nor outdated.

    keys: kid → key of the tracker's current keyset. min_seq: the highest seq seen so far (0 at
    first). now: Unix seconds. Raises PeerError signature_invalid.
    """
    try:
        revocations = jws.open_with_kid(
            text, Revocations, typ=REVOCATIONS_TYPE, max_chars=MAX_REVOCATIONS_CHARS, keys=keys
        )
    except jws.NotSigned as error:
        raise _refused("isn't signed by a key of its keyset") from error
    except ValueError as error:
        raise _refused("is malformed") from error
    if revocations.iss != issuer or revocations.aud != audience:
        raise _refused("is for another rig or from another tracker")
    if revocations.seq < min_seq:
        raise _refused("is older than the one this node already has")
    _check_lifetime(revocations, now=now)
    return revocations


def _check_lifetime(revocations: Revocations, *, now: float) -> None:
    starts, ends = revocations.iat, revocations.exp
    if not starts < ends <= starts + REVOCATIONS_TTL_SECONDS:
        raise _refused("has a lifetime out of bounds")
    if starts > now + CLOCK_SKEW_SECONDS or now >= ends:
        raise _refused("wasn't made just now; check this machine's clock and the tracker's")


def _refused(why: str) -> PeerError:
    return PeerError("signature_invalid", f"The tracker's list of banned users {why}.")
