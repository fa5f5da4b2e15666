"""Who gave whom how much: one pass over the ledger, a day at a time.

A *gift* goes from a person to the owner of a rig that they used or discovered, or to the author of
a note that helped them. This module decides how large each gift is; score.py makes scores of the
gifts. Terms, caps and the reason for each: docs/CONTRIBUTION.md.

What a giver can give (the *voice*) is bounded, and that bounds every ring of accounts:

| giver                   | voice                                                              |
|-------------------------|--------------------------------------------------------------------|
| anchored by the operator| ANCHOR_VOICE_PER_DAY                                               |
| anybody else            | 1/VOICE_DIVISOR of all that others gave them until yesterday       |

All amounts are integers, in thousandths of a point. A day's entries are taken together, so their
order within the day changes nothing. n entries cost O(n log n) for the sort, and O(n) after it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Literal

from luckrig.tracker.domain.ledger import (
    SECONDS_PER_DAY,
    Anchored,
    Entry,
    NodeListed,
    NoteSelected,
    Receipt,
    Reproduced,
    TimingShared,
    Uptime,
    canonical,
    day_of,
)

Gift = Literal["usage", "discovery", "notes"]
"""The axes on which others give."""

GIFT_CAPS: Final[dict[Gift, int]] = {"usage": 40_000, "discovery": 15_000, "notes": 9_000}
"""What one owner can be given on each axis, by everybody together."""
PAIR_CAPS: Final[dict[Gift, int]] = {"usage": 2_000, "discovery": 1_000, "notes": 1_500}
"""What one person can give one owner on each axis, ever."""

USAGE_PER_DOUBLING: Final = 200
"""For 1000 tokens, and again each time that tokens + 1000 double."""
ONE_SIDED_DIVISOR: Final = 10
DISCOVERY: Final = 500
"""For a first time on the rarest combination; less in proportion to scarcity."""
RARE_MILLI: Final = 300
"""A combination is rare from here on: 7 rigs share the GPU and nothing else, for example."""
NOTE_SELECTED: Final = 500
NOTE_REPRODUCED: Final = 1_000

FULL_AGE_DAYS: Final = 30
"""A voice grows to full weight over an account's first 30 days."""
ANCHOR_VOICE_PER_DAY: Final = 3_000
VOICE_DIVISOR: Final = 6
"""1 + 1/6 + 1/36 + … = 1.2: what a ring can make of each point that reaches it."""


@dataclass(kw_only=True, slots=True)
class Pair:
    """What one person did at the rigs of one owner, and what that has given the owner so far."""

    two_sided_tokens: int = 0
    one_sided_tokens: int = 0
    discoveries: int = 0
    selected: bool = False
    reproduced: bool = False
    given: dict[Gift, int] = field(default_factory=dict[Gift, int])

    def worth(self, gift: Gift) -> int:
        """What the pair's dealings are worth from a giver of full weight."""
        if gift == "usage":
            full = tokens_worth(self.two_sided_tokens)
            more = tokens_worth(self.two_sided_tokens + self.one_sided_tokens) - full
            worth = full + more // ONE_SIDED_DIVISOR
        elif gift == "discovery":
            worth = self.discoveries
        else:
            worth = NOTE_SELECTED * self.selected + NOTE_REPRODUCED * self.reproduced
        return min(PAIR_CAPS[gift], worth)


@dataclass(kw_only=True, slots=True)
class Account:
    """What the ledger says about one account. Gifts are in `given_by`, by giver.

    scarcity_hours: thousandths of scarcity times hours, the best rig of each day.
    """

    first_day: int
    anchored: bool = False
    anchored_key: tuple[int, bool] = (-1, False)
    live_days: int = 0
    scarcity_hours: int = 0
    timings: int = 0
    reproduced: set[str] = field(default_factory=set[str])
    received: dict[Gift, int] = field(default_factory=dict[Gift, int])
    given_by: dict[str, Pair] = field(default_factory=dict[str, Pair])
    voice_spent: int = 0

    def received_in_all(self) -> int:
        """What others gave, each axis up to its cap."""
        return sum(min(cap, self.received.get(gift, 0)) for gift, cap in GIFT_CAPS.items())


