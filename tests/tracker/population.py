"""A map's life, invented: honest people with rigs, and accounts that only deal with each other."""

import hashlib
from base64 import b32encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Final

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
)
from luckrig.tracker.domain.score import Score, scores

FIRST_DAY: Final = 20_000
DAYS: Final = 60
NOW: Final = (FIRST_DAY + DAYS) * SECONDS_PER_DAY


def user(name: str) -> str:
    """A user id for a name."""
    return "u1" + _hash(name)


def rig(name: str) -> str:
    """The id of the rig of the account with that name."""
    return "n1" + _hash("rig of " + name)


@cache
def _hash(text: str) -> str:
    return b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:32]


def at(day: int, second: int = 0) -> int:
    """Unix seconds. day: counted from the map's first."""
    return (FIRST_DAY + day) * SECONDS_PER_DAY + second


def anchored(name: str, day: int = 0, *, trusted: bool = True) -> Anchored:
    """The operator anchors somebody, or takes it back."""
    return Anchored(user_id=user(name), trusted=trusted, at=at(day))


def listed(owner: str, day: int = 0) -> NodeListed:
    """An account's rig comes onto the map."""
    return NodeListed(node_id=rig(owner), owner_id=user(owner), at=at(day))


def up(owner: str, day: int = 0, *, hours: int = 24, scarcity_milli: int = 500) -> Uptime:
    """A rig's day."""
    return Uptime(
        node_id=rig(owner),
        owner_id=user(owner),
        day=FIRST_DAY + day,
        live_hours=hours,
        scarcity_milli=scarcity_milli,
    )


def used(
    giver: str,
    owner: str,
    day: int = 0,
    *,
    tokens: int = 1000,
    two_sided: bool = True,
    gpu: str = "p40",
    request: str = "",
) -> Receipt:
    """Somebody used an account's rig: one request for each giver, owner and day, unless named."""
    return Receipt(
        request_id=request or _hash(f"{giver} {owner} {day}"),
        node_id=rig(owner),
        owner_id=user(owner),
        user_id=user(giver),
        gpu_key=gpu,
        model_key="qwen3:8b",
        tokens=tokens,
        two_sided=two_sided,
        at=at(day),
    )


def selected(giver: str, owner: str, day: int = 0) -> NoteSelected:
    """Somebody picked a rig after reading its note."""
    return NoteSelected(
        node_id=rig(owner), author_id=user(owner), by_user_id=user(giver), at=at(day)
    )


def reproduced(giver: str, owner: str, day: int = 0) -> Reproduced:
    """Somebody got what a rig's note says."""
    return Reproduced(node_id=rig(owner), author_id=user(owner), by_user_id=user(giver), at=at(day))


def timing(giver: str, owner: str, day: int = 0) -> TimingShared:
    """Somebody shared the timing of a stream."""
    return TimingShared(user_id=user(giver), node_id=rig(owner), at=at(day))


@dataclass(frozen=True, kw_only=True)
class Honest:
    """300 people, 60 of them with a rig, 30 of them known to the operator, over 60 days."""

    users: tuple[str, ...]
    owners: tuple[str, ...]
    anchors: tuple[str, ...]
    entries: tuple[Entry, ...]


