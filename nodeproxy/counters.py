"""Counts what a rig does: plain numbers since its start, never a text of anybody's.

For one event loop. A request pays for this once when it reaches the engine and once when it ends;
a chunk pays nothing: streams that run are asked for their tokens when somebody wants to know.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.timing import Meter

DONE: Final = "ok"
GONE: Final = "client_gone"
"""The two outcomes of a request that are no error's code."""
FAULTS: Final = frozenset(
    {"engine_error", "engine_unavailable", "engine_loading", "internal_error"}
)
"""The codes of errors that are the engine's fault, or the rig's, and not the client's."""

MAX_RECENT_ERRORS: Final = 20
SHARE_OF: Final = 100
"""How many of the last requests the share of errors is about."""
BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds. From a small model on a good GPU to a long prompt on a CPU behind a full queue."""
RATE_SECONDS: Final = 60.0
MARK_SECONDS: Final = 5.0


class RecentError(msgspec.Struct, frozen=True):
    """An error that a client got. at: Unix seconds. endpoint: as nodeproxy/pipeline.py names it."""

    at: int
    endpoint: str
    code: str


class Histogram:
    """How many fell into which bucket. counts: one more than BUCKETS, not summed up."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count one; a bucket's bound belongs to it."""
        self.counts[bisect_left(BUCKETS, seconds) if seconds else 0] += 1
        self.seconds += seconds


class ErrorShare:
    """How many of the last SHARE_OF were faults."""

    def __init__(self) -> None:
        self._last = bytearray(SHARE_OF)
        self._seen = 0
        self._faults = 0

    def add(self, is_fault: bool) -> None:
        """One more; the oldest is forgotten."""
        if is_fault or self._faults:  # else all that are remembered are 0, and stay so
            place = self._seen % SHARE_OF
            self._faults += is_fault - self._last[place]
            self._last[place] = is_fault
        self._seen += 1

    @property
    def share(self) -> float:
        """0 to 1; 0 before the first one."""
        return self._faults / min(self._seen, SHARE_OF) if self._seen else 0.0


class Rate:
    """How fast a total grew over the last minute. It has to be told the total now and then."""

    def __init__(self, now: float) -> None:
        """now: seconds from any origin, as everywhere here."""
        self._marks = deque([(now, 0)])

    def mark(self, total: int, now: float) -> None:
        """Take note of the total. One mark that is older than a minute is kept: it begins it."""
        self._marks.append((now, total))
        while self._marks[1][0] <= now - RATE_SECONDS:
            self._marks.popleft()

    def per_second(self, total: int, now: float) -> float | None:
        """Since the newest mark that is a minute old, or the start; None when nothing came."""
        begun_at, before = next(
            (mark for mark in reversed(self._marks) if mark[0] <= now - RATE_SECONDS),
            self._marks[0],
        )
        # A rig that has just begun has no rate yet: a second is the least that is divided by.
        return (total - before) / max(now - begun_at, 1.0) if total > before else None


class Counters:
    """All of them. clock: Unix seconds. monotonic: seconds from any origin.

    requests: (endpoint, outcome) to number; an outcome is DONE, GONE or an error's code, and the
    endpoint empty where there was none. served: replies that came to their end; those that were cut
    have receipts as well, see ReceiptBook.signed. failed: requests that the engine or the rig
    failed. rule_hits: category to number. queue_wait: of requests that got their turn.
    first_token: from there to the first token.
    """

    def __init__(self, *, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self.requests: dict[tuple[str, str], int] = {}
        self.served = 0
        self.failed = 0
        self.rule_hits: dict[str, int] = {}
        self.queue_wait = Histogram()
        self.first_token = Histogram()
        self.recent_errors: deque[RecentError] = deque(maxlen=MAX_RECENT_ERRORS)
        self._shares = ErrorShare()
        self._rate = Rate(monotonic())
        self._running: set[Meter] = set()
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._most_tokens = 0

    # What happens

    def reach_engine(self, exchange: Exchange, meter: Meter) -> None:
        """A request leaves for the engine; whoever calls this owes one end() with the meter."""
        exchange.meter = meter
        self.queue_wait.observe(exchange.queue_seconds)
        self._running.add(meter)

    def end(self, endpoint: str, outcome: str, meter: Meter | None) -> None:
        """A request is over. endpoint, outcome: see requests. meter: None without the engine."""
        key = (endpoint, outcome)
        self.requests[key] = self.requests.get(key, 0) + 1
        is_fault = outcome in FAULTS
        if is_fault:
            self.failed += 1
        if meter is not None:
            self.served += outcome == DONE
            self._shares.add(is_fault)
            self._leave_engine(meter)
        if endpoint and outcome not in (DONE, GONE):  # strangers try paths all day long
            self.recent_errors.append(RecentError(int(self._clock()), endpoint, outcome))

    def know_categories(self, categories: Iterable[str]) -> None:
        """Rules of these categories exist: their numbers begin with 0."""
        self.rule_hits = dict.fromkeys(sorted(categories), 0) | self.rule_hits

    def hit_rule(self, category: str) -> None:
        """A rule refused a request."""
        self.rule_hits[category] = self.rule_hits.get(category, 0) + 1

    def mark(self) -> None:
        """To be called every MARK_SECONDS, for tokens_per_second."""
        self._rate.mark(self.completion_tokens, self._monotonic())

    # What is known

    @property
    def error_share(self) -> float:
        """Of the last requests that reached the engine, 0 to 1."""
        return self._shares.share

    @property
    def prompt_tokens(self) -> int:
        """Of replies that are over, as the engine counted."""
        return self._prompt_tokens

    @property
    def completion_tokens(self) -> int:
        """Generated, those of running streams included. Never falls, whatever engines count."""
        running = sum(meter.completion_tokens for meter in self._running)
        self._most_tokens = max(self._most_tokens, self._completion_tokens + running)
        return self._most_tokens

    @property
    def tokens_per_second(self) -> float | None:
        """Generated, all streams together, over the last minute; None when nothing was."""
        return self._rate.per_second(self.completion_tokens, self._monotonic())

    def _leave_engine(self, meter: Meter) -> None:
        self._running.discard(meter)
        self._completion_tokens += meter.completion_tokens
        usage, ttft_seconds = meter.usage, meter.ttft_seconds
        if usage is not None:
            self._prompt_tokens += usage.prompt_tokens
        if ttft_seconds is not None:
            self.first_token.observe(ttft_seconds)
