"""Sealing to a public key: HPKE (RFC 9180), base mode, HKDF-SHA256, AES-128-GCM.

| kem              | id     | public key | encapsulation |
|------------------|--------|------------|---------------|
| x25519           | 0x0020 | 32 bytes   | 32 bytes      |
| mlkem768-x25519  | 0x647a | 1,216      | 1,120         |

The second is hybrid: who records today and has a quantum computer one day still has X25519 to
break and ML-KEM beside it. Browsers have no ML-KEM everywhere yet, so rigs offer both.
"""

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

Kem = Literal["x25519", "mlkem768-x25519"]

KEY_ID_BYTES: Final = 8
X25519_BYTES: Final = 32
MLKEM768_BYTES: Final = 1184
MLKEM768_SEED_BYTES: Final = 64
TAG_BYTES: Final = 16
PUBLIC_BYTES: Final[dict[Kem, int]] = {
    "x25519": X25519_BYTES,
    "mlkem768-x25519": MLKEM768_BYTES + X25519_BYTES,
}
ENCAPSULATION_BYTES: Final[dict[Kem, int]] = {"x25519": 32, "mlkem768-x25519": 1120}
SEED_BYTES: Final[dict[Kem, int]] = {
    "x25519": X25519_BYTES,
    "mlkem768-x25519": MLKEM768_SEED_BYTES + X25519_BYTES,
}

_SUITES: Final[dict[Kem, Suite]] = {
    "x25519": Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM),
    "mlkem768-x25519": Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM),
}
_PROBE: Final = X25519PrivateKey.from_private_bytes(b"\x40" * X25519_BYTES)
"""No secret: public keys are tried with it."""


@dataclass(frozen=True, slots=True)
class SealingPublicKey:
    """A rig's public key.

    raw: PUBLIC_BYTES[kem] bytes; ML-KEM's key first, where there are two. Raises ValueError on
    anything that nothing can be sealed to.
    """

    kem: Kem
    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != PUBLIC_BYTES[self.kem]:
            raise ValueError(f"a {self.kem} key has {PUBLIC_BYTES[self.kem]} bytes")
        self._key()
        # A point of small order gives the same secret with every key; the library refuses it.
        _PROBE.exchange(X25519PublicKey.from_public_bytes(self.raw[-X25519_BYTES:]))

    @property
    def key_id(self) -> bytes:
        """KEY_ID_BYTES bytes that name the key: the beginning of SHA-256(kem ‖ 0 ‖ raw)."""
        named = self.kem.encode("ascii") + b"\0" + self.raw
        return hashlib.sha256(named).digest()[:KEY_ID_BYTES]

    def seal(self, plaintext: bytes, *, info: bytes) -> bytes:
        """encapsulation ‖ ciphertext ‖ tag."""
        return _SUITES[self.kem].encrypt(plaintext, self._key(), info)

    def _key(self) -> X25519PublicKey | MLKEM768X25519PublicKey:
        x25519 = X25519PublicKey.from_public_bytes(self.raw[-X25519_BYTES:])
        if self.kem == "x25519":
            return x25519
        mlkem = MLKEM768PublicKey.from_public_bytes(self.raw[:-X25519_BYTES])
        return MLKEM768X25519PublicKey(mlkem, x25519)


class SealingPrivateKey:
    """A rig's private key. Its repr shows nothing of it.

    seed: SEED_BYTES[kem] secret random bytes; ML-KEM's 64 first, where there are two.
    """

    def __init__(self, kem: Kem, seed: bytes) -> None:
        if len(seed) != SEED_BYTES[kem]:
            raise ValueError(f"a {kem} seed has {SEED_BYTES[kem]} bytes")
        x25519 = X25519PrivateKey.from_private_bytes(seed[-X25519_BYTES:])
        public = x25519.public_key().public_bytes_raw()
        self._key: X25519PrivateKey | MLKEM768X25519PrivateKey = x25519
        if kem != "x25519":
            mlkem = MLKEM768PrivateKey.from_seed_bytes(seed[:-X25519_BYTES])
            public = mlkem.public_key().public_bytes_raw() + public
            self._key = MLKEM768X25519PrivateKey(mlkem, x25519)
        self.public = SealingPublicKey(kem, public)

    def __repr__(self) -> str:
        return f"SealingPrivateKey({self.public.kem}, {self.public.key_id.hex()})"

    def open(self, sealed: bytes, *, info: bytes) -> bytes:
        """The plaintext. Raises ValueError for what wasn't sealed to this key with that info."""
        try:
            return _SUITES[self.public.kem].decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError) as error:
            raise ValueError("doesn't open") from error