def honest(seed: int = 1, *, people: int = 300, rigs: int = 60, anchors: int = 30) -> Honest:
    """Rigs differ in scarcity and charm; people come back to what they liked."""
    rng = Random(seed)  # noqa: S311 - a simulation, the same on every run
    users = tuple(f"person{number}" for number in range(people))
    owners = users[:rigs]
    known = tuple(rng.sample(users[rigs // 2 :], anchors))
    entries: list[Entry] = [anchored(name) for name in known]
    scarcity = {owner: rng.randint(50, 900) for owner in owners}
    charm = [rng.paretovariate(1.2) for _ in owners]
    start = {owner: rng.randint(0, 20) for owner in owners}
    entries += [listed(owner, start[owner]) for owner in owners]
    for day in range(DAYS):
        live = [owner for owner in owners if start[owner] <= day and rng.random() < 0.9]
        for owner in live:
            hours = rng.randint(4, 24)
            entries.append(up(owner, day, hours=hours, scarcity_milli=scarcity[owner]))
        for name in users:
            if rng.random() < 0.25:
                owner = rng.choices(owners, charm)[0]
                if owner in live and owner != name:
                    entries += _visit(rng, name, owner, day)
    return Honest(users=users, owners=owners, anchors=known, entries=tuple(entries))


def _visit(rng: Random, name: str, owner: str, day: int) -> Iterable[Entry]:
    tokens = int(rng.lognormvariate(7, 1))
    gpu = f"gpu of {owner}"
    yield used(name, owner, day, tokens=tokens, two_sided=rng.random() < 0.9, gpu=gpu)
    for chance, entry in ((0.2, selected), (0.05, reproduced), (0.2, timing)):
        if rng.random() < chance:
            yield entry(name, owner, day)


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How a ring tries to gain, and what it gets from people outside.

    first: the day its accounts and rigs appear. star: everybody deals with the first account only,
    and it with everybody. customers: known people who really use the ring's rigs, 20 000 tokens
    each, on day 40. spread: over how many of its rigs the customers are spread. visits: how many of
    those rigs each customer uses.
    """

    size: int = 100
    first: int = 20
    star: bool = False
    customers: int = 0
    spread: int = 1
    visits: int = 1
    rounds: tuple[int, ...] = (20, 45, 59)


SCHEMES: Final = {
    "one account that deals with itself": Scheme(size=1),
    "100 accounts, nobody from outside": Scheme(),
    "3 real customers, all at one rig": Scheme(customers=3),
    "3 real customers at 3 rigs": Scheme(customers=3, spread=3),
    "the same, as a star": Scheme(customers=3, spread=3, star=True),
    "the same, 60 days old": Scheme(customers=3, spread=3, first=0),
    "10 real customers at 10 rigs": Scheme(customers=10, spread=10),
}
"""What docs/CONTRIBUTION.md and the simulation's test show."""

BEYOND: Final = {
    "30 real customers at 30 rigs": Scheme(size=30, customers=30, spread=30),
    "3 real customers, each at 10 rigs": Scheme(size=30, customers=3, spread=10, visits=10),
}
"""Where many rigs are really used from outside: the docs show these too, as a limit of the rule."""


def ring_names(size: int) -> list[str]:
    """The names of a ring's accounts."""
    return [f"ring{number}" for number in range(size)]


def ring(scheme: Scheme) -> tuple[Entry, ...]:
    """Accounts that list fresh rigs, always up, and do for each other whatever might pay.

    Notes in the first round only; each later receipt asks again for whatever wasn't given yet.
    """
    return _ring(scheme.size, scheme.first, scheme.star, scheme.rounds)


@cache
def _ring(size: int, first: int, star: bool, rounds: tuple[int, ...]) -> tuple[Entry, ...]:
    names = ring_names(size)
    entries: list[Entry] = [listed(name, first) for name in names]
    for day in range(first, DAYS):
        entries += [up(name, day, scarcity_milli=1000) for name in names]
    pairs = [(a, b) for a in names for b in names if not star or names[0] in (a, b)]
    for day in rounds:
        for giver, owner in pairs:
            entries.append(used(giver, owner, day, tokens=1_000_000, gpu=f"gpu of {owner}"))
            if day == rounds[0]:
                entries += [note(giver, owner, day) for note in (selected, reproduced, timing)]
    return tuple(entries)


def visits(scheme: Scheme, customers: Sequence[str]) -> list[Entry]:
    """What the scheme's customers do."""
    return [
        used(name, owner, 40, tokens=20_000, gpu=f"gpu of {owner}")
        for number, name in enumerate(customers[: scheme.customers])
        for owner in {f"ring{(number + step) % scheme.spread}" for step in range(scheme.visits)}
    ]


def ring_and_lone(scheme: Scheme, society: Honest) -> tuple[dict[str, Score], int, int]:
    """Everybody's scores with the ring, the ring's sum, and what one account gains by itself.

    By itself: one rig, up on the same days, with the same customers and no accomplices.
    """
    alone = replace(scheme, size=1, spread=1, visits=1, rounds=())
    lone = scores([*society.entries, *ring(alone), *visits(alone, society.anchors)], now=NOW)
    everybody = scores([*society.entries, *ring(scheme), *visits(scheme, society.anchors)], now=NOW)
    total = sum(everybody[user(name)].total for name in ring_names(scheme.size))
    return everybody, total, lone[user("ring0")].total
