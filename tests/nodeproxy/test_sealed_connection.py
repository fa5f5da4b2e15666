"""When what a rig writes leaves it, on a virtual clock, and what can be seen of it."""

import asyncio
import heapq
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from luckrig.nodeproxy.exchange import EVENT_STREAM, JSON
from luckrig.nodeproxy.sealing.connection import SealedConnection
from luckrig.nodeproxy.settings import SubtextPace
from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext.carrier import CarrierWriter
from luckrig.protocol.subtext.reply import ReplyOpener, ReplySealer
from tests.nodeproxy.sealed import Opening

SECRET, ENCAPSULATION, NONCE = b"s" * 32, b"e" * 32, b"n" * 32
TICK = 0.1
HEAD = (
    b"content-type: %b\r\nluckrig-request: 0123456789abcdef\r\nluckrig-node: n1\r\n"
    b"luckrig-quant: Q4_K_M\r\nluckrig-queue-ms: 0\r\n"
)
COMMENT = b": queue position=3 eta=12 ticket=kD1oVn0eSh2uJvX0gq3mBw\n\n"


@dataclass
class Timer:
    """One call to be made."""

    callback: Callable[[], object]
    is_cancelled: bool = False

    def cancel(self) -> None:
        """Never."""
        self.is_cancelled = True


