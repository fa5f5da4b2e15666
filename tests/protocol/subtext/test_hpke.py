"""Sealing to a rig's key: RFC 9180's own vector, two other implementations, and wrong keys."""

import hashlib
from typing import Final

import pytest
from Crypto.Protocol import HPKE
from Crypto.PublicKey import ECC, Hybrid
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from luckrig.protocol.subtext.hpke import (
    ENCAPSULATION_BYTES,
    PUBLIC_BYTES,
    SEED_BYTES,
    TAG_BYTES,
    Kem,
    SealingPrivateKey,
    SealingPublicKey,
)
from tests.protocol.subtext import hpke_by_hand

KEMS: Final[tuple[Kem, ...]] = ("x25519", "mlkem768-x25519")
INFO = b"luckrig subtext 1 request"
TEXT = "Why does the tide come twice a day? 潮はなぜ".encode()
ROUNDS = 20

# RFC 9180, A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode, message 0.
RFC_INFO = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
RFC_EPHEMERAL = bytes.fromhex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736")
RFC_PRIVATE = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
RFC_PUBLIC = bytes.fromhex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d")
RFC_ENC = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
RFC_AAD = bytes.fromhex("436f756e742d30")
RFC_TEXT = bytes.fromhex("4265617574792069732074727574682c20747275746820626561757479")
RFC_CIPHERTEXT = bytes.fromhex(
    "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
)


def private_key(kem: Kem, name: str = "a rig") -> SealingPrivateKey:
    return SealingPrivateKey(kem, hashlib.shake_256(name.encode()).digest(SEED_BYTES[kem]))


def test_the_rfcs_vector_opens() -> None:
    """Its message has associated data, which the library's public function has no argument for."""
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    key = X25519PrivateKey.from_private_bytes(RFC_PRIVATE)
    decrypt = openssl.hpke._decrypt_with_aad  # pyright: ignore[reportPrivateUsage]
    opened = decrypt(suite, RFC_ENC + RFC_CIPHERTEXT, key, RFC_INFO, RFC_AAD)
    assert opened == RFC_TEXT


def test_what_was_written_by_hand_makes_the_rfcs_vector() -> None:
    sealed = hpke_by_hand.seal(
        RFC_TEXT, public=RFC_PUBLIC, ephemeral=RFC_EPHEMERAL, info=RFC_INFO, aad=RFC_AAD
    )
    assert sealed == RFC_ENC + RFC_CIPHERTEXT
    opened = hpke_by_hand.open_sealed(sealed, private=RFC_PRIVATE, info=RFC_INFO, aad=RFC_AAD)
    assert opened == RFC_TEXT


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 1024, 4096, 70_000])
def test_what_was_written_by_hand_agrees_both_ways(length: int) -> None:
    text = hashlib.shake_256(b"text").digest(length)
    key = private_key("x25519")
    ephemeral = hashlib.sha256(b"ephemeral").digest()
    sealed = hpke_by_hand.seal(text, public=key.public.raw, ephemeral=ephemeral, info=INFO)
    assert key.open(sealed, info=INFO) == text
    seed = hashlib.shake_256(b"a rig").digest(32)
    again = key.public.seal(text, info=INFO)
    assert hpke_by_hand.open_sealed(again, private=seed, info=INFO) == text


def test_pycryptodome_agrees_both_ways() -> None:
    for number in range(ROUNDS):
        key = private_key("x25519", f"rig {number}")
        seed = hashlib.shake_256(f"rig {number}".encode()).digest(32)
        theirs = ECC.construct(curve="Curve25519", seed=seed)
        sender = HPKE.new(receiver_key=theirs.public_key(), aead_id=HPKE.AEAD.AES128_GCM, info=INFO)
        assert key.open(sender.enc + sender.seal(TEXT), info=INFO) == TEXT
        sealed = key.public.seal(TEXT, info=INFO)
        receiver = HPKE.new(
            receiver_key=theirs, aead_id=HPKE.AEAD.AES128_GCM, enc=sealed[:32], info=INFO
        )
        assert receiver.unseal(sealed[32:]) == TEXT


def test_pycryptodome_agrees_both_ways_about_the_hybrid() -> None:
    """Its key is the 32 bytes from which SHAKE-256 makes both seeds (X-Wing)."""
    for number in range(ROUNDS):
        root = hashlib.sha256(f"rig {number}".encode()).digest()
        key = SealingPrivateKey("mlkem768-x25519", hashlib.shake_256(root).digest(96))
        theirs = Hybrid.HybridKey(param_set=Hybrid.ParamSet.MLKEM768_X25519, seed=root)
        sender = HPKE.new(receiver_key=theirs.public_key(), aead_id=HPKE.AEAD.AES128_GCM, info=INFO)
        assert key.open(sender.enc + sender.seal(TEXT), info=INFO) == TEXT
        sealed = key.public.seal(TEXT, info=INFO)
        size = ENCAPSULATION_BYTES["mlkem768-x25519"]
        receiver = HPKE.new(
            receiver_key=theirs, aead_id=HPKE.AEAD.AES128_GCM, enc=sealed[:size], info=INFO
        )
        assert receiver.unseal(sealed[size:]) == TEXT


