"""A rig's signed list of sealing keys: whoever hands it on can change nothing."""

import msgspec
import pytest

from luckrig.protocol import jws
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.subtext.hpke import SealingPublicKey
from luckrig.protocol.subtext.keyring import (
    CLOCK_SKEW_SECONDS,
    MAX_KEY_SECONDS,
    MAX_SEALING_CHARS,
    SEALING_TYPE,
    PublishedKey,
    sign_sealing_keys,
    verify_sealing_keys,
)
from tests.protocol.subtext.test_hpke import private_key

NOW = 1_800_000_000
NODE = PrivateKey(b"node" * 8)
NODE_ID = derive_id("n1", NODE.public)
DAY = 86_400
KEYS = [
    PublishedKey(private_key("mlkem768-x25519").public, NOW + DAY),
    PublishedKey(private_key("x25519").public, NOW + DAY),
]
SWAPS = 100


def verified(text: str, *, now: float = NOW) -> list[PublishedKey]:
    return verify_sealing_keys(text, node_id=NODE_ID, now=now)


def test_a_rigs_keys_come_back_in_its_order() -> None:
    assert verified(sign_sealing_keys(KEYS, node_key=NODE, now=NOW)) == KEYS
    eight = [
        PublishedKey(private_key("mlkem768-x25519", f"rig {n}").public, NOW + 1) for n in range(8)
    ]
    text = sign_sealing_keys(eight, node_key=NODE, now=NOW)
    assert verified(text) == eight
    assert len(text) < MAX_SEALING_CHARS


def test_a_swapped_node_key_is_refused_a_hundred_times_of_a_hundred() -> None:
    """Somebody in between signs keys of theirs: as themselves, in the rig's name, and mixed."""
    honest = sign_sealing_keys(KEYS, node_key=NODE, now=NOW).split(".")
    refused = 0
    for number in range(SWAPS):
        theirs = PrivateKey(number.to_bytes(32, "big"))
        swapped = [PublishedKey(private_key("x25519", f"theirs {number}").public, NOW + DAY)]
        own = sign_sealing_keys(swapped, node_key=theirs, now=NOW).split(".")
        claims = msgspec.json.encode(
            {"iss": NODE_ID, "iat": NOW, "keys": [claim(swapped[0].key, NOW + DAY)]}
        )
        named = jws.sign_with_jwk(claims, typ=SEALING_TYPE, key=theirs)
        forgeries = (
            ".".join(own),
            named,
            ".".join((honest[0], own[1], honest[2])),
            ".".join((honest[0], own[1], own[2])),
            ".".join((own[0], honest[1], honest[2])),
        )
        refused += all(map(is_refused, forgeries))
    assert refused == SWAPS


def is_refused(text: str) -> bool:
    try:
        verified(text)
    except PeerError as error:
        return error.code == "signature_invalid"
    return False


def claim(key: SealingPublicKey, exp: int) -> dict[str, object]:
    return {"kem": key.kem, "key": b64url_encode(key.raw), "exp": exp}


def test_every_changed_character_is_refused() -> None:
    text = sign_sealing_keys(KEYS[1:], node_key=NODE, now=NOW)
    for at, character in enumerate(text):
        other = "A" if character != "A" else "B"
        assert is_refused(text[:at] + other + text[at + 1 :])
        assert is_refused(text[:at])


@pytest.mark.parametrize(
    ("exp", "is_good"),
    [
        (NOW - 1, False),
        (NOW, False),
        (NOW + 1, True),
        (NOW + MAX_KEY_SECONDS, True),
        (NOW + MAX_KEY_SECONDS + 1, False),
        (2**53, False),
        (0, False),
    ],
)
def test_keys_are_good_until_they_expire_and_for_a_week_at_most(exp: int, is_good: bool) -> None:
    keys = [PublishedKey(KEYS[1].key, exp), KEYS[0]]
    text = sign_sealing_keys(keys, node_key=NODE, now=NOW)
    assert verified(text) == (keys if is_good else KEYS[:1])


def test_a_list_from_the_future_is_refused() -> None:
    for early in (CLOCK_SKEW_SECONDS, CLOCK_SKEW_SECONDS + 1):
        text = sign_sealing_keys(KEYS, node_key=NODE, now=NOW + early)
        assert is_refused(text) == (early > CLOCK_SKEW_SECONDS)


@pytest.mark.parametrize(
    "changes",
    [
        {"keys": []},
        {"keys": [claim(KEYS[1].key, NOW + DAY)] * 9},
        {"keys": None},
        {"keys": [claim(KEYS[1].key, NOW + DAY) | {"kem": "mlkem768-x25519"}]},
        {"keys": [claim(KEYS[1].key, NOW + DAY) | {"kem": "x448"}]},
        {"keys": [claim(KEYS[1].key, NOW + DAY) | {"key": ""}]},
        {"keys": [claim(KEYS[1].key, NOW + DAY) | {"key": b64url_encode(bytes(32))}]},
        {"keys": [claim(KEYS[1].key, NOW + DAY) | {"key": b64url_encode(b"k" * 32) + "="}]},
        {"keys": [claim(KEYS[1].key, -1)]},
        {"keys": [claim(KEYS[1].key, NOW + DAY) | {"more": 1}]},
        {"iat": -1},
        {"iat": 1.5},
        {"iat": "now"},
        {"iss": "u1" + NODE_ID[2:]},
        {"iss": derive_id("n1", PrivateKey(b"else" * 8).public)},
        {"more": 1},
    ],
)
def test_malformed_lists_are_refused_though_the_rig_signed_them(changes: dict[str, object]) -> None:
    claims = {"iss": NODE_ID, "iat": NOW, "keys": [claim(KEYS[1].key, NOW + DAY)]} | changes
    assert is_refused(jws.sign_with_jwk(msgspec.json.encode(claims), typ=SEALING_TYPE, key=NODE))


def test_no_other_document_of_the_rig_is_a_list() -> None:
    claims = {"iss": NODE_ID, "iat": NOW, "keys": [claim(KEYS[1].key, NOW + DAY)]}
    payload = msgspec.json.encode(claims)
    for typ in ("lr-endpoint+jwt", "lr-node+jws", "LR-SEALING+JWT", ""):
        assert is_refused(jws.sign_with_jwk(payload, typ=typ, key=NODE))
    assert is_refused(jws.sign_with_kid(payload, typ=SEALING_TYPE, key=NODE))


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "é.é.é", "\ud800.a.b", "x" * 20_000])
def test_what_is_no_list_is_refused(text: str) -> None:
    assert is_refused(text)
