"""Scores: what each account's contribution amounts to, with every term of it.

A score is a pure function of the ledger, in integers (thousandths of a point), so two machines
that hold the same ledger get the same score bit for bit. Five axes, at most 100 points:

| axis      | at most | from                                                                     |
|-----------|---------|--------------------------------------------------------------------------|
| existence | 5       | own: days on which a rig of theirs was live                               |
| scarcity  | 25      | own: scarcity times live hours, the best rig of each day                 |
| usage     | 40      | gifts: distinct people times log of verified tokens                      |
| discovery | 15      | gifts: people whose first time on a rare combination was here             |
| notes     | 15      | gifts (9): picked after reading, reproduced; own (6): helping others      |

Gifts come from others (dealings.py). What an account did by itself, its *own* terms, counts as far
as gifts match it, one for one, or in full for an anchored account: a rig that nobody with a voice
ever used can't be told from an answering machine. docs/CONTRIBUTION.md has examples and limits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from luckrig.protocol.tokens import Tier
from luckrig.tracker.domain.dealings import GIFT_CAPS, Account, Gift, read_ledger
from luckrig.tracker.domain.ledger import Entry

Axis = Literal["existence", "scarcity", "usage", "discovery", "notes"]
TermKind = Literal[
    "days",
    "hours",
    "timings",
    "reproduced",
    "gift",
    "cap",
    "unmatched",
]
"""What n is. days: live ones. hours: live ones times scarcity, thousandths. timings: how many were
shared. reproduced: authors. cap: thousandths of a point."""
AXES: Final[tuple[Axis, ...]] = ("existence", "scarcity", "usage", "discovery", "notes")

EXISTENCE_PER_DAY: Final = 50
EXISTENCE_CAP: Final = 5_000
SCARCITY_PER_DAY: Final = 500
"""For 24 live hours with scarcity 1."""
SCARCITY_CAP: Final = 25_000
TIMING: Final = 100
TIMINGS_CAP: Final = 2_000
REPRODUCTION: Final = 500
REPRODUCTIONS_CAP: Final = 4_000
AXIS_CAPS: Final[dict[Axis, int]] = {
    "existence": EXISTENCE_CAP,
    "scarcity": SCARCITY_CAP,
    "usage": GIFT_CAPS["usage"],
    "discovery": GIFT_CAPS["discovery"],
    "notes": GIFT_CAPS["notes"] + TIMINGS_CAP + REPRODUCTIONS_CAP,
}
"""The most that each axis can hold, thousandths of a point: 100 points in all."""
CONTRIBUTOR_AT: Final = 5_000
"""Low: helping without a GPU reaches it (6 points), and so do a few people who like a rig."""

_FULL_PRESENCE: Final = 24 * 1000
_GIFT_WORDS: Final[dict[Gift, str]] = {
    "usage": "used their rigs",
    "discovery": "first met a rare combination here",
    "notes": "picked or reproduced from a note",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One line of a score. amount: thousandths of a point, negative where a rule takes away.

    what: the line in English, a part of what ledgers are compared by. kind says the same to
    programs, with n where it counts something, and who for a gift: the giver's account.
    """

    axis: Axis
    what: str
    amount: int
    kind: TermKind
    n: int = 0
    who: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """An account's score: its terms. They add up to the axes, and the axes to the total."""

    user_id: str
    terms: tuple[Term, ...] = ()

    @property
    def total(self) -> int:
        """Thousandths of a point."""
        return sum(term.amount for term in self.terms)

    def axis(self, axis: Axis) -> int:
        """Thousandths of a point on one axis."""
        return sum(term.amount for term in self.terms if term.axis == axis)

    def explain(self) -> list[str]:
        """Every term as a line, then the total."""
        lines = [f"{points(term.amount):>8}  {term.axis:<9}  {term.what}" for term in self.terms]
        return [*lines, f"{points(self.total):>8}  total"]


