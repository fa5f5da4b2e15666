"""How connections to an engine share the event loop: many bytes at once hold nobody up."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import uvloop

from luckrig.nodeproxy.upstream import Upstream, UpstreamResponse
from luckrig.nodeproxy.upstream.connection import Connection
from luckrig.nodeproxy.upstream.response import Timeouts
from luckrig.nodeproxy.upstream.turns import READ_BYTES, READERS, Turns
from tests.fake_engines.scripted import Peer, scripted_engine
from tests.nodeproxy.upstream_scenes import both_loops

STREAMS = 4 * READERS
BODY_BYTES = 40 * READ_BYTES
TIMEOUTS = Timeouts(5, 5, 5)

DEAD_READER_BYTES = 128 * 1024
"""What may be taken from the engine for a client that has stopped reading."""


class Watched(Connection):
    """Takes note of what it reads. turn: counts the loop's turns."""

    def __init__(self, keeper: Upstream, turn: Callable[[], int]) -> None:
        super().__init__(keeper)
        self._turn = turn
        self.reads: list[tuple[int, int]] = []
        self.was_paused = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        super().connection_made(transport)
        self.is_reading = cast(asyncio.Transport, transport).is_reading

    def buffer_updated(self, nbytes: int) -> None:
        """A read, as (turn, bytes)."""
        self.reads.append((self._turn(), nbytes))
        super().buffer_updated(nbytes)

    def pause(self) -> None:
        """The answer's reader lags."""
        super().pause()
        self.was_paused.set()


class TurnCounter:
    """How many turns the loop has made."""

    def __init__(self) -> None:
        self.number = 0
        self._loop = asyncio.get_running_loop()
        self._next = self._loop.call_soon(self._count)

    def _count(self) -> None:
        self.number += 1
        self._next = self._loop.call_soon(self._count)

    def stop(self) -> None:
        self._next.cancel()


async def flood(peer: Peer) -> None:
    """Everything at once, as fast as it is taken."""
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY_BYTES)
    await peer.send(b"x" * BODY_BYTES)
    await peer.gone()


@asynccontextmanager
async def watched(streams: int) -> AsyncGenerator[list[Watched], None]:
    """So many connections to an engine that floods."""
    turns = TurnCounter()
    async with scripted_engine(flood) as url:
        upstream, port = Upstream(url), int(url.rpartition(":")[2])
        found: list[Watched] = []
        for _ in range(streams):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Watched(upstream, lambda: turns.number), "127.0.0.1", port
            )
            found.append(connection)
        try:
            yield found
        finally:
            turns.stop()
            await upstream.aclose()


async def some_turns() -> None:
    """Long enough for whoever waits for a turn to get it."""
    for _ in range(10):
        await asyncio.sleep(0)


async def until_it_waits(connection: Watched) -> tuple[UpstreamResponse, "asyncio.Task[bool]"]:
    """Ask, and read until there is more than fits into a turn."""
    answer = connection.send(b"GET / HTTP/1.1\r\n\r\n", TIMEOUTS)
    assert await answer.arrived()
    was_full = asyncio.Event()

    def sink(data: bytes) -> bool:
        if len(data) == READ_BYTES:
            was_full.set()  # whoever waits for it goes on before the connection may
        return True

    pumping = asyncio.create_task(answer.pump(sink))
    await was_full.wait()
    return answer, pumping


async def read_whole(answer: UpstreamResponse) -> int:
    """How long its body is."""
    sizes: list[int] = []

    def sink(data: bytes) -> bool:
        sizes.append(len(data))
        return True

    assert await answer.arrived()
    assert await answer.pump(sink)
    return sum(sizes)


@both_loops
async def test_a_turn_of_the_loop_has_few_reads_however_many_replies_are_ready() -> None:
    """uvloop by itself reads up to 8 MB of each before it looks at anything else."""
    async with watched(STREAMS) as connections:
        answers = [each.send(b"GET / HTTP/1.1\r\n\r\n", TIMEOUTS) for each in connections]
        lengths = await asyncio.gather(*(read_whole(answer) for answer in answers))
        assert lengths == [BODY_BYTES] * STREAMS
        readers: Counter[int] = Counter()
        for connection in connections:
            assert max(Counter(turn for turn, _ in connection.reads).values()) == 1
            assert max(nbytes for _, nbytes in connection.reads) == READ_BYTES
            before = 0
            for turn, nbytes in connection.reads:
                readers[turn] += before == READ_BYTES  # it had more to read
                before = nbytes
        assert max(readers.values()) <= READERS


@both_loops
async def test_a_client_that_reads_nothing_costs_little() -> None:
    async with watched(1) as (connection,):
        answer = connection.send(b"GET / HTTP/1.1\r\n\r\n", TIMEOUTS)
        assert await answer.arrived()
        assert not await answer.pump(lambda data: False)
        await connection.was_paused.wait()
        await some_turns()
        assert sum(nbytes for _, nbytes in connection.reads) <= DEAD_READER_BYTES < BODY_BYTES
        rest = 0
        while data := await answer.read():
            rest += len(data)
        assert rest > BODY_BYTES - DEAD_READER_BYTES


async def _order_of_turns() -> list[list[int]]:
    turns, counter = Turns(), TurnCounter()
    went: dict[int, list[int]] = {}
    all_went = asyncio.Event()

    def go_on(number: int) -> None:
        went.setdefault(counter.number, []).append(number)
        if number == 2 * READERS:
            all_went.set()

    for number in range(2 * READERS + 1):
        turns.wait(partial(go_on, number))
    await all_went.wait()
    counter.stop()
    return list(went.values())


def test_whoever_has_waited_longest_goes_on_first() -> None:
    numbers = list(range(2 * READERS + 1))
    expected = [numbers[:READERS], numbers[READERS : 2 * READERS], numbers[2 * READERS :]]
    assert asyncio.run(_order_of_turns()) == uvloop.run(_order_of_turns()) == expected


@both_loops
async def test_a_reader_that_catches_up_waits_for_its_turn_too() -> None:
    async with watched(1) as (connection,):
        _, pumping = await until_it_waits(connection)
        connection.pause()
        connection.resume()
        assert not connection.is_reading()
        assert await pumping


@both_loops
async def test_a_connection_that_is_dropped_while_it_waits_stays_dropped() -> None:
    async with watched(1) as (connection,):
        answer, pumping = await until_it_waits(connection)
        answer.close()
        reads = len(connection.reads)
        await asyncio.gather(pumping, return_exceptions=True)
        await some_turns()
        assert len(connection.reads) == reads
        assert not connection.is_usable()
