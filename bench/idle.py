"""`python -m bench idle`: what an open stream costs while nothing comes on it.

One rig process, whose clients are all at once in the middle of a reply: the engine has sent one
chunk and thinks. With --trace also which lines of code hold the memory.
"""

import asyncio
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from bench.bars import Bar, Finding
from bench.chat import HOST, encode_request
from bench.processes import own_bytes, raise_file_limit
from bench.rig import Allocation, Allocations
from bench.spread import slope
from bench.workshop import Workshop, workshop
from luckrig.cli.loop import run

STREAMS: Final = 10_000
STEPS: Final = 10
WARMUP_STREAMS: Final = 200
SPARE_FILES: Final = 64
AT_ONCE: Final = 100
SECONDS: Final = 120.0
SETTLE_SECONDS: Final = 0.5
"""What the rig needed only to open the last streams is given back by then."""
BAR: Final = Bar(scenario="idle", what="memory of an open idle stream", limit=20_000, unit="bytes")


class Stream(msgspec.Struct):
    """A question to a rig with --trace: any line will do."""


def measure() -> list[Finding]:
    """Opens as many streams as this machine's limit of open files allows, up to STREAMS."""
    wanted = possible_streams(raise_file_limit())
    try:
        with workshop(streams=wanted) as rig:
            points, lost = run(_open_in_steps(rig, wanted))
    except OSError as error:  # TimeoutError is one
        return [Finding(bar=BAR, measured=None, note=f"streams didn't open: {error}")]
    note = f"{wanted:,} streams open at once in one process"
    if wanted < STREAMS:
        note += f"; the limit of open files allows no more, {STREAMS:,} need {2 * STREAMS:,}"
    if lost:
        note += f"; {lost:,} of them were lost"
    return [Finding(bar=BAR, measured=None if lost else slope(points), note=note)]


def possible_streams(files: int) -> int:
    """How many a rig can have open: each takes two files of it, the client's and the engine's."""
    return min(STREAMS, (files - SPARE_FILES) // 2)


def breakdown(streams: int = 2_000) -> Iterator[str]:
    """Bytes for one stream, by the line of code that asked for them. Only Python's own
    allocations: of what uvloop and llhttp ask of the C library the sum of measure() has more."""
    raise_file_limit()
    with workshop(streams=WARMUP_STREAMS + streams, trace=True) as rig:
        before, after = run(_traced(rig, streams))
    total = (after.held_bytes - before.held_bytes) / streams
    yield f"{total:8,.0f} bytes  in all"
    held = {each.line: each for each in before.largest}
    for each in after.largest:
        earlier = held.get(each.line, Allocation(each.line, 0, 0))
        grown = (each.held_bytes - earlier.held_bytes) / streams
        objects = (each.count - earlier.count) / streams
        if grown >= 1:
            yield f"{grown:8,.0f} bytes  {objects:5.1f} objects  {each.line}"


async def _open_in_steps(rig: Workshop, streams: int) -> tuple[list[tuple[float, float]], int]:
    """(streams open, the rig's bytes) at each step; and how many streams didn't stay open."""
    points: list[tuple[float, float]] = []
    with _crowd(rig) as crowd:
        await crowd.grow_to(WARMUP_STREAMS)  # what the first ones allocate for all
        for step in range(STEPS + 1):
            await crowd.grow_to(WARMUP_STREAMS + (streams - WARMUP_STREAMS) * step // STEPS)
            await asyncio.sleep(SETTLE_SECONDS)
            points.append((float(crowd.size), float(own_bytes(rig.pid))))
        return points, crowd.lost


async def _traced(rig: Workshop, streams: int) -> tuple[Allocations, Allocations]:
    with _crowd(rig) as crowd:
        await crowd.grow_to(WARMUP_STREAMS)
        before = _ask(rig)
        await crowd.grow_to(WARMUP_STREAMS + streams)
        return before, _ask(rig)


def _ask(rig: Workshop) -> Allocations:
    rig.child.ask(Stream())
    return rig.child.read(Allocations)


@contextmanager
def _crowd(rig: Workshop) -> Generator["_Crowd", None, None]:
    crowd = _Crowd(rig)
    try:
        yield crowd
    finally:
        crowd.close()


class _Crowd:
    """Clients that each have one stream open. lost: of how many the connection has ended."""

    def __init__(self, rig: Workshop) -> None:
        self._requests = [
            encode_request(rig.port, "idle", token=token, stream=True) for token in rig.tokens
        ]
        self._port = rig.port
        self._listeners: list[_Listener] = []

    @property
    def size(self) -> int:
        """Streams that were opened."""
        return len(self._listeners)

    @property
    def lost(self) -> int:
        """How many of them have ended."""
        return sum(listener.is_lost for listener in self._listeners)

    async def grow_to(self, size: int) -> None:
        """Open streams until there are that many. Raises TimeoutError, or OSError."""
        async with asyncio.timeout(SECONDS):
            while self.size < size:
                count = min(AT_ONCE, size - self.size)
                await asyncio.gather(*(self._open(self.size + each) for each in range(count)))

    async def _open(self, number: int) -> None:
        _, listener = await asyncio.get_running_loop().create_connection(
            lambda: _Listener(self._requests[number % len(self._requests)]), HOST, self._port
        )
        self._listeners.append(listener)
        await listener.begun

    def close(self) -> None:
        """Hang up, all of them."""
        for listener in self._listeners:
            listener.close()


class _Listener(asyncio.Protocol):
    """One client. begun: set when the first token is here."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._seen = b""
        self._transport: Any = None  # uvloop's isn't an asyncio.Transport
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask at once."""
        self._transport = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """The head and the first token, then nothing."""
        self._seen += data
        if b'"content":" tok000"' in self._seen and not self.begun.done():
            self._seen = b""
            self.begun.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """By the rig, or by close()."""
        self.is_lost = True
        if not self.begun.done():
            self.begun.set_exception(OSError(f"refused: {self._seen[:300]!r}"))

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()