def log2_milli(number: int) -> int:
    """1000 times the base-2 logarithm of number ≥ 1, with straight lines between powers of two.

    Integers only, so that every machine gets the same: at most 87 below the true value.
    """
    exponent = number.bit_length() - 1
    below = 1 << exponent
    return exponent * 1000 + (number - below) * 1000 // below


def tokens_worth(tokens: int) -> int:
    """USAGE_PER_DOUBLING · log2(1 + tokens / 1000), before the cap of a pair."""
    return USAGE_PER_DOUBLING * (log2_milli(1000 + tokens) - log2_milli(1000)) // 1000


def read_ledger(ledger: Iterable[Entry], *, now: int) -> dict[str, Account]:
    """user_id → account, for everyone the ledger names. Entries after `now` don't count."""
    today = now // SECONDS_PER_DAY
    known = [
        entry
        for entry in ledger
        if (entry.day <= today if isinstance(entry, Uptime) else entry.at <= now)
    ]
    known.sort(key=day_of)
    reader = LedgerReader()
    for day, entries in groupby(known, key=day_of):
        reader.read_day(day, entries)
    return reader.accounts


class LedgerReader:
    """Reads one day after another. Nothing here is undone: gifts only grow.

    accounts: as of the last day that was read. A day costs what happened on it, however many
    accounts and rigs there are.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self._owners: dict[str, str] = {}
        self._scarcity: dict[str, int] = {}
        self._receipts: set[tuple[str, str]] = set()
        self._tried: set[tuple[str, str, str]] = set()
        self._timed: set[tuple[str, str]] = set()
        self._touched: dict[str, set[str]] = {}
        self._named: set[str] = set()
        self._day = 0

    def read_day(self, day: int, unordered: Iterable[Entry]) -> set[str]:
        """Take in all of a day's entries, then let everyone who dealt that day give.

        day: later than every day before. The order of the entries changes nothing. Returns the
        accounts that the day's entries name: no other score changed.
        """
        entries = sorted(unordered, key=canonical)
        self._named = set()
        self._day = day
        self._touched = defaultdict(set)
        self._timed.clear()
        listings = [entry for entry in entries if isinstance(entry, NodeListed)]
        for listing in sorted(listings, key=lambda entry: entry.at):
            self._account(listing.owner_id)
            self._owners.setdefault(listing.node_id, listing.owner_id)
        self._take_uptimes([entry for entry in entries if isinstance(entry, Uptime)])
        for entry in entries:
            self._take(entry)
        voices = {giver: self._voice(self.accounts[giver]) for giver in self._touched}
        for giver, voice in voices.items():
            if voice:
                self._give(giver, voice)
        return self._named

    def _account(self, user_id: str) -> Account:
        self._named.add(user_id)
        account = self.accounts.get(user_id)
        if account is None:
            account = self.accounts[user_id] = Account(first_day=self._day)
        return account

    def _take_uptimes(self, uptimes: list[Uptime]) -> None:
        """Each owner's best rig of the day counts: ten rigs are not ten presences."""
        best: dict[str, int] = {}
        for uptime in uptimes:
            if self._owners.get(uptime.node_id) == uptime.owner_id and uptime.live_hours:
                self._scarcity[uptime.node_id] = uptime.scarcity_milli
                presence = uptime.live_hours * uptime.scarcity_milli
                best[uptime.owner_id] = max(best.get(uptime.owner_id, 0), presence)
        for owner_id, presence in best.items():
            owner = self._account(owner_id)
            owner.live_days += 1
            owner.scarcity_hours += presence

    def _take(self, entry: Entry) -> None:
        match entry:
            case Anchored():
                account = self._account(entry.user_id)
                key = (entry.at, not entry.trusted)  # taken back in the same second: taken back
                if key >= account.anchored_key:
                    account.anchored, account.anchored_key = entry.trusted, key
            case Receipt():
                self._take_receipt(entry)
            case NoteSelected() | Reproduced():
                self._take_note(entry)
            case TimingShared():
                self._take_timing(entry)
            case NodeListed() | Uptime():
                pass  # read before the others

    def _pair(self, giver: str, owner_id: str, node_id: str) -> Pair | None:
        """The pair that a dealing belongs to; None for self-traffic and for a false owner."""
        self._account(giver)
        if giver == owner_id or self._owners.get(node_id) != owner_id:
            return None
        return self._deal(giver, owner_id)

    def _deal(self, giver: str, receiver: str) -> Pair:
        self._touched[giver].add(receiver)
        return self._account(receiver).given_by.setdefault(giver, Pair())

    def _take_receipt(self, receipt: Receipt) -> None:
        pair = self._pair(receipt.user_id, receipt.owner_id, receipt.node_id)
        request = (receipt.node_id, receipt.request_id)
        if pair is None or request in self._receipts:
            return
        self._receipts.add(request)
        if not receipt.two_sided:
            pair.one_sided_tokens += receipt.tokens
            return
        pair.two_sided_tokens += receipt.tokens
        tried = (receipt.user_id, receipt.gpu_key, receipt.model_key)
        scarcity = self._scarcity.get(receipt.node_id, 0)
        if tried not in self._tried and scarcity >= RARE_MILLI:
            pair.discoveries += DISCOVERY * scarcity // 1000
        self._tried.add(tried)

    def _take_note(self, entry: NoteSelected | Reproduced) -> None:
        reader = self._account(entry.by_user_id)
        if entry.by_user_id == entry.author_id:
            return
        pair = self._deal(entry.by_user_id, entry.author_id)
        if isinstance(entry, NoteSelected):
            pair.selected = True
            return
        pair.reproduced = True
        reader.reproduced.add(entry.author_id)

    def _take_timing(self, entry: TimingShared) -> None:
        """One a day for each rig of somebody else."""
        user = self._account(entry.user_id)
        owner_id = self._owners.get(entry.node_id)
        timed = (entry.user_id, entry.node_id)
        if owner_id not in (None, entry.user_id) and timed not in self._timed:
            self._timed.add(timed)
            user.timings += 1

    def _voice(self, giver: Account) -> int:
        if giver.anchored:
            return ANCHOR_VOICE_PER_DAY
        return max(0, giver.received_in_all() // VOICE_DIVISOR - giver.voice_spent)

    def _give(self, giver_id: str, voice: int) -> None:
        """Raise each gift to what the pair is worth at the giver's age, within the voice.

        What the voice can't cover isn't lost: the next dealing of the pair asks for it again.
        """
        giver = self.accounts[giver_id]
        age = min(FULL_AGE_DAYS, self._day - giver.first_day + 1)
        asked: list[tuple[str, Gift, int]] = []
        for owner_id in self._touched[giver_id]:
            pair = self.accounts[owner_id].given_by[giver_id]
            for gift in GIFT_CAPS:
                missing = pair.worth(gift) * age // FULL_AGE_DAYS - pair.given.get(gift, 0)
                if missing > 0:
                    asked.append((owner_id, gift, missing))
        total = sum(missing for _, _, missing in asked)
        for owner_id, gift, missing in asked:
            amount = missing if total <= voice else missing * voice // total
            owner = self.accounts[owner_id]
            pair = owner.given_by[giver_id]
            pair.given[gift] = pair.given.get(gift, 0) + amount
            owner.received[gift] = owner.received.get(gift, 0) + amount
            if not giver.anchored:
                giver.voice_spent += amount
