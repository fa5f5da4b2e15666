"""What a rig's owner wants of it and said on the tracker's pages: pause, or go on.

A compact JWS, header exactly {alg: "Ed25519", kid, typ: "lr-wish+jwt"}, signed by a key of the
tracker's keyset. It comes with the list of banned users, and is obeyed once, by the rig that it is
for, unless the rig has heard something newer, by hand or from here.

| claim  | meaning                                                          |
|--------|------------------------------------------------------------------|
| iss    | the tracker's root id                                            |
| aud    | the node id                                                      |
| paused | true: take nothing new. false: end a pause                       |
| at     | when it was said, Unix seconds; grows with each wish about a rig |
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId, RootId
from luckrig.protocol.keys import PrivateKey, PublicKey
from luckrig.protocol.tokens import CLOCK_SKEW_SECONDS

WISH_TYPE: Final = "lr-wish+jwt"
MAX_WISH_CHARS: Final = 1024


class Wish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One wish; the table is in the module's docstring."""

    iss: RootId
    aud: NodeId
    paused: bool
    at: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


def sign_wish(wish: Wish, *, key: PrivateKey) -> str:
    """Sign one. key: the tracker's online key, whose public half is in its keyset."""
    return jws.sign_with_kid(msgspec.json.encode(wish), typ=WISH_TYPE, key=key)


def verify_wish(
    text: str, *, keys: Mapping[str, PublicKey], issuer: str, audience: str, now: float
) -> Wish:
    """The wish, if this tracker signed it for this node, and not for the future.

    keys: kid → key of the tracker's current keyset. now: Unix seconds. Raises PeerError
    signature_invalid.
    """
    try:
        wish = jws.open_with_kid(text, Wish, typ=WISH_TYPE, max_chars=MAX_WISH_CHARS, keys=keys)
    except jws.NotSigned as error:
        raise _refused("isn't signed by a key of its keyset") from error
    except ValueError as error:
        raise _refused("is malformed") from error
    if wish.iss != issuer or wish.aud != audience:
        raise _refused("is for another rig or from another tracker")
    if wish.at > now + CLOCK_SKEW_SECONDS:
        raise _refused("is from the future; check this machine's clock and the tracker's")
    return wish


def _refused(why: str) -> PeerError:
    return PeerError("signature_invalid", f"The owner's wish that the tracker sent {why}.")
