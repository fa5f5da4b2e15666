"""Lists of banned users: the frozen vectors, and whose list a node believes."""

from typing import Any

import msgspec
import pytest

from luckrig.protocol.errors import PeerError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.revocations import (
    MAX_REVOCATIONS_CHARS,
    MAX_SUBS,
    Revocations,
    sign_revocations,
    verify_revocations,
)
from tests.vectors import load_vectors

VECTORS = load_vectors("revocations")
KEY = PrivateKey(bytes.fromhex(VECTORS["signing_seed"]))
NOW: int = VECTORS["now"]
SIGNED: str = VECTORS["signed"]
CLAIMS = msgspec.convert(VECTORS["claims"], Revocations)


def check(text: str, **changes: Any) -> Revocations:
    """Verify as the node of the vectors would, just now."""
    asked: dict[str, Any] = {
        "keys": {KEY.public.thumbprint: KEY.public},
        "issuer": VECTORS["issuer"],
        "audience": VECTORS["audience"],
        "min_seq": 0,
        "now": NOW,
    }
    return verify_revocations(text, **(asked | changes))


def signed(**changes: Any) -> str:
    """The list with other claims, honestly signed."""
    return sign_revocations(msgspec.structs.replace(CLAIMS, **changes), key=KEY)


def refused(text: str, **changes: Any) -> str:
    """The message that a list is refused with."""
    with pytest.raises(PeerError) as caught:
        check(text, **changes)
    assert caught.value.code == "signature_invalid"
    return caught.value.message


def test_frozen_list_is_made_and_read_byte_for_byte() -> None:
    assert sign_revocations(CLAIMS, key=KEY) == SIGNED
    assert check(SIGNED) == CLAIMS


@pytest.mark.parametrize("name", VECTORS["refused"])
def test_frozen_forgeries_are_refused(name: str) -> None:
    refused(VECTORS["refused"][name])


def test_a_changed_character_anywhere_is_refused() -> None:
    for index, character in enumerate(SIGNED):
        refused(SIGNED[:index] + ("A" if character != "A" else "B") + SIGNED[index + 1 :])


def test_older_list_is_refused_and_the_same_one_is_not() -> None:
    assert check(SIGNED, min_seq=CLAIMS.seq) == CLAIMS
    assert "older" in refused(SIGNED, min_seq=CLAIMS.seq + 1)


def test_list_counts_for_a_minute_and_with_a_slow_clock() -> None:
    assert check(SIGNED, now=CLAIMS.iat - 30) == CLAIMS
    assert check(SIGNED, now=CLAIMS.exp - 0.001) == CLAIMS
    for now in (CLAIMS.iat - 31, CLAIMS.exp):
        assert "clock" in refused(SIGNED, now=now)


def test_keys_of_the_keyset_alone_count() -> None:
    other = PrivateKey(b"o" * 32)
    refused(SIGNED, keys={})
    refused(SIGNED, keys={KEY.public.thumbprint: other.public})
    refused(sign_revocations(CLAIMS, key=other))


def test_longest_list_fits_and_a_longer_one_is_refused() -> None:
    subs = [f"{number:064}" for number in range(MAX_SUBS)]
    longest = signed(subs=subs)
    assert len(longest) <= MAX_REVOCATIONS_CHARS
    assert check(longest).subs == subs
    refused(signed(subs=[*subs, "x" * 64]))
    assert check(signed(subs=[])).subs == []
