"""Hand-overs of keys and proofs of work: the frozen vectors, and the rules beside them."""

import msgspec
import pytest

from luckrig.protocol import work
from luckrig.protocol.errors import PeerError
from luckrig.protocol.handover import Handover, verify_handover
from tests.vectors import load_vectors

VECTORS = load_vectors("handover")
NOW: int = VECTORS["now"]
ROOT_ID: str = VECTORS["root_id"]


@pytest.mark.parametrize("name", VECTORS["good"])
def test_good_hand_over_holds(name: str) -> None:
    handover = verify_handover(VECTORS["good"][name].encode(), root_id=ROOT_ID)
    assert handover.iat == NOW
    if name == "as signed":
        assert handover == msgspec.convert(VECTORS["claims"], Handover)


@pytest.mark.parametrize("name", VECTORS["refused"])
def test_bad_hand_over_is_refused(name: str) -> None:
    with pytest.raises(PeerError):
        verify_handover(VECTORS["refused"][name].encode(), root_id=ROOT_ID)


def test_hand_over_is_fresh_for_an_hour() -> None:
    handover = msgspec.convert(VECTORS["claims"], Handover)
    handover.check_fresh(NOW + 3600)
    with pytest.raises(PeerError):
        handover.check_fresh(NOW + 3601)


def test_work_is_for_one_key_at_one_tracker() -> None:
    nonce = work.solve(root_id=ROOT_ID, user_id="u1a", bits=14)
    assert work.check(nonce, root_id=ROOT_ID, user_id="u1a", bits=14)
    assert not work.check(nonce, root_id=ROOT_ID, user_id="u1b", bits=14)
    assert not work.check("x" * 33, root_id=ROOT_ID, user_id="u1a", bits=0)
    with pytest.raises(ValueError, match="bits"):
        work.solve(root_id=ROOT_ID, user_id="u1a", bits=33)