def points(milli: int) -> str:
    """Thousandths as points with three decimals."""
    sign = "-" if milli < 0 else ""
    return f"{sign}{abs(milli) // 1000}.{abs(milli) % 1000:03d}"


def scores(ledger: Iterable[Entry], *, now: int) -> dict[str, Score]:
    """user_id → score, for everyone the ledger names. now: Unix seconds.

    One pass, O(n log n) in entries because they are sorted by day; the rest is linear.
    """
    accounts = read_ledger(ledger, now=now)
    return {user_id: account_score(user_id, accounts[user_id]) for user_id in sorted(accounts)}


def score(ledger: Iterable[Entry], user_id: str, *, now: int) -> Score:
    """One account's score; an account that the ledger doesn't name has an empty one.

    It takes the same pass as everybody's scores: whose voice counts depends on all of them.
    """
    account = read_ledger(ledger, now=now).get(user_id)
    return Score(user_id=user_id) if account is None else account_score(user_id, account)


def tier(score: Score, *, ever_contributor: bool) -> Tier:
    """A contributor stays one, whatever happens to the score later."""
    return "contributor" if ever_contributor or score.total >= CONTRIBUTOR_AT else "limited"


def account_score(user_id: str, account: Account) -> Score:
    """The score of an account, as far as a LedgerReader has read."""
    own = _own_terms(account)
    terms = [*own, *_gift_terms(account)]
    if not account.anchored:
        terms += _unmatched(own, account.received_in_all())
    terms.sort(key=lambda term: AXES.index(term.axis))  # stable: within an axis as they came
    return Score(user_id=user_id, terms=tuple(term for term in terms if term.amount))


def _own_terms(account: Account) -> list[Term]:
    timings = min(TIMINGS_CAP, TIMING * account.timings)
    reproductions = min(REPRODUCTIONS_CAP, REPRODUCTION * len(account.reproduced))
    scarcity = SCARCITY_PER_DAY * account.scarcity_hours // _FULL_PRESENCE
    return [
        Term(
            axis="existence",
            what=f"a rig live on {account.live_days} days",
            amount=min(EXISTENCE_CAP, EXISTENCE_PER_DAY * account.live_days),
            kind="days",
            n=account.live_days,
        ),
        Term(
            axis="scarcity",
            what=f"{points(account.scarcity_hours)} hours times scarcity, really live",
            amount=min(SCARCITY_CAP, scarcity),
            kind="hours",
            n=account.scarcity_hours,
        ),
        Term(
            axis="notes",
            what=f"{account.timings} timings shared",
            amount=timings,
            kind="timings",
            n=account.timings,
        ),
        Term(
            axis="notes",
            what=f"reproduced notes of {len(account.reproduced)} authors",
            amount=reproductions,
            kind="reproduced",
            n=len(account.reproduced),
        ),
    ]


def _gift_terms(account: Account) -> list[Term]:
    terms = [
        Term(axis=gift, what=f"{giver} {_GIFT_WORDS[gift]}", amount=amount, kind="gift", who=giver)
        for giver, pair in sorted(account.given_by.items())
        for gift, amount in pair.given.items()
    ]
    for gift, cap in GIFT_CAPS.items():
        over = account.received.get(gift, 0) - cap
        if over > 0:
            what = f"over the cap of {points(cap)}"
            terms.append(Term(axis=gift, what=what, amount=-over, kind="cap", n=cap))
    return terms


def _unmatched(own: Iterable[Term], received: int) -> list[Term]:
    """What no gift matches yet: gifts match existence first, then scarcity, then helping."""
    terms: list[Term] = []
    for term in own:
        matched = min(term.amount, received)
        received -= matched
        if matched < term.amount:
            what = "not matched by gifts of others yet"
            left = matched - term.amount
            terms.append(Term(axis=term.axis, what=what, amount=left, kind="unmatched"))
    return terms
