"""The numbers at /transparency: read from the store at most once a minute, whoever asks."""

import asyncio
from collections.abc import Callable
from typing import Final

from luckrig.protocol.transparency import TransparencyReport
from luckrig.tracker.domain.transparency import Facts, count, current_year, parse_period
from luckrig.tracker.store.case_stores import CaseStore

READ_EVERY_SECONDS: Final = 60
"""Reading takes time that grows with every report there ever was, and anybody may ask."""


class TransparencyService:
    """tracker: its root id, r1…."""

    def __init__(self, cases: CaseStore, *, tracker: str, clock: Callable[[], float]) -> None:
        self._cases = cases
        self._tracker = tracker
        self._clock = clock
        self._reading = asyncio.Lock()
        self._facts: Facts | None = None
        self._counted: dict[str, TransparencyReport] = {}

    async def report(self, period: str | None = None) -> TransparencyReport:
        """A period's numbers, at most a minute old; None for the current year.

        Raises PeerError invalid_request, param `period`, for what is no period that has begun.
        """
        async with self._reading:
            facts = await self._read()
            now = facts.read_at
            wanted = current_year(now) if period is None else parse_period(period, now=now)
            counted = self._counted.get(wanted.name)
            if counted is None:
                # A thread: 100,000 notices take over a second, and streams must not wait for that.
                counted = await asyncio.to_thread(count, facts, wanted, tracker=self._tracker)
                self._counted[wanted.name] = counted
            return counted

    async def _read(self) -> Facts:
        now = int(self._clock())
        if self._facts is not None and 0 <= now - self._facts.read_at < READ_EVERY_SECONDS:
            return self._facts
        until = now + 1
        self._facts = Facts(
            reports=await self._cases.reports_between(0, until),
            decisions=await self._cases.decisions_between(0, until),
            appeals=await self._cases.appeals_between(0, until),
            read_at=now,
        )
        self._counted = {}
        return self._facts
