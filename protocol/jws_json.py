"""JWS in its JSON form (RFC 7515 §7.2.1): one payload that two keys sign.

Each header is exactly {alg: "Ed25519", jwk, typ}. typ says what its key signs as, so that neither
signature can stand in the other's place.
"""

from typing import Annotated

import msgspec

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.keys import PrivateKey, PublicKey


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature. Both are base64url."""

    protected: Annotated[str, msgspec.Meta(max_length=512)]
    signature: Annotated[str, msgspec.Meta(max_length=128)]


class SignedByTwo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The wire form. payload: base64url."""

    payload: str
    signatures: Annotated[list[Signature], msgspec.Meta(min_length=2, max_length=2)]

    @property
    def content(self) -> bytes:
        """The payload. Call it after both signatures were checked."""
        return b64url_decode(self.payload)

    def signer(self, index: int, typ: str) -> PublicKey:
        """The key that made that signature, whoever's it is. typ: what it must sign as.

        Raises ValueError with a sentence about the signature.
        """
        part = self.signatures[index]
        try:
            parsed = jws.parse_parts(
                part.protected, self.payload, part.signature, header_type=jws.JwkHeader, typ=typ
            )
            key = PublicKey.from_jwk(parsed.header.jwk)
        except ValueError as error:
            raise ValueError(f"signature {index} is malformed") from error
        if not parsed.is_signed_by(key):
            raise ValueError(f"signature {index} is wrong")
        return key


def sign_by_two(payload: bytes, *signers: tuple[str, PrivateKey]) -> bytes:
    """The payload as signed JSON. signers: two, each as what it signs (typ), and the key."""
    signatures: list[Signature] = []
    for typ, key in signers:
        protected, _, signature = jws.sign_with_jwk(payload, typ=typ, key=key).split(".")
        signatures.append(Signature(protected=protected, signature=signature))
    return msgspec.json.encode(SignedByTwo(payload=b64url_encode(payload), signatures=signatures))
