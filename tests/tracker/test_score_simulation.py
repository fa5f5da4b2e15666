"""A ring of accounts next to honest people: what it gains, and what it does to them."""

import re
from pathlib import Path

import pytest

from luckrig.tracker.domain.score import Score, points, scores
from tests.tracker.population import (
    BEYOND,
    NOW,
    SCHEMES,
    Honest,
    Scheme,
    anchored,
    honest,
    ring,
    ring_and_lone,
    ring_names,
    user,
)

ROW = re.compile(r"^\| (.+?) \| ([\d.]+) \| ([\d.]+) \|", re.MULTILINE)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "CONTRIBUTION.md"


@pytest.fixture(scope="module")
def society() -> Honest:
    return honest()


@pytest.fixture(scope="module")
def before(society: Honest) -> dict[str, Score]:
    """Everybody's score on a map without a ring."""
    return scores(society.entries, now=NOW)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_ring_gains_at_most_a_fifth_more_than_one_account(
    name: str, society: Honest, before: dict[str, Score]
) -> None:
    """And what it does to honest people is nothing; and the docs show these very numbers."""
    everybody, total, lone = ring_and_lone(SCHEMES[name], society)
    assert total * 10 <= lone * 12
    assert {user_id: everybody[user_id] for user_id in before} == before
    _compare_with_docs(name, total, lone)


@pytest.mark.parametrize("name", BEYOND)
def test_many_real_customers_are_worth_what_they_give(name: str, society: Honest) -> None:
    """Past a fifth more only where many rigs are really used from outside, as the docs say."""
    _, total, lone = ring_and_lone(BEYOND[name], society)
    assert total > lone
    _compare_with_docs(name, total, lone)


def _compare_with_docs(name: str, total: int, lone: int) -> None:
    table = {row: (of_ring, of_one) for row, of_ring, of_one in ROW.findall(PAGE.read_text())}
    assert table[name] == (points(total), points(lone))


@pytest.mark.parametrize("seed", range(2, 5))
def test_the_bound_holds_in_other_societies(seed: int) -> None:
    """A small ring that deals every single day gets the most out of each point."""
    daily = Scheme(size=12, customers=3, spread=3, first=0, rounds=tuple(range(60)))
    _, total, lone = ring_and_lone(daily, honest(seed, people=60, rigs=20, anchors=5))
    assert 0 < lone < total
    assert total * 10 <= lone * 12


def test_an_account_that_deals_with_itself_gains_nothing(society: Honest) -> None:
    _, total, lone = ring_and_lone(Scheme(size=1), society)
    assert (total, lone) == (0, 0)


def test_more_accounts_do_not_gain_more(society: Honest) -> None:
    """Size buys nothing: each further account moves the same few points around."""
    few, many = (Scheme(size=size, customers=3, spread=3) for size in (5, 30))
    assert ring_and_lone(many, society)[1] <= ring_and_lone(few, society)[1]


def test_what_a_bribed_anchor_can_do_is_bounded_by_its_voice(society: Honest) -> None:
    """The rule's weak spot, as docs/CONTRIBUTION.md says: 3 points a day, doubled by own terms."""
    scheme = Scheme(size=20, first=0, rounds=(20, 45, 59))
    entries = [*society.entries, *ring(scheme), anchored("ring0")]
    everybody = scores(entries, now=NOW)
    others = sum(everybody[user(name)].total for name in ring_names(20)[1:])
    assert 0 < others <= 3 * 3_000 * 2.4


def test_honest_work_is_seen(society: Honest) -> None:
    """Owners that many people like stand above those that few like, and some are contributors."""
    everybody = scores(society.entries, now=NOW)
    totals = sorted(everybody[user(name)].total for name in society.owners)
    assert sum(total >= 5_000 for total in totals) >= 20
    assert totals[-1] > 10 * totals[len(totals) // 4]
