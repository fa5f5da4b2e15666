"""A rig that runs: shows how it is, and ends it politely.

| signal          | what happens                                              | exit code |
|-----------------|-----------------------------------------------------------|-----------|
| first Ctrl-C    | takes nothing new, finishes what runs and waits           | 0         |
| second Ctrl-C   | ends; what runs has two seconds                           | 130       |
| SIGTERM         | like the first Ctrl-C, but for TERM_SECONDS at most       | 0         |
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final

from luckrig.cli.dashboard import View
from luckrig.cli.hosted_rig import HostedRig
from luckrig.cli.screens import Screen
from luckrig.client.tracker import TrackerClient
from luckrig.nodeproxy.control import Drain
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.tracker.domain.score import points

TICK_SECONDS: Final = 0.5
SCORE_SECONDS: Final = 60.0
TERM_SECONDS: Final = 10.0
INTERRUPTED: Final = 130


@dataclass
class Signals:
    """What was asked for so far. changed: set whenever there is news."""

    interrupts: int = 0
    is_terminated: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.interrupts += 1
        self.changed.set()

    def terminate(self) -> None:
        """SIGTERM."""
        self.is_terminated = True
        self.changed.set()

    @property
    def want_end(self) -> bool:
        """Whether the rig shall end."""
        return self.is_terminated or self.interrupts > 0


@contextmanager
def heard_signals() -> Generator[Signals, None, None]:
    """Count them while the block runs, instead of being ended by them."""
    signals = Signals()
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGINT: signals.interrupt, signal.SIGTERM: signals.terminate}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield signals
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


@dataclass
class Standing:
    """The owner's score as the tracker said it last; None while nobody knows."""

    points: str | None = None


@asynccontextmanager
async def followed_score(tracker: TrackerClient, key: PrivateKey) -> AsyncGenerator[Standing, None]:
    """Ask for it every SCORE_SECONDS while the block runs."""
    standing = Standing()

    async def follow() -> None:
        while True:
            # A tracker that is away, or doesn't know the key yet, is no news for this screen.
            with contextlib.suppress(LuckrigError):
                standing.points = points((await tracker.score(user_key=key)).total)
            await asyncio.sleep(SCORE_SECONDS)

    task = asyncio.create_task(follow())
    try:
        yield standing
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def watch_over(
    hosted: HostedRig,
    signals: Signals,
    screen: Screen,
    standing: Standing,
    monotonic: Callable[[], float] = time.monotonic,
) -> int:
    """Show the rig until it shall end and may; the exit code. See the table at the top."""
    gate, queue = hosted.rig.node.gate, hosted.rig.node.queue
    give_up_at: float | None = None
    while True:
        signals.changed.clear()
        if signals.want_end and not gate.ends_when_drained:
            await hosted.desk(Drain(stop=True))
        if signals.is_terminated and give_up_at is None:
            give_up_at = monotonic() + TERM_SECONDS
        screen.show(view_of(hosted, standing, monotonic()))
        if signals.interrupts > 1:
            return INTERRUPTED
        if gate.drained.is_set() or (signals.want_end and not queue.active + queue.waiting):
            return 0
        if give_up_at is not None and monotonic() >= give_up_at:
            return 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_SECONDS):
                await signals.changed.wait()


def view_of(hosted: HostedRig, standing: Standing, now: float) -> View:
    """How the rig is. now: of time.monotonic."""
    rig, instruments = hosted.rig, hosted.rig.node.instruments
    tunnel, flags = rig.tunnel, instruments.flags
    retry_at = None if tunnel is None else tunnel.retry_at
    return View(
        status=hosted.desk.status(),
        tunnel=None if tunnel is None else tunnel.state,
        retry_seconds=None if retry_at is None else retry_at - now,
        rule_hits=instruments.counters.rule_hits,
        blocked=None if flags is None else sum(flags.noted.values()),
        points=standing.points,
        has_models=rig.node.watch.has_models,
        gpus=instruments.sensors.gpus(),
    )
