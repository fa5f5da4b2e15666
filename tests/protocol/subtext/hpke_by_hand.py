"""HPKE's base mode (RFC 9180) once more, from HMAC, X25519 and AES-GCM alone.

Code of our own that shares no line with what is tested: the vectors' requests are made with it,
because it takes the ephemeral key as an argument, where libraries draw one.
"""

import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEM_SUITE: Final = b"KEM\x00\x20"  # DHKEM(X25519, HKDF-SHA256)
_SUITE: Final = b"HPKE\x00\x20\x00\x01\x00\x01"  # the same with HKDF-SHA256 and AES-128-GCM


def extract(salt: bytes, ikm: bytes) -> bytes:
    """HKDF-Extract with SHA-256."""
    return hmac.digest(salt or bytes(32), ikm, hashlib.sha256)


def expand(key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand with SHA-256."""
    out, block = b"", b""
    for number in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes((number,)), hashlib.sha256)
        out += block
    return out[:length]


def seal(
    plaintext: bytes, *, public: bytes, ephemeral: bytes, info: bytes, aad: bytes = b""
) -> bytes:
    """encapsulation ‖ ciphertext ‖ tag. ephemeral: the sender's private key, 32 bytes."""
    sender = X25519PrivateKey.from_private_bytes(ephemeral)
    encapsulation = sender.public_key().public_bytes_raw()
    shared = sender.exchange(X25519PublicKey.from_public_bytes(public))
    key, nonce = _schedule(_kem_secret(shared, encapsulation + public), info)
    return encapsulation + AESGCM(key).encrypt(nonce, plaintext, aad)


def open_sealed(sealed: bytes, *, private: bytes, info: bytes, aad: bytes = b"") -> bytes:
    """The plaintext. Raises cryptography's InvalidTag."""
    receiver = X25519PrivateKey.from_private_bytes(private)
    encapsulation = sealed[:32]
    shared = receiver.exchange(X25519PublicKey.from_public_bytes(encapsulation))
    context = encapsulation + receiver.public_key().public_bytes_raw()
    key, nonce = _schedule(_kem_secret(shared, context), info)
    return AESGCM(key).decrypt(nonce, sealed[32:], aad)


def _kem_secret(shared: bytes, context: bytes) -> bytes:
    eae_prk = _labeled_extract(_KEM_SUITE, b"", b"eae_prk", shared)
    return _labeled_expand(_KEM_SUITE, eae_prk, b"shared_secret", context, 32)


def _schedule(shared_secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of the first message."""
    psk_id_hash = _labeled_extract(_SUITE, b"", b"psk_id_hash", b"")
    info_hash = _labeled_extract(_SUITE, b"", b"info_hash", info)
    context = b"\0" + psk_id_hash + info_hash
    secret = _labeled_extract(_SUITE, shared_secret, b"secret", b"")
    key = _labeled_expand(_SUITE, secret, b"key", context, 16)
    return key, _labeled_expand(_SUITE, secret, b"base_nonce", context, 12)


def _labeled_extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return extract(salt, b"HPKE-v1" + suite + label + ikm)


def _labeled_expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return expand(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)
