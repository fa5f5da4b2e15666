"""The tracker's online signing keys, signed by its root key.

A compact JWS, header exactly {alg, jwk: root key, typ: "lr-keyset+jwt"}. The root's id stands in
the tracker's address (`https://host#r1…`), so nobody on the way can swap the keys.

| field | meaning                                                                       |
|-------|-------------------------------------------------------------------------------|
| iss   | the root id; must be the hash of the header's key                             |
| seq   | grows with every new keyset; a lower one than the last seen is refused        |
| iat   | signed at, Unix seconds                                                       |
| exp   | not to be trusted after this, Unix seconds; at most MAX_KEYSET_TTL_SECONDS on |
| keys  | 1 to 8 Ed25519 JWKs; their kid is their thumbprint                            |
"""

from typing import Annotated, Final

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import RootId, derive_id
from luckrig.protocol.keys import Jwk, PrivateKey, PublicKey

KEYSET_TYPE: Final = "lr-keyset+jwt"
MAX_KEYSET_CHARS: Final = 8192
MAX_KEYSET_TTL_SECONDS: Final = 90 * 86_400

_Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Keyset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys that may sign a tracker's tokens; the table is in the module's docstring."""

    iss: RootId
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    iat: _Seconds
    exp: _Seconds
    keys: Annotated[list[Jwk], msgspec.Meta(min_length=1, max_length=8)]

    def by_kid(self) -> dict[str, PublicKey]:
        """kid → key. Raises ValueError on a JWK that isn't an Ed25519 key."""
        keys = [PublicKey.from_jwk(jwk) for jwk in self.keys]
        return {key.thumbprint: key for key in keys}


def sign_keyset(keyset: Keyset, *, root: PrivateKey) -> str:
    """Sign a keyset with the root key."""
    return jws.sign_with_jwk(msgspec.json.encode(keyset), typ=KEYSET_TYPE, key=root)


def verify_keyset(text: str, *, root_id: str, min_seq: int, now: float) -> Keyset:
    """The keyset, if this tracker's root signed it and it is neither expired nor outdated.

    min_seq: the highest seq seen so far (0 at first). Raises PeerError signature_invalid.
    """
    try:
        root, keyset = jws.open_with_jwk(text, Keyset, typ=KEYSET_TYPE, max_chars=MAX_KEYSET_CHARS)
        keyset.by_kid()
    except jws.NotSigned as error:
        raise _refused("isn't signed with the key it carries") from error
    except ValueError as error:
        raise _refused("is malformed") from error
    if derive_id("r1", root) != root_id:
        raise _refused("isn't signed by the tracker whose id is in its address")
    if keyset.iss != root_id or keyset.seq < min_seq:
        raise _refused("is older than the one this node already has")
    if not keyset.iat <= keyset.exp <= keyset.iat + MAX_KEYSET_TTL_SECONDS or now >= keyset.exp:
        raise _refused("has expired; check this machine's clock and the tracker's")
    return keyset


def _refused(why: str) -> PeerError:
    return PeerError("signature_invalid", f"The tracker's keyset {why}.")
