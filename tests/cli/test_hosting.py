"""The tracker's signing keys as files."""

import pytest

from luckrig.cli.home import Home
from luckrig.cli.hosting import load_signing_keys
from luckrig.protocol.errors import LuckrigError

NOW = 1_800_000_000
DAY = 86_400


def test_a_new_tracker_makes_its_first_key_and_keeps_it(home: Home) -> None:
    first = load_signing_keys(home, now=NOW).signer(now=NOW)
    assert home.names() == [f"tracker-signing-{NOW}"]
    assert load_signing_keys(home, now=NOW + DAY).signer(now=NOW + DAY).seed == first.seed


def test_the_next_key_is_stored_before_it_is_shown(home: Home) -> None:
    due = NOW + 29 * DAY
    keys = load_signing_keys(home, now=NOW)
    assert keys.rotate(now=due)
    again = load_signing_keys(home, now=due)
    assert again.published(now=due) == keys.published(now=due)
    assert len(home.names()) == len(keys.published(now=due)) == 2
    assert not again.rotate(now=due)


def test_the_key_of_an_older_luckrig_signs_until_its_successor_was_shown_for_a_day(
    home: Home,
) -> None:
    old = home.load_or_create("tracker-signing")
    home.load_or_create("tracker-root")
    home.load_or_create("tracker-signing-old")  # somebody's copy
    keys = load_signing_keys(home, now=NOW)
    assert keys.rotate(now=NOW)
    assert keys.signer(now=NOW + DAY).seed == old.seed
    assert keys.signer(now=NOW + DAY + 1).seed != old.seed
    assert old.public in keys.published(now=NOW + 2 * DAY)


def test_a_key_that_others_can_read_stops_the_start(home: Home) -> None:
    load_signing_keys(home, now=NOW)
    home.key_path(f"tracker-signing-{NOW}").chmod(0o644)
    with pytest.raises(LuckrigError, match="chmod 600"):
        load_signing_keys(home, now=NOW)
