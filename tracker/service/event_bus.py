"""Tells many listeners the same news, without ever waiting for one of them.

A tracker of several processes would put a bus between them here; this one is in the process.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

KEPT_EVENTS: Final = 512
"""For those who come back: some 100 KB."""
MAX_WAITING: Final = 2 * KEPT_EVENTS
"""Events for one listener who doesn't read; with one more, the listener is dropped."""
MAX_BATCH: Final = 256
"""Of more changes at once, such as after a start, listeners hear only that they should read the
list again."""

EventKind = Literal["hello", "resync", "listed", "changed", "status", "gone"]


class Event(NamedTuple):
    """event_id: names this event and this process. data: JSON."""

    event_id: str
    kind: EventKind
    data: bytes


class Subscription(Protocol):
    """What one listener hears."""

    async def next(self) -> Sequence[Event]:
        """All that came since, at least one event, in order; none when it was dropped."""
        ...


class EventBus(Protocol):
    """News for everybody who listens. Nothing here waits for a listener."""

    def publish(self, news: Sequence[tuple[EventKind, object]]) -> None:
        """Tell everybody. The objects are of wire types."""
        ...

    def subscribe(self, *, after: str | None) -> Subscription:
        """Listen from now on, or from behind that event.

        The first event is `hello` for new listeners, or `resync` when the events since `after`
        aren't known any more; both mean that one has to read the list once.
        """
        ...

    def unsubscribe(self, subscription: Subscription) -> None:
        """Listen no longer."""
        ...


class LocalSubscription:
    """Implements Subscription."""

    def __init__(self, first: Sequence[Event]) -> None:
        self._waiting = list(first)
        self._has_news = asyncio.Event()
        self._is_dropped = False
        if first:
            self._has_news.set()

    def put(self, events: Sequence[Event]) -> bool:
        """Keep them until they are taken; False when there are too many."""
        self._is_dropped = len(self._waiting) + len(events) > MAX_WAITING
        self._waiting = [] if self._is_dropped else [*self._waiting, *events]
        self._has_news.set()
        return not self._is_dropped

    async def next(self) -> Sequence[Event]:
        await self._has_news.wait()
        if not self._is_dropped:
            self._has_news.clear()
        taken, self._waiting = self._waiting, []
        return taken


class LocalBus:
    """Implements EventBus. epoch: tells this process's events from those of the one before."""

    def __init__(self, *, epoch: str) -> None:
        self._epoch = epoch
        self._seq = 0
        self._kept: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._listeners: set[LocalSubscription] = set()

    def __len__(self) -> int:
        return len(self._listeners)

    def publish(self, news: Sequence[tuple[EventKind, object]]) -> None:
        if len(news) > MAX_BATCH:
            self._kept.clear()  # whoever comes back later has missed them, too
            events = [self._next("resync", {})]
        else:
            events = [self._next(kind, what) for kind, what in news]
        self._kept.extend(events)
        slow = [listener for listener in self._listeners if not listener.put(events)]
        self._listeners.difference_update(slow)

    def subscribe(self, *, after: str | None) -> LocalSubscription:
        subscription = LocalSubscription(self._since(after))
        self._listeners.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._listeners.discard(subscription)

    def _next(self, kind: EventKind, what: object) -> Event:
        self._seq += 1
        return Event(self._name(self._seq), kind, msgspec.json.encode(what))

    def _since(self, after: str | None) -> Sequence[Event]:
        now = self._name(self._seq)
        if after is None:
            return [Event(now, "hello", b"{}")]
        if after == now:
            return []
        kept = list(self._kept)
        for index, event in enumerate(kept):
            if event.event_id == after:
                return kept[index + 1 :]
        return [Event(now, "resync", b"{}")]

    def _name(self, seq: int) -> str:
        return f"{self._epoch}-{seq}"