class VirtualLoop:
    """The part of an event loop that Deadline uses: timers, and a clock that the test moves."""

    def __init__(self) -> None:
        self._now = 0.0
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, Timer]] = []

    def time(self) -> float:
        """Seconds."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Note a timer."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    @property
    def is_idle(self) -> bool:
        """Whether no timer would do anything."""
        return all(timer.is_cancelled for _, _, timer in self._timers)

    def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end + 1e-9:
            self._now, _, timer = heapq.heappop(self._timers)
            if not timer.is_cancelled:
                timer.callback()
        self._now = end


@dataclass
class Socket:
    """Implements exchange.Connection. writes: (when, bytes)."""

    loop: VirtualLoop
    address: str = "192.0.2.1"
    is_congested: bool = False
    head: tuple[int, bytes, int | None] | None = None
    writes: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])
    is_whole: bool = False
    is_aborted: bool = False
    drained: int = 0

    async def read_body(self) -> bytes:
        """Nothing."""
        return b""

    def start(self, status: int, headers: bytes, *, length: int | None) -> None:
        """Note it."""
        self.head = (status, headers, length)

    def write(self, data: bytes, *, more: bool) -> None:
        """Note it."""
        assert not self.is_whole
        self.writes.append((round(self.loop.time(), 6), data))
        self.is_whole = not more

    async def drain(self) -> None:
        """Count."""
        self.drained += 1

    def abort(self) -> None:
        """Note it."""
        self.is_aborted = True


class Scene:
    """A sealed connection in front of a socket, and who opens what it wrote."""

    def __init__(self, *, is_streamed: bool = True, events: int = 8) -> None:
        self.loop = VirtualLoop()
        self.socket = Socket(self.loop)
        self.connection = SealedConnection(
            self.socket,
            ReplySealer(SECRET, ENCAPSULATION, NONCE),
            CarrierWriter("0123456789abcdef", 1_790_000_000),
            is_streamed=is_streamed,
            pace=SubtextPace(tick_seconds=TICK, events=events),
            loop=cast(asyncio.AbstractEventLoop, self.loop),
        )

    def start(self, content_type: bytes = EVENT_STREAM, status: int = 200) -> None:
        self.connection.start(status, HEAD % content_type, length=None)

    def write(self, data: bytes, *, more: bool = True) -> None:
        self.connection.write(data, more=more)

    def opened(self) -> Opening:
        """What the client has read so far."""
        opening = Opening(ReplyOpener(SECRET, ENCAPSULATION))
        for _, data in self.socket.writes:
            opening.feed(data)
        return opening

    @property
    def when(self) -> list[float]:
        return [at for at, _ in self.socket.writes]

    @property
    def sizes(self) -> list[int]:
        """The visible bytes of each write, rounded: selectors differ a little."""
        return [round(len(data) / 1000) for _, data in self.socket.writes]


def event(text: str, **delta: str) -> bytes:
    """A chunk as llama-server writes it."""
    document = {
        "id": "chatcmpl-Xa7bH2kQq1", "object": "chat.completion.chunk", "created": 1_790_000_000,
        "model": "qwen3:30b-a3b-instruct-2507-q4_K_M", "system_fingerprint": "b11549-0123abc",
        "choices": [{"index": 0, "delta": {"content": text, **delta}, "finish_reason": None}],
    }  # fmt: skip
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def test_first_word_waits_for_one_tick_and_no_more() -> None:
    """Head, role and first word are in the first frame."""
    scene = Scene()
    scene.start()
    scene.write(event("", role="assistant"))
    scene.loop.advance(0.03)
    scene.write(event("Hel"))
    scene.loop.advance(TICK - 0.03 - 0.001)
    assert scene.socket.writes == []
    scene.loop.advance(0.001)
    assert scene.when == [TICK]
    assert scene.opened().body.endswith(event("Hel"))
    assert scene.loop.is_idle


@pytest.mark.parametrize("comments", [1, 2, 10])
def test_first_word_after_queue_comments_waits_for_one_tick(comments: int) -> None:
    """An event unlike the one before is several small frames long; none of them waits."""
    scene = Scene()
    scene.start()
    for _ in range(comments):
        scene.write(COMMENT)
        scene.loop.advance(1.0)
    assert scene.opened().body == COMMENT * comments
    scene.write(event("", role="assistant"))
    scene.write(event("Hel"))
    scene.loop.advance(TICK)
    assert scene.opened().body.endswith(event("Hel"))
    assert scene.loop.is_idle


def test_comment_and_word_at_once_come_at_once() -> None:
    scene = Scene()
    scene.start()
    scene.write(COMMENT)
    scene.loop.advance(0.05)
    scene.write(event("", role="assistant") + event("Hel"))
    scene.loop.advance(0.05)
    assert scene.when == [TICK]
    assert scene.opened().body.endswith(event("Hel"))


def test_first_events_of_a_response_come_at_once() -> None:
    """The first holds all that was asked, tools and instructions: more than a middle frame."""
    scene = Scene()
    scene.start()
    tools = "".join(f'"tool {number} of many": {{"type": "object"}},' for number in range(300))
    for kind in ("created", "in_progress"):
        scene.write(b"event: response.%b\ndata: %b\n\n" % (kind.encode(), tools.encode()))
    scene.write(event("Hel"))
    scene.loop.advance(TICK)
    assert scene.when == [TICK]
    assert scene.opened().body.endswith(event("Hel"))


def test_words_that_trickle_leave_in_equal_frames_each_tick() -> None:
    scene = Scene(events=64)
    scene.start()
    scene.write(event("", role="assistant"))
    scene.loop.advance(1.0)
    for number in range(100):
        scene.write(event("x" * (1 + number % 9)))
        scene.loop.advance(0.04)
    ticks = [round(later - earlier, 3) for earlier, later in itertools.pairwise(scene.when[1:])]
    assert set(ticks) == {0.12}, "the tick begins with the first byte that waits"
    assert len(set(scene.sizes[1:])) == 1


def test_enough_events_leave_before_the_tick() -> None:
    scene = Scene(events=8)
    scene.start()
    scene.write(event("", role="assistant"))
    scene.loop.advance(1.0)
    before = len(scene.socket.writes)
    for number in range(7):
        scene.write(event(f"{number}"))
    assert len(scene.socket.writes) == before
    scene.write(event("7"))
    assert len(scene.socket.writes) == before + 1
    assert scene.opened().body.endswith(event("7"))
    scene.loop.advance(10 * TICK)
    assert len(scene.socket.writes) == before + 1


def test_events_in_one_write_leave_in_as_many_frames_as_one_by_one() -> None:
    scene = Scene(events=2)
    scene.start()
    scene.write(event("first"))
    scene.loop.advance(TICK)
    before = scene.opened().frames
    scene.write(b"".join(event(f"word {number}") for number in range(8)))
    assert 1 <= scene.opened().frames - before <= 4
    scene.loop.advance(10 * TICK)
    assert scene.opened().body.endswith(event("word 7"))


def test_backlog_keeps_ticking_a_frame_at_a_time_until_it_is_gone() -> None:
    scene = Scene(events=64)
    scene.start()
    scene.write(event("first"))
    scene.loop.advance(TICK)
    for number in range(12):
        scene.write(event("abcdefghijkl"[number] * 30))
    scene.loop.advance(TICK)
    assert not scene.opened().body.endswith(event("l" * 30))
    scene.loop.advance(5 * TICK)
    assert scene.opened().body.endswith(event("l" * 30))
    assert len(set(scene.sizes[1:])) == 1
    assert scene.loop.is_idle


def test_what_waits_is_bounded() -> None:
    """An engine that is quicker than any tick: full frames leave at once, so that the client's
    socket, and through it the engine, is held up as in plain."""
    scene = Scene(events=64)
    scene.start()
    sealer: ReplySealer = scene.connection._sealer  # pyright: ignore[reportPrivateUsage]
    for number in range(300):
        scene.write(event(f"{number}" * 25))
        assert sealer.waiting_bytes < 20_000
    scene.write(b"data: " + b"x" * 500_000 + b"\n\n")
    assert sealer.waiting_bytes < 20_000


def test_end_takes_everything_along() -> None:
    scene = Scene()
    scene.start()
    for number in range(500):
        scene.write(event(f"word {number}"))
    scene.write(b"data: [DONE]\n\n", more=False)
    opening = scene.opened()
    opening.opener.close()
    assert opening.body.count(b"data: ") == 501
    assert opening.visible.endswith(b"data: [DONE]\n\n")
    assert scene.socket.is_whole
    assert scene.loop.is_idle
    scene.write(b"late", more=True)
    scene.write(b"late", more=False)


def test_closed_connection_writes_no_more_by_itself() -> None:
    scene = Scene()
    scene.start()
    scene.write(event("Hel"))
    scene.connection.close()
    scene.loop.advance(10 * TICK)
    assert scene.socket.writes == []
    assert scene.loop.is_idle
    scene.write(b'data: {"error":{}}\n\n', more=False)  # as after a ban
    opening = scene.opened()
    opening.opener.close()
    assert opening.body.endswith(b'data: {"error":{}}\n\n')


def test_abort_leaves_no_last_frame() -> None:
    scene = Scene()
    scene.start()
    scene.write(event("Hel"))
    scene.loop.advance(TICK)
    scene.write(event("lo"))
    scene.connection.abort()
    scene.loop.advance(10 * TICK)
    assert scene.socket.is_aborted
    assert len(scene.socket.writes) == 1
    with pytest.raises(PeerError, match="cut off"):
        scene.opened().opener.close()


def test_document_in_a_stream_is_an_error_before_its_first_event() -> None:
    scene = Scene()
    scene.start(JSON, status=429)
    assert scene.socket.head is not None
    assert scene.socket.head[0] == 200
    assert EVENT_STREAM in scene.socket.head[1]
    scene.write(b'{"error":{}}', more=False)
    opening = scene.opened()
    assert opening.head is not None
    assert (opening.head.status, opening.head.content_type) == (429, "application/json")
    assert opening.body == b'{"error":{}}'


def test_engines_odd_words_cost_no_reply() -> None:
    """Headers that no client would take as they are."""
    scene = Scene()
    odd = b"luckrig-quant: Q\x1b[31m\x85\xe9" + b"x" * 5000 + b"\r\n"
    scene.connection.start(200, HEAD % EVENT_STREAM + odd, length=None)
    scene.write(b"data: x\n\n", more=False)
    opening = scene.opened()
    assert opening.head is not None
    assert opening.head.headers["luckrig-quant"].startswith("Q?[31m??x")
    assert len(opening.head.headers["luckrig-quant"]) == 1024


def test_rest_is_the_connections_own() -> None:
    scene = Scene()
    assert scene.connection.address == "192.0.2.1"
    assert not scene.connection.is_congested
    scene.socket.is_congested = True
    assert scene.connection.is_congested


async def test_long_document_is_written_between_other_peoples_streams() -> None:
    scene = Scene(is_streamed=False)
    scene.start(JSON)
    scene.write(b"x" * 3_000_000, more=False)
    assert scene.socket.writes == []
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await scene.connection.finish()
    task.cancel()
    assert turns > 100
    assert scene.socket.is_whole
    assert scene.socket.drained > 100
    opening = Opening(ReplyOpener(SECRET, ENCAPSULATION))
    opening.take(b"".join(data for _, data in scene.socket.writes))
    opening.opener.close()
    assert opening.body == b"x" * 3_000_000
    await scene.connection.finish()
