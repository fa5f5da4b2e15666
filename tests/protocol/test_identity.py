"""Keys, ids, encodings and addresses."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.address import TrackerAddress, is_origin, parse_tracker_address
from luckrig.protocol.encoding import b64url_decode, b64url_encode
from luckrig.protocol.ids import derive_id, is_node_id
from luckrig.protocol.keys import Jwk, PrivateKey, PublicKey
from tests.vectors import load_vectors

VECTORS = load_vectors("ids")
ROOT_ID: str = VECTORS[0]["root_id"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["node_id"][:8])
def test_ids_are_the_frozen_hashes_of_keys(vector: dict[str, str]) -> None:
    key = PrivateKey(bytes.fromhex(vector["seed"])).public
    assert key.raw.hex() == vector["public"]
    assert key.thumbprint == vector["thumbprint"]
    assert derive_id("n1", key) == vector["node_id"]
    assert derive_id("u1", key) == vector["user_id"]
    assert derive_id("r1", key) == vector["root_id"]


def test_thumbprint_is_the_one_of_rfc_8037() -> None:
    """Appendix A.3."""
    jwk = Jwk(crv="Ed25519", kty="OKP", x="11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    key = PublicKey.from_jwk(jwk)
    assert key.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_signature_is_the_one_of_rfc_8037() -> None:
    """Appendix A.4 signs "Example of Ed25519 signing" under the old algorithm name."""
    key = PrivateKey(b64url_decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
    message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )
    assert b64url_encode(key.sign(message)) == signature
    assert key.public.verifies(b64url_decode(signature), message)


def test_private_key_never_shows_itself() -> None:
    key = PrivateKey(bytes(range(32)))
    assert key.seed.hex() not in repr(key)
    assert b64url_encode(key.seed) not in repr(key)


@pytest.mark.parametrize(
    "jwk",
    [
        Jwk(crv="X25519", kty="OKP", x="A" * 43),
        Jwk(crv="Ed25519", kty="EC", x="A" * 43),
        Jwk(crv="Ed25519", kty="OKP", x="A" * 42),
        Jwk(crv="Ed25519", kty="OKP", x="A" * 43 + "="),
        Jwk(crv="Ed25519", kty="OKP", x=""),
    ],
)
def test_other_jwks_are_no_keys(jwk: Jwk) -> None:
    with pytest.raises(ValueError, match=r"Ed25519|base64url"):
        PublicKey.from_jwk(jwk)


def test_a_key_that_is_no_point_verifies_nothing() -> None:
    assert not PublicKey(b"\xff" * 32).verifies(bytes(64), b"")


@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=500))
def test_openssl_makes_and_takes_the_same_signatures(seed: bytes, message: bytes) -> None:
    ours, theirs = PrivateKey(seed), Ed25519PrivateKey.from_private_bytes(seed)
    signature = theirs.sign(message)
    assert ours.sign(message) == signature
    assert ours.public.raw == theirs.public_key().public_bytes_raw()
    assert ours.public.verifies(signature, message)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_a_signature_of_another_length_is_none(length: int) -> None:
    """The library takes signature and message in one piece: the edge between them is ours."""
    key = PrivateKey(bytes(32))
    signed = key.sign(b"message") + b"message"
    assert not key.public.verifies(signed[:length], signed[length:])


# RFC 7748 and 8032 have the curve; these points multiply to the neutral element.
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
]


@pytest.mark.parametrize("raw", SMALL_ORDER)
def test_a_key_of_small_order_verifies_nothing(raw: str) -> None:
    """OpenSSL takes S = 0, R = 1 from the first of them for every message."""
    key = PublicKey(bytes.fromhex(raw))
    assert not key.verifies(bytes([1]) + bytes(63), b"anything")


@given(st.binary(max_size=100))
def test_base64url_has_one_spelling(data: bytes) -> None:
    text = b64url_encode(data)
    assert b64url_decode(text) == data
    for other in (text + "=", text + "\n", " " + text, text + "A"):
        try:
            assert b64url_decode(other) != data
        except ValueError:
            continue


@pytest.mark.parametrize("text", ["AB", "A", "A+", "A/", "====", "QQ==", "Qé"])
def test_base64url_that_is_not_canonical_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        b64url_decode(text)


@pytest.mark.parametrize("text", ["", "n1", "u1" + "a" * 32, "n1" + "A" * 32, "n1" + "a" * 33])
def test_other_texts_are_no_node_ids(text: str) -> None:
    assert not is_node_id(text)
    assert not is_node_id(VECTORS[0]["node_id"] + "\n")
    assert is_node_id(VECTORS[0]["node_id"])


@pytest.mark.parametrize(
    "origin",
    [
        "https://luckrig.example",
        "http://127.0.0.1:8787",
        "https://[2001:db8::1]:8443",
        "http://localhost",
    ],
)
def test_origins_are_recognised(origin: str) -> None:
    assert is_origin(origin)
    assert parse_tracker_address(f"{origin}/#{ROOT_ID}") == TrackerAddress(origin, ROOT_ID)
    assert str(parse_tracker_address(f"{origin}#{ROOT_ID}")) == f"{origin}#{ROOT_ID}"
    assert parse_tracker_address(origin).root_id is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "luckrig.example",
        "ftp://luckrig.example",
        "javascript:alert(1)",
        "https://",
        "https://user@luckrig.example",
        "https://user:pass@luckrig.example",
        "https://luckrig.example/path",
        "https://luckrig.example?x=1",
        "https://luckrig.example?",
        "https://luckrig.example:0",
        "https://luckrig.example:99999",
        "https://luckrig.example:port",
        "https://luck rig.example",
        "https://luckrig.example\\@evil.example",
        "https://luckrig.example\n",
        "https://lückrig.example",
        "https://[::1",
        "https://" + "a" * 300,
    ],
)
def test_other_texts_are_no_origins(text: str) -> None:
    assert not is_origin(text)


@pytest.mark.parametrize("mark", ["#", "#r1", "#n1" + "a" * 32, "#r1" + "A" * 32, f"#{ROOT_ID}x"])
def test_address_with_a_broken_root_id_is_refused(mark: str) -> None:
    with pytest.raises(ValueError, match="root id"):
        parse_tracker_address("https://luckrig.example" + mark)
