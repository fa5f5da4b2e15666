"""Proofs of an endpoint: the frozen vectors, and whose proof a tracker believes."""

import msgspec
import pytest

from luckrig.protocol.endpoint_proof import (
    EndpointProof,
    is_nonce,
    sign_endpoint_proof,
    verify_endpoint_proof,
)
from luckrig.protocol.errors import PeerError
from luckrig.protocol.keys import PrivateKey
from tests.vectors import load_vectors

VECTORS = load_vectors("endpoint_proof")
KEY = PrivateKey(bytes.fromhex(VECTORS["node_seed"]))
NOW: int = VECTORS["now"]
SIGNED: str = VECTORS["signed"]
CLAIMS = msgspec.convert(VECTORS["claims"], EndpointProof)


def check(text: str, *, now: float = NOW) -> EndpointProof:
    """Verify as the tracker that sent the nonce would."""
    return verify_endpoint_proof(
        text,
        node_id=CLAIMS.iss,
        endpoint=CLAIMS.endpoint,
        root_id=CLAIMS.aud,
        nonce=CLAIMS.nonce,
        now=now,
    )


def test_frozen_proof_is_made_and_read_byte_for_byte() -> None:
    assert sign_endpoint_proof(CLAIMS, node_key=KEY) == SIGNED
    assert check(SIGNED) == CLAIMS


@pytest.mark.parametrize("name", VECTORS["refused"])
def test_frozen_forgeries_are_refused(name: str) -> None:
    with pytest.raises(PeerError) as caught:
        check(VECTORS["refused"][name])
    assert caught.value.code == "signature_invalid"


def test_no_flipped_bit_survives() -> None:
    for at in range(len(SIGNED)):
        flipped = SIGNED[:at] + chr(ord(SIGNED[at]) ^ 1) + SIGNED[at + 1 :]
        with pytest.raises(PeerError):
            check(flipped)


@pytest.mark.parametrize(("age", "holds"), [(60, True), (61, False), (-60, True), (-61, False)])
def test_a_proof_is_of_this_minute(age: int, holds: bool) -> None:
    if holds:
        assert check(SIGNED, now=NOW + age) == CLAIMS
    else:
        with pytest.raises(PeerError):
            check(SIGNED, now=NOW + age)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("A" * 43, True),
        (CLAIMS.nonce, True),
        ("A" * 42, False),
        ("A" * 44, False),
        ("A" * 42 + "B", False),  # bits that 32 bytes don't have
        ("A" * 42 + "=", False),
        ("A" * 42 + "+", False),
        ("A" * 42 + "\n", False),
        ("é" * 43, False),
        ("", False),
    ],
)
def test_nonces_are_32_bytes_in_one_spelling(text: str, is_one: bool) -> None:
    assert is_nonce(text) == is_one


def test_a_rig_signs_for_itself_and_only_nonces() -> None:
    other = PrivateKey(bytes(32))
    with pytest.raises(ValueError, match="not this rig's"):
        sign_endpoint_proof(CLAIMS, node_key=other)
    with pytest.raises(ValueError, match="nonce"):
        sign_endpoint_proof(msgspec.structs.replace(CLAIMS, nonce="x" * 43), node_key=KEY)
