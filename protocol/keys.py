"""Ed25519 keys, their JWK form and their thumbprint.

Thin names over libsodium, so that the rest of luckrig handles two small types and 32-byte strings.
Where keys are stored is not this module's business. `cryptography` makes the same signatures, in
twice the time (bench/README.md, Tokens), and a rig signs a receipt for each request.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from luckrig.protocol.encoding import b64url_decode, b64url_encode

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


class Jwk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An Ed25519 public key as a JSON Web Key (RFC 8037 §2). x: base64url of 32 bytes."""

    crv: str
    kty: str
    x: str


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key. raw: exactly 32 bytes."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != KEY_BYTES:
            raise ValueError(f"an Ed25519 public key has {KEY_BYTES} bytes")

    @classmethod
    def from_jwk(cls, jwk: Jwk) -> "PublicKey":
        """Raises ValueError unless the JWK is an Ed25519 key in canonical form."""
        if jwk.kty != "OKP" or jwk.crv != "Ed25519":
            raise ValueError("not an Ed25519 key")
        return cls(b64url_decode(jwk.x))

    @property
    def jwk(self) -> Jwk:
        """The JSON Web Key of this key."""
        return Jwk(crv="Ed25519", kty="OKP", x=b64url_encode(self.raw))

    @property
    def thumbprint(self) -> str:
        """RFC 7638 thumbprint: 43 characters of base64url. Used as `kid` and as `cnf.jkt`."""
        # Jwk's fields stand in RFC 7638's order, so its plain encoding is the canonical one.
        return b64url_encode(hashlib.sha256(msgspec.json.encode(self.jwk)).digest())

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made that signature over that message. Never raises.

        False for keys of small order, which "sign" everything, whatever the signature.
        """
        if len(signature) != SIGNATURE_BYTES:  # the library takes them in one piece
            return False
        try:
            crypto_sign_open(signature + message, self.raw)
        except BadSignatureError:
            return False
        return True


class PrivateKey:
    """An Ed25519 private key. Its repr never shows the seed."""

    def __init__(self, seed: bytes) -> None:
        """seed: 32 secret random bytes (RFC 8032 §5.1.5). Raises ValueError on another length."""
        if len(seed) != KEY_BYTES:
            raise ValueError(f"an Ed25519 seed has {KEY_BYTES} bytes")
        public, self._seed_and_public = crypto_sign_seed_keypair(seed)
        self.public = PublicKey(public)

    def __repr__(self) -> str:
        return f"PrivateKey(public={self.public.thumbprint})"

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes, for whoever stores the key."""
        return self._seed_and_public[:KEY_BYTES]

    def sign(self, message: bytes) -> bytes:
        """64 bytes of deterministic Ed25519 signature."""
        return crypto_sign(message, self._seed_and_public)[:SIGNATURE_BYTES]
