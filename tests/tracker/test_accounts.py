"""Names in the ledger: steady, secret, and of the right shape."""

from luckrig.protocol.ids import is_user_id
from luckrig.tracker.domain.accounts import ledger_account
from tests.tracker.factories import make_token

USER = make_token(user=1).user_id


def test_a_name_is_steady_and_looks_like_an_id() -> None:
    name = ledger_account(USER, secret=b"s" * 32)
    assert name == ledger_account(USER, secret=b"s" * 32)
    assert is_user_id(name)
    assert name != USER


def test_users_and_trackers_have_names_of_their_own() -> None:
    other = make_token(user=2).user_id
    names = {
        ledger_account(user, secret=key * 32) for user in (USER, other) for key in (b"a", b"b")
    }
    assert len(names) == 4
