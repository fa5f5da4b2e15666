"""Scores: every axis, every cap, and what must hold for any ledger."""

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luckrig.tracker.domain import dealings
from luckrig.tracker.domain import score as score_module
from luckrig.tracker.domain.dealings import GIFT_CAPS, log2_milli, read_ledger, tokens_worth
from luckrig.tracker.domain.ledger import (
    Anchored,
    Entry,
    NoteSelected,
    Receipt,
    Reproduced,
    from_jsonl,
    to_jsonl,
)
from luckrig.tracker.domain.score import Axis, Score, score, scores, tier
from tests.tracker.population import (
    NOW,
    anchored,
    listed,
    reproduced,
    selected,
    timing,
    up,
    used,
    user,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "CONTRIBUTION.md"
OLD = 29
"""The first day on which an account of day 0 has its full voice."""


def axis_of(entries: list[Entry], name: str, axis: Axis) -> int:
    return score(entries, user(name), now=NOW).axis(axis)


def setting(*names: str) -> list[Entry]:
    """Olga's rig, and known people whose accounts are as old as the map."""
    return [listed("olga"), *(anchored(name) for name in names)]


@pytest.mark.parametrize(
    ("entries", "amount"),
    [
        ([used("ada", "olga", OLD)], 200),
        ([used("ada", "olga", OLD, tokens=3000)], 400),
        ([used("ada", "olga", OLD, tokens=10_000_000)], 2000),
        ([used("ada", "olga", OLD, two_sided=False)], 20),
        ([used("ada", "olga", 14)], 100),
        ([used("ada", "olga", 0)], 6),
        ([used("ada", "olga", 0), used("ada", "olga", OLD, tokens=2000)], 400),
        ([used("ada", "olga", OLD), used("bob", "olga", OLD)], 400),
        ([used("ada", "olga", OLD), used("ada", "olga", OLD)], 200),
        ([used("olga", "olga", OLD)], 0),
        ([used("stranger", "olga", OLD)], 0),
        ([used("ada", "nobody", OLD)], 0),
    ],
    ids=[
        "1000 tokens",
        "twice more doubles",
        "cap of a pair",
        "one-sided",
        "half grown voice",
        "first day",
        "grown since",
        "two people",
        "one receipt twice",
        "self-traffic",
        "no voice",
        "unlisted rig",
    ],
)
def test_usage(entries: list[Entry], amount: int) -> None:
    ledger = [*setting("ada", "bob"), *entries]
    assert axis_of(ledger, "olga", "usage") == amount
    assert axis_of(ledger, "nobody", "usage") == 0


@pytest.mark.parametrize(
    ("entries", "amount"),
    [
        ([up("olga", OLD, scarcity_milli=1000), used("ada", "olga", OLD)], 500),
        ([up("olga", OLD, scarcity_milli=600), used("ada", "olga", OLD)], 300),
        ([up("olga", OLD, scarcity_milli=299), used("ada", "olga", OLD)], 0),
        ([used("ada", "olga", OLD)], 0),
        ([up("olga", scarcity_milli=1000), used("ada", "olga", OLD, two_sided=False)], 0),
        ([up("olga", 0), used("ada", "olga", OLD), used("ada", "olga", 40)], 250),
        ([listed("otto"), up("olga"), used("ada", "otto", 28), used("ada", "olga", OLD)], 0),
        (
            [up("olga", scarcity_milli=1000)]
            + [used("ada", "olga", 30 + n, gpu=f"gpu{n}") for n in range(5)],
            1000,
        ),
    ],
    ids=[
        "rarest",
        "less rare",
        "common",
        "never up",
        "one-sided",
        "second time",
        "met elsewhere",
        "cap of a pair",
    ],
)
def test_discovery(entries: list[Entry], amount: int) -> None:
    assert axis_of([*setting("ada"), *entries], "olga", "discovery") == amount


@pytest.mark.parametrize(
    ("entries", "amount"),
    [
        ([selected("ada", "olga", OLD)], 500),
        ([selected("ada", "olga", OLD), selected("ada", "olga", 40)], 500),
        ([reproduced("ada", "olga", OLD)], 1000),
        ([reproduced("ada", "olga", OLD), selected("ada", "olga", 40)], 1500),
        ([reproduced("ada", "olga", OLD), reproduced("bob", "olga", OLD)], 2000),
        ([reproduced("ada", "olga", 2)], 100),
        ([reproduced("stranger", "olga", OLD), reproduced("olga", "olga", OLD)], 0),
    ],
    ids=["picked", "picked twice", "reproduced", "both", "two people", "young", "no voice, self"],
)
def test_notes(entries: list[Entry], amount: int) -> None:
    assert axis_of([*setting("ada", "bob"), *entries], "olga", "notes") == amount


@pytest.mark.parametrize(
    ("entries", "existence", "scarcity"),
    [
        ([up("olga", scarcity_milli=1000)], 50, 500),
        ([up("olga", hours=12, scarcity_milli=500)], 50, 125),
        ([up("olga", hours=0)], 0, 0),
        ([up("olga"), up("olga")], 50, 250),
        ([up("olga", day, scarcity_milli=100) for day in range(60)], 3000, 3000),
        ([up("olga", day, scarcity_milli=1000) for day in range(55)], 2750, 25_000),
        ([up("otto")], 0, 0),
    ],
    ids=["a day", "half a day", "never live", "told twice", "60 days", "cap", "another's rig"],
)
def test_presence_of_an_anchored_owner(entries: list[Entry], existence: int, scarcity: int) -> None:
    ledger = [*setting("olga"), *entries]
    assert axis_of(ledger, "olga", "existence") == existence
    assert axis_of(ledger, "olga", "scarcity") == scarcity


@pytest.mark.parametrize(
    ("entries", "amount"),
    [
        ([timing("ada", "olga", 1), timing("ada", "olga", 1), timing("ada", "olga", 2)], 200),
        ([timing("ada", "olga", day) for day in range(40)], 2000),
        ([reproduced("ada", "olga", 1), reproduced("ada", "olga", 2)], 500),
        ([reproduced("ada", f"o{n}", 1) for n in range(9)], 4000),
        ([timing("olga", "olga"), reproduced("olga", "olga"), timing("ada", "nobody")], 0),
    ],
    ids=["timings", "cap of timings", "one owner", "cap of reproductions", "self and unknown"],
)
def test_helping_without_a_gpu_counts(entries: list[Entry], amount: int) -> None:
    ledger = [*setting("ada", "olga"), *(listed(f"o{n}") for n in range(9)), *entries]
    helper = "olga" if amount == 0 else "ada"
    assert axis_of(ledger, helper, "notes") == amount


def test_own_terms_count_as_far_as_gifts_match_them() -> None:
    present = [up("olga", day, scarcity_milli=1000) for day in range(40)]
    alone = score([*setting("ada"), *present], user("olga"), now=NOW)
    assert alone.total == 0
    liked = score([*setting("ada"), *present, used("ada", "olga", OLD)], user("olga"), now=NOW)
    assert liked.axis("usage") + liked.axis("discovery") == 700
    assert liked.axis("existence") + liked.axis("scarcity") == 700


def test_each_axis_of_gifts_has_its_cap() -> None:
    crowd = [f"person{number}" for number in range(40)]
    ledger: list[Entry] = [*setting(*crowd), up("olga", scarcity_milli=1000)]
    for name in crowd:
        for day in (OLD, 40, 41):
            ledger += [used(name, "olga", day, tokens=10_000_000), reproduced(name, "olga", day)]
    result = score(ledger, user("olga"), now=NOW)
    assert [result.axis(axis) for axis in GIFT_CAPS] == list(GIFT_CAPS.values())


def test_an_anchored_voice_is_bounded_each_day_and_catches_up() -> None:
    owners = [f"o{number}" for number in range(4)]
    ledger: list[Entry] = [anchored("ada"), *(listed(owner) for owner in owners)]
    first = [used("ada", owner, OLD, tokens=10_000_000) for owner in owners]
    assert sum(s.total for s in scores([*ledger, *first], now=NOW).values()) == 3000
    later = [used("ada", owner, 40, tokens=1) for owner in owners]
    assert sum(s.total for s in scores([*ledger, *first, *later], now=NOW).values()) == 6000


def test_a_voice_that_was_earned_is_a_sixth_and_is_spent_once() -> None:
    ledger = [*setting("ada"), listed("otto"), listed("ines")]
    ledger += [used("ada", "olga", OLD, tokens=3000), used("olga", "otto", OLD)]
    assert axis_of(ledger, "otto", "usage") == 0, "what is earned today speaks tomorrow"
    ledger += [used("olga", "otto", 40, tokens=1)]
    assert axis_of(ledger, "otto", "usage") == 400 // 6
    ledger += [used("olga", "ines", 41, tokens=1000)]
    assert axis_of(ledger, "ines", "usage") == 0


def test_an_anchor_that_is_taken_back_gives_nothing_from_that_day_on() -> None:
    ledger = [*setting("ada"), used("ada", "olga", OLD)]
    taken = [*ledger, anchored("ada", 40, trusted=False)]
    assert axis_of([*taken, reproduced("ada", "olga", 40)], "olga", "notes") == 0
    assert axis_of(taken, "olga", "usage") == 200, "what it gave before stays"
    assert axis_of([*taken, anchored("ada", 40)], "olga", "usage") == 200


def test_entries_after_now_do_not_count() -> None:
    ledger = [
        *setting("ada"),
        used("ada", "olga", OLD),
        up("olga", 80),
        reproduced("ada", "olga", 61),
    ]
    assert score(ledger, user("olga"), now=NOW).total == 200


def test_a_contributor_stays_one() -> None:
    poor = Score(user_id=user("olga"))
    assert tier(poor, ever_contributor=False) == "limited"
    assert tier(poor, ever_contributor=True) == "contributor"
    term = score_module.Term(
        axis="usage", what="x", amount=score_module.CONTRIBUTOR_AT, kind="gift"
    )
    rich = Score(user_id=user("olga"), terms=(term,))
    assert tier(rich, ever_contributor=False) == "contributor"


@given(st.integers(1, 2**60))
def test_the_logarithm_is_close_and_never_falls(number: int) -> None:
    from math import log2

    assert -88 <= log2_milli(number) - 1000 * log2(number) <= 0.001
    assert log2_milli(number) <= log2_milli(number + 1)
    assert tokens_worth(0) == 0


NAMES = ["ada", "bob", "olga", "otto", "ines"]
WHO = st.sampled_from(NAMES)
DAY = st.integers(0, 6).map(lambda week: week * 9)
ENTRIES = st.one_of(
    st.builds(anchored, WHO, DAY, trusted=st.booleans()),
    st.builds(listed, WHO, DAY),
    st.builds(up, WHO, DAY, hours=st.integers(0, 24), scarcity_milli=st.integers(0, 1000)),
    st.builds(
        used,
        WHO,
        WHO,
        DAY,
        tokens=st.integers(0, 50_000),
        two_sided=st.booleans(),
        gpu=st.sampled_from(["p40", "v100"]),
    ),
    st.builds(selected, WHO, WHO, DAY),
    st.builds(reproduced, WHO, WHO, DAY),
    st.builds(timing, WHO, WHO, DAY),
)
START: list[Entry] = [*(listed(name) for name in NAMES[2:]), anchored("ada"), anchored("bob")]
LEDGERS = st.lists(ENTRIES, max_size=40).map(lambda entries: [*START, *entries])


@given(LEDGERS, st.randoms(use_true_random=False))
def test_the_order_of_entries_changes_nothing(ledger: list[Entry], random: Random) -> None:
    shuffled = list(ledger)
    random.shuffle(shuffled)
    assert scores(shuffled, now=NOW) == scores(ledger, now=NOW)


@given(LEDGERS)
def test_a_score_from_an_export_is_the_same_bit_for_bit(ledger: list[Entry]) -> None:
    again = from_jsonl(to_jsonl(ledger))
    assert scores(again, now=NOW) == scores(ledger, now=NOW)


@given(LEDGERS)
def test_one_pass_gives_everybody_the_score_they_would_compute(ledger: list[Entry]) -> None:
    everybody = scores(ledger, now=NOW)
    for name in NAMES:
        alone = score(ledger, user(name), now=NOW)
        assert alone == everybody.get(user(name), Score(user_id=user(name)))
        assert alone.total == sum(alone.axis(axis) for axis in score_module.AXES)
        assert all(alone.axis(axis) >= 0 for axis in score_module.AXES)


@given(LEDGERS, WHO, DAY, st.booleans())
def test_what_a_newcomer_does_lowers_no_score(
    ledger: list[Entry], owner: str, day: int, trusted: bool
) -> None:
    """A voice is shared among those it gives to, so here only known people give."""
    known = {user("ada"), user("bob"), None}
    ledger = [e for e in ledger if not isinstance(e, Anchored) and _giver(e) in known]
    ledger += [anchored("ada"), anchored("bob")]
    before = scores(ledger, now=NOW)
    does: list[Entry] = [
        anchored("newcomer", trusted=trusted),
        listed("newcomer", day),
        up("newcomer", day),
        used("newcomer", owner, day),
        reproduced("newcomer", owner, day),
        timing("newcomer", owner, day),
    ]
    after = scores([*ledger, *does], now=NOW)
    for user_id, was in before.items():
        assert after[user_id].total >= was.total


def _giver(entry: Entry) -> str | None:
    """Who gives by an entry, if it is a gift."""
    if isinstance(entry, Receipt):
        return entry.user_id
    return entry.by_user_id if isinstance(entry, NoteSelected | Reproduced) else None


@settings(max_examples=60)
@given(LEDGERS)
def test_no_set_of_accounts_makes_more_than_a_fifth_of_what_reaches_it(
    ledger: list[Entry],
) -> None:
    """The theorem of docs/CONTRIBUTION.md, for the accounts that nobody anchored."""
    inside = {user(name) for name in ("olga", "otto", "ines")}
    ledger = [e for e in ledger if not (isinstance(e, Anchored) and e.user_id in inside)]
    accounts = read_ledger(ledger, now=NOW)
    outer = sum(
        sum(pair.given.values())
        for user_id in inside & accounts.keys()
        for giver, pair in accounts[user_id].given_by.items()
        if giver not in inside
    )
    total = sum(scores(ledger, now=NOW)[user_id].total for user_id in inside & accounts.keys())
    assert total * 10 <= outer * 24


def test_the_constants_in_the_docs_are_the_codes() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(rows) >= 15
    for name, value in rows:
        home = dealings if hasattr(dealings, name) else score_module
        assert getattr(home, name) == int(value), name


def test_the_worked_example_in_the_docs_is_what_the_code_says() -> None:
    ledger: list[Entry] = [anchored("ada"), anchored("bob"), listed("olga"), listed("otto")]
    ledger += [up("olga", day, hours=12, scarcity_milli=500) for day in range(40)]
    ledger += [used("ada", "olga", 29, tokens=7000), reproduced("ada", "olga", 29)]
    ledger += [used("bob", "olga", 14, tokens=1000, two_sided=True)]
    ledger += [used("olga", "otto", 45, tokens=3000)]
    for name in ("olga", "otto"):
        text = "\n".join(score(ledger, user(name), now=NOW).explain())
        for known in ("ada", "bob", "olga"):
            text = text.replace(user(known), known)
        assert f"```\n{text}\n```" in PAGE.read_text("utf-8"), text
