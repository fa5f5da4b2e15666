"""Proof that a rig answers at the address it lists: a nonce, signed where it was sent.

A tracker asks `GET {endpoint}/luckrig/proof/{nonce}` before it lists an endpoint as reachable. The
answer holds a compact JWS, header exactly {alg, jwk, typ: "lr-endpoint+jwt"}, by the node's key:

| claim    | meaning                                                        |
|----------|----------------------------------------------------------------|
| iss      | the node id; must be the hash of the header's key              |
| aud      | the root id of the tracker that the rig follows                |
| nonce    | the tracker's 32 random bytes, as it sent them                 |
| endpoint | the address that was asked, letter for letter as in the descriptor |
| iat      | signed at, Unix seconds; at most PROOF_SKEW_SECONDS off        |

A rig signs this for anybody who asks. Whoever asks chooses 32 bytes and nothing else: `typ` keeps
the signature from passing for any other document, and what it says stands in the rig's public
descriptor already.
"""

import re
from typing import Annotated, Final

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId, RootId, derive_id
from luckrig.protocol.keys import PrivateKey

ENDPOINT_PROOF_TYPE: Final = "lr-endpoint+jwt"
PROOF_PATH: Final = "/luckrig/proof/"
"""Followed by the nonce."""
NONCE_BYTES: Final = 32
NONCE_CHARS: Final = 43
MAX_ENDPOINT_PROOF_CHARS: Final = 1024
"""One with the longest endpoint has under 900."""
PROOF_SKEW_SECONDS: Final = 60
"""The nonce makes a proof fresh; this only refuses a rig whose clock is so wrong that it would
refuse good tokens too."""

_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class EndpointProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The claims; the table is in the module's docstring."""

    iss: NodeId
    aud: RootId
    nonce: Annotated[str, msgspec.Meta(min_length=NONCE_CHARS, max_length=NONCE_CHARS)]
    endpoint: Annotated[str, msgspec.Meta(max_length=200)]
    iat: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class EndpointProofReply(msgspec.Struct, frozen=True, kw_only=True):
    """What a rig answers at PROOF_PATH. proof: compact JWS."""

    proof: str


def is_nonce(text: str) -> bool:
    """Whether the text is 32 bytes in canonical base64url: all that a rig signs."""
    if _NONCE.fullmatch(text) is None:
        return False
    try:
        return len(b64url_decode(text)) == NONCE_BYTES
    except ValueError:
        return False


def sign_endpoint_proof(proof: EndpointProof, *, node_key: PrivateKey) -> str:
    """The proof as its rig signs it.

    Raises ValueError if the proof isn't that rig's, or its nonce isn't one.
    """
    if derive_id("n1", node_key.public) != proof.iss or not is_nonce(proof.nonce):
        raise ValueError("not this rig's proof, or not a nonce")
    return jws.sign_with_jwk(msgspec.json.encode(proof), typ=ENDPOINT_PROOF_TYPE, key=node_key)


def verify_endpoint_proof(
    text: str, *, node_id: str, endpoint: str, root_id: str, nonce: str, now: float
) -> EndpointProof:
    """The proof, if that rig signed that nonce for that endpoint and tracker, just now.

    now: Unix seconds. Raises PeerError signature_invalid.
    """
    try:
        key, proof = jws.open_with_jwk(
            text, EndpointProof, typ=ENDPOINT_PROOF_TYPE, max_chars=MAX_ENDPOINT_PROOF_CHARS
        )
    except jws.NotSigned as error:
        raise _refused("isn't signed with the key it carries") from error
    except ValueError as error:
        raise _refused("is malformed") from error
    if derive_id("n1", key) != node_id:
        raise _refused("isn't signed with the rig's key")
    if proof.iss != node_id or proof.aud != root_id:
        raise _refused("is another rig's or for another tracker")
    if proof.nonce != nonce:
        raise _refused("isn't about the nonce that was sent")
    if proof.endpoint != endpoint:
        raise _refused("is about another endpoint")
    if abs(now - proof.iat) > PROOF_SKEW_SECONDS:
        raise _refused("wasn't made just now; check the clock of the rig's machine")
    return proof


def _refused(why: str) -> PeerError:
    return PeerError("signature_invalid", f"The proof of the rig's endpoint {why}.")
