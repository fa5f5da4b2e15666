"""Receipts and countersignatures: the frozen vectors, and what no change of a bit survives."""

from collections.abc import Callable
from random import Random

import msgspec
import pytest

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.receipts import (
    Receipt,
    sign_receipt,
    verify_countersignature,
    verify_receipt,
)
from tests.vectors import load_vectors

VECTORS = load_vectors("receipts")
NOW: int = VECTORS["now"]
NODE = PrivateKey(bytes.fromhex(VECTORS["node_seed"]))
USER = PrivateKey(bytes.fromhex(VECTORS["user_seed"]))
GOOD: list[str] = [each["signed"] for each in VECTORS["good"]]
WORDS: list[str] = VECTORS["words"]


@pytest.mark.parametrize("number", range(len(GOOD)))
def test_good_receipts_say_what_was_signed(number: int) -> None:
    vector = VECTORS["good"][number]
    receipt = msgspec.convert(vector["claims"], Receipt)
    assert verify_receipt(vector["signed"], now=NOW) == receipt
    assert sign_receipt(receipt, node_key=NODE) == vector["signed"]


def test_good_words_are_the_users() -> None:
    opinions = [verify_countersignature(word, receipt=GOOD[0], now=NOW) for word in WORDS]
    assert {user_id for user_id, _ in opinions} == {derive_id("u1", USER.public)}
    assert [opinion.agrees for _, opinion in opinions] == [True, False, True]
    assert [opinion.measured is not None for _, opinion in opinions] == [False, False, True]


@pytest.mark.parametrize("name", VECTORS["bad_receipts"])
def test_bad_receipts_are_refused(name: str) -> None:
    with pytest.raises(PeerError) as refused:
        verify_receipt(VECTORS["bad_receipts"][name], now=NOW)
    assert refused.value.code == "signature_invalid"


@pytest.mark.parametrize("name", VECTORS["bad_words"])
def test_bad_words_are_refused(name: str) -> None:
    with pytest.raises(PeerError) as refused:
        verify_countersignature(VECTORS["bad_words"][name], receipt=GOOD[0], now=NOW)
    assert refused.value.code == "signature_invalid"


def check_word(text: str) -> None:
    verify_countersignature(text, receipt=GOOD[0], now=NOW)


def check_receipt(text: str) -> None:
    verify_receipt(text, now=NOW)


@pytest.mark.parametrize(("text", "check"), [(GOOD[0], check_receipt), (WORDS[2], check_word)])
def test_no_flipped_bit_survives(text: str, check: Callable[[str], None]) -> None:
    """1,000 each, anywhere in the text; never another error than the one refusal."""
    rng = Random(1)  # noqa: S311 -- a failed test must fail again
    for _ in range(1000):
        flipped = list(text)
        position = rng.randrange(len(text))
        flipped[position] = chr(ord(flipped[position]) ^ 1 << rng.randrange(7))
        with pytest.raises(PeerError):
            check("".join(flipped))


def test_a_rig_signs_only_its_own_receipts() -> None:
    receipt = verify_receipt(GOOD[0], now=NOW)
    with pytest.raises(ValueError, match="another rig"):
        sign_receipt(receipt, node_key=USER)
