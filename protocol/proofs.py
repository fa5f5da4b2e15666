"""Signed requests: DPoP proofs (RFC 9449) with a hash of the body.

Whoever asks the tracker for something signs that very request with the user's key, so no user id
is ever taken on trust and a proof stolen on the way fits no other request. Whoever uses a bound
token at a rig signs each request too, so a stolen token is worth nothing without its key.

A compact JWS in the `DPoP` header, header exactly {alg, jwk, typ: "dpop+jwt"}:

| claim | meaning                                                     |
|-------|-------------------------------------------------------------|
| htm   | HTTP method                                                 |
| htu   | absolute URL without query and fragment                     |
| iat   | made at, Unix seconds; accepted ± PROOF_WINDOW_SECONDS       |
| jti   | unique; the verifier remembers it for the window            |
| bod   | base64url(SHA-256(body)), of the empty body too             |
| ath   | base64url(SHA-256(access token)), where one is used          |
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.keys import PrivateKey, PublicKey

PROOF_TYPE: Final = "dpop+jwt"
PROOF_WINDOW_SECONDS: Final = 60
MAX_PROOF_CHARS: Final = 2048


class ProofClaims(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The claims of a proof; the table is in the module's docstring."""

    htm: str
    htu: str
    iat: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    jti: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{16,64}\Z")]
    bod: str
    ath: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds for a request, but for its body, which may come later than its head.

    The caller must still refuse a jti that was used, and call check_body().
    """

    key: PublicKey
    jti: str
    body_hash: str

    def check_body(self, body: bytes) -> None:
        """Raises PeerError proof_invalid unless this is the body that was signed."""
        if self.body_hash != hash_text(body):
            raise _refused("it was made for another body")


def make_proof(
    *,
    key: PrivateKey,
    method: str,
    url: str,
    body: bytes,
    now: float,
    jti: str,
    access_token: str | None = None,
) -> str:
    """Sign one request. jti: fresh random base64url, at least 16 characters."""
    claims = ProofClaims(
        htm=method,
        htu=url,
        iat=int(now),
        jti=jti,
        bod=hash_text(body),
        ath=None if access_token is None else hash_text(access_token.encode("ascii")),
    )
    return jws.sign_with_jwk(msgspec.json.encode(claims), typ=PROOF_TYPE, key=key)


def verify_proof(
    text: str, *, method: str, urls: Collection[str], now: float, access_token: str | None = None
) -> Proof:
    """The proof of the key that signed this request, just now. Raises PeerError proof_invalid.

    urls: the absolute URLs under which this very resource is known; the proof names one of them.
    """
    try:
        key, claims = jws.open_with_jwk(
            text, ProofClaims, typ=PROOF_TYPE, max_chars=MAX_PROOF_CHARS
        )
    except jws.NotSigned as error:
        raise _refused("its signature is wrong") from error
    except ValueError as error:
        raise _refused("it is malformed") from error
    if claims.htm != method or claims.htu not in urls:
        raise _refused(f"it was made for another request than {method} {min(urls)}")
    if claims.ath != (None if access_token is None else hash_text(access_token.encode("ascii"))):
        raise _refused("it was made for another token")
    if abs(now - claims.iat) > PROOF_WINDOW_SECONDS:
        raise _refused("it was not made just now; check this machine's clock")
    return Proof(key, claims.jti, claims.bod)


def hash_text(data: bytes) -> str:
    """base64url(SHA-256(data)): the claims `bod` and `ath`."""
    return b64url_encode(hashlib.sha256(data).digest())


def _refused(why: str) -> PeerError:
    return PeerError("proof_invalid", f"The DPoP proof doesn't hold: {why}.")