@pytest.mark.parametrize("kem", KEMS)
def test_what_was_sealed_opens_with_that_key_and_info_only(kem: Kem) -> None:
    key = private_key(kem)
    sealed = key.public.seal(TEXT, info=INFO)
    assert len(sealed) == ENCAPSULATION_BYTES[kem] + len(TEXT) + TAG_BYTES
    assert key.open(sealed, info=INFO) == TEXT
    assert key.public.seal(TEXT, info=INFO) != sealed
    with pytest.raises(ValueError, match="doesn't open"):
        private_key(kem, "another rig").open(sealed, info=INFO)
    with pytest.raises(ValueError, match="doesn't open"):
        key.open(sealed, info=INFO + b".")


def test_half_of_a_hybrid_key_opens_nothing() -> None:
    """Neither who has X25519's half alone nor who has ML-KEM's."""
    seed, other = (hashlib.shake_256(name).digest(96) for name in (b"one", b"other"))
    sealed = SealingPrivateKey("mlkem768-x25519", seed).public.seal(TEXT, info=INFO)
    for half in (seed[:64] + other[64:], other[:64] + seed[64:]):
        with pytest.raises(ValueError, match="doesn't open"):
            SealingPrivateKey("mlkem768-x25519", half).open(sealed, info=INFO)


@pytest.mark.parametrize("kem", KEMS)
def test_no_bytes_open_or_fail_otherwise(kem: Kem) -> None:
    key = private_key(kem)
    whole = ENCAPSULATION_BYTES[kem] + TAG_BYTES
    for length in (0, 1, 31, 32, 33, whole - 1, whole, whole + 1, 5000):
        for fill in (b"\0", b"\1", b"\xff"):
            with pytest.raises(ValueError, match="doesn't open"):
                key.open(fill * length, info=INFO)


SMALL_ORDER = (
    bytes(32),
    b"\1" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    b"\xed" + b"\xff" * 30 + b"\x7f",
    b"\xee" + b"\xff" * 30 + b"\x7f",
)


@pytest.mark.parametrize("raw", SMALL_ORDER)
def test_points_of_small_order_are_no_keys(raw: bytes) -> None:
    """All of them, with X25519's unused bit too: what is sealed to one, anybody opens."""
    hybrid = private_key("mlkem768-x25519").public.raw[:-32]
    for point in (raw, raw[:31] + bytes((raw[31] | 0x80,))):
        with pytest.raises(ValueError, match="shared key"):
            SealingPublicKey("x25519", point)
        with pytest.raises(ValueError, match="shared key"):
            SealingPublicKey("mlkem768-x25519", hybrid + point)
        with pytest.raises(ValueError, match="doesn't open"):
            private_key("x25519").open(point + bytes(100), info=INFO)


def test_an_ml_kem_key_out_of_range_is_none() -> None:
    """Its coefficients have 12 bits each and must be below 3,329."""
    good = private_key("mlkem768-x25519").public.raw
    with pytest.raises(ValueError, match="ML-KEM"):
        SealingPublicKey("mlkem768-x25519", b"\xff" * 3 + good[3:])


@pytest.mark.parametrize("kem", KEMS)
def test_other_lengths_are_no_keys(kem: Kem) -> None:
    for length in (0, PUBLIC_BYTES[kem] - 1, PUBLIC_BYTES[kem] + 1):
        with pytest.raises(ValueError, match="bytes"):
            SealingPublicKey(kem, b"\x09" * length)
    for length in (0, SEED_BYTES[kem] - 1, SEED_BYTES[kem] + 1):
        with pytest.raises(ValueError, match="bytes"):
            SealingPrivateKey(kem, b"\x09" * length)


@pytest.mark.parametrize("kem", KEMS)
def test_no_repr_shows_a_private_key(kem: Kem) -> None:
    seed = hashlib.shake_256(b"a rig").digest(SEED_BYTES[kem])
    shown = repr(private_key(kem))
    assert shown == f"SealingPrivateKey({kem}, {private_key(kem).public.key_id.hex()})"
    assert seed.hex()[:16] not in shown


def test_key_ids_differ_by_key_and_kem() -> None:
    hybrid, plain = private_key("mlkem768-x25519").public, private_key("x25519").public
    ids = {hybrid.key_id, plain.key_id, private_key("x25519", "another").public.key_id}
    assert len(ids) == 3
    assert plain.key_id == hashlib.sha256(b"x25519\0" + plain.raw).digest()[:8]
    assert X25519PublicKey.from_public_bytes(plain.raw)
