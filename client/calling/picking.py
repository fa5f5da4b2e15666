"""Which of the rigs that fit: power of two choices by the time that a reply would take. Pure.

The time is what this user's own calls took, else what users shared of that rig; a rig of which
nobody knows anything counts as a little better than the best, so it is tried once and then known.
Waiting comes on top: who is in the rig's queue, and our own requests that run there.

Two drawn at random and the better one taken spreads load nearly as well as the best of all, and
doesn't send everybody to the one rig that looked free in a map some seconds old. Scarce rigs are
drawn less often, and must be clearly quicker than a common one: a request that any rig can answer
isn't what they are there for.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from luckrig.client.calling.matching import Candidate

TYPICAL_TOKENS: Final = 256
"""Of a reply: for how long its speed counts against its first token."""
SMOOTHING: Final = 0.3
"""Weight of the newest measurement: five calls make a new rig's name."""
SCARCITY_COST: Final = 0.25
"""A rig with scarcity 1 must be a quarter quicker than one that everybody has."""
SCARCITY_SHYNESS: Final = 0.75
"""How much less often the only one of its kind is drawn."""
OPTIMISM: Final = 0.8
FIRST_GUESS_SECONDS: Final = 5.0
FIRST_REST_SECONDS: Final = 2.0
LONGEST_REST_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Measure:
    """What a rig needs with one model. first_seconds: to the first token, without its queue."""

    first_seconds: float
    tokens_per_second: float

    @property
    def reply_seconds(self) -> float:
        """For a typical reply."""
        return self.first_seconds + TYPICAL_TOKENS / max(self.tokens_per_second, 0.01)

    def after(self, newer: "Measure") -> "Measure":
        """The smoothed one, after another call."""
        return Measure(
            _smooth(self.first_seconds, newer.first_seconds),
            _smooth(self.tokens_per_second, newer.tokens_per_second),
        )


@dataclass(slots=True)
class Standing:
    """What this user knows of one rig from using it.

    running: own requests there now. failures: in a row. rests_until: by the monotonic clock. asked:
    whether the rig itself asked for that rest (Retry-After).
    """

    own: dict[str, Measure] = field(default_factory=dict[str, Measure])
    running: int = 0
    failures: int = 0
    rests_until: float = 0.0
    asked: bool = False

    def worked(self) -> None:
        """A reply came."""
        self.failures, self.asked = 0, False

    def measured(self, model: str, measure: Measure) -> None:
        """A whole reply was timed."""
        before = self.own.get(model)
        self.own[model] = measure if before is None else before.after(measure)

    def failed(self, now: float, retry_after_seconds: float | None) -> None:
        """It gave no reply: let it rest, twice as long each time, or for as long as it asks."""
        self.failures += 1
        backoff = FIRST_REST_SECONDS * 2 ** min(self.failures - 1, 10)
        self.asked = retry_after_seconds is not None
        rest = backoff if retry_after_seconds is None else retry_after_seconds
        self.rests_until = now + min(rest, LONGEST_REST_SECONDS)


@dataclass(frozen=True, slots=True)
class Choice:
    """A candidate with all that is known. shared: what other users measured there."""

    candidate: Candidate
    standing: Standing
    shared: Measure | None

    @property
    def measure(self) -> Measure | None:
        """The user's own measurements go first."""
        return self.standing.own.get(self.candidate.offer.model) or self.shared


def pick(choices: Sequence[Choice], rng: random.Random) -> Choice:
    """The better of two. choices: at least one, none at rest. Raises IndexError on none."""
    if len(choices) == 1:
        return choices[0]
    first = _draw(choices, rng)
    second = _draw([each for each in choices if each is not first], rng)
    guess = _guess(choices)
    return min((first, second), key=lambda each: cost(each, guess))


def cost(choice: Choice, guess: float) -> float:
    """Seconds that a reply would take, more for a scarce rig. guess: for one without numbers."""
    measure = choice.measure
    seconds = guess if measure is None else measure.reply_seconds
    rig = choice.candidate.rig
    running = 0 if rig.queue is None else rig.queue.active + rig.queue.waiting
    places = rig.policy.max_active if rig.queue is None else max(rig.queue.max_active, 1)
    # Our own may or may not be in the tracker's count already.
    ahead = max(running, choice.standing.running) + 1 - places
    waiting = max(ahead, 0) / places * seconds
    return (seconds + waiting) * (1 + SCARCITY_COST * _scarcity(choice))


def _draw(choices: Sequence[Choice], rng: random.Random) -> Choice:
    weights = [1 - SCARCITY_SHYNESS * _scarcity(each) for each in choices]
    return rng.choices(choices, weights)[0]


def _scarcity(choice: Choice) -> float:
    """From 0 to 1, whatever the tracker says."""
    return min(max(choice.candidate.rig.scarcity, 0.0), 1.0)


def _guess(choices: Sequence[Choice]) -> float:
    known = [each.measure.reply_seconds for each in choices if each.measure is not None]
    return OPTIMISM * min(known, default=FIRST_GUESS_SECONDS)


def _smooth(before: float, newest: float) -> float:
    return before + SMOOTHING * (newest - before)
