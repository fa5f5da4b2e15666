"""The load client: its own process, one job a line on standard input, one result a line out.

Raw sockets and the least parsing that still proves each reply complete: its status, its framing,
every token in it, its usage, its [DONE]. Loopback only; bounded in time and count.
"""

import asyncio
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from bench.chat import HOST, encode_request, is_whole_document, is_whole_stream, unchunked
from bench.processes import cpu_seconds, say
from luckrig.cli.loop import run

MAX_ERRORS: Final = 50
DRAIN_SECONDS: Final = 30.0
"""LiteLLM can't keep up with paced streams; what it owes then takes seconds."""

_STAMP: Final = re.compile(rb'"content":" (\d{6,})"')


class Job(msgspec.Struct, kw_only=True):
    """One window of load on one server.

    rate: requests a second, begun on time whatever the server does; None: `connections` clients
    that each ask again as soon as they are answered. tokens: luckrig's, a user for each
    connection. pids: whose CPU time to count. chunks: tokens that a good reply has.
    counts_all: measure from the first request to the end of the last reply. For servers so slow
    that a window has few replies: where it cuts them off would decide what one costs.
    """

    port: int
    model: str
    stream: bool
    connections: int
    rate: float | None
    warmup_seconds: float
    seconds: float
    chunks: int
    counts_all: bool = False
    max_requests: int = 200_000
    tokens: list[str] | None = None
    pids: list[int] = []


class Result(msgspec.Struct, kw_only=True):
    """ttft_us: for each request, from its time to the first byte of the body. transit_us: of each
    paced chunk, from the engine's write to our read. reads: of all replies. error: the first."""

    requests: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    reads: int = 0
    errors: int = 0
    error: str = ""
    ttft_us: list[int] = []
    transit_us: list[int] = []


class _Load:
    """Runs one job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.result = Result()
        self.measuring = False
        self._stopping = False
        self._idle: deque[_Client] = deque()
        self._clients: list[_Client] = []
        self._asked = 0
        self._drained = asyncio.Event()

    async def run(self) -> Result:
        """Warm up, measure, wait for what is under way."""
        job = self.job
        for _ in range(job.connections):
            await self._connect()
        if job.counts_all:
            self._begin()
        feeder = asyncio.create_task(self._feed(job.rate)) if job.rate is not None else None
        if feeder is None:
            for client in self._clients:
                self.on_idle(client)
        await asyncio.sleep(job.warmup_seconds)
        if not job.counts_all:
            self._begin()
        await asyncio.sleep(job.seconds)
        self._stopping = True
        if feeder is not None:
            feeder.cancel()
        if job.counts_all:
            await self._drain()
            self._end()
        else:
            self._end()
            await self._drain()
        for client in self._clients:
            client.close()
        return self.result

    def _begin(self) -> None:
        self.measuring, self._began_at = True, time.monotonic()
        self._cpu_before = cpu_seconds(self.job.pids)

    def _end(self) -> None:
        self.measuring = False
        self.result.cpu_seconds = cpu_seconds(self.job.pids) - self._cpu_before
        self.result.seconds = time.monotonic() - self._began_at

    def on_idle(self, client: "_Client") -> None:
        """The client's reply is in: ask again, or wait for the next request's time."""
        if not self._may_go_on():
            if not any(other.is_busy for other in self._clients):
                self._drained.set()
        elif self.job.rate is None:
            self._ask(client, time.monotonic())
        else:
            self._idle.append(client)

    def on_error(self, text: str) -> None:
        """A reply was wrong, or there was none. Its connection is not used again."""
        self.result.errors += 1
        self.result.error = self.result.error or text

    def _may_go_on(self) -> bool:
        within = self._asked < self.job.max_requests and self.result.errors < MAX_ERRORS
        return within and not self._stopping

    async def _connect(self) -> "_Client":
        number = len(self._clients)
        tokens = self.job.tokens
        request = encode_request(
            self.job.port,
            self.job.model,
            token=tokens[number % len(tokens)] if tokens else "no-token",
            stream=self.job.stream,
        )
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: _Client(self, request), HOST, self.job.port
        )
        self._clients.append(client)
        return client

    async def _feed(self, rate: float) -> None:
        """Begin requests on time; a late one's TTFT counts from when it was due."""
        self._idle.extend(self._clients)
        due = time.monotonic()
        while self._may_go_on():
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._ask(self._idle.popleft() if self._idle else await self._connect(), due)
            due += 1 / rate

    def _ask(self, client: "_Client", due: float) -> None:
        self._asked += 1
        client.ask(due)

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                if any(client.is_busy for client in self._clients):
                    await self._drained.wait()
        except TimeoutError:
            self.on_error("a reply didn't end")


class _Client(asyncio.Protocol):
    """One kept connection."""

    def __init__(self, load: _Load, request: bytes) -> None:
        self._load = load
        self._request = request
        self._check = is_whole_stream if load.job.stream else is_whole_document
        self._transport: Any = None  # uvloop's isn't an asyncio.Transport
        self.is_busy = False

    def ask(self, due: float) -> None:
        """Send the request. due: when it should have been sent, monotonic seconds."""
        self.is_busy = True
        self._due = due
        self._buffer = bytearray()
        self._body_at = self._reads = 0
        self._first_at = 0.0
        self._length: int | None = None
        self._transport.write(self._request)

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """In the middle of a reply that is an error."""
        if self.is_busy and not self._transport.is_closing():
            self._end("the connection was lost")

    def eof_received(self) -> None:
        """The server closed."""
        if self.is_busy:
            self._end("the server closed the connection")

    def data_received(self, data: bytes) -> None:
        """Read on; look at the reply when it is whole."""
        buffer = self._buffer
        buffer += data
        self._reads += 1
        if self._load.measuring and self._load.job.model == "paced":
            now = time.monotonic_ns()
            transits = [(now - int(stamp)) // 1000 for stamp in _STAMP.findall(data)]
            self._load.result.transit_us += transits
        if not self._body_at and not self._read_head():
            return
        if not self._first_at and len(buffer) > self._body_at:
            self._first_at = time.monotonic()
        if self._length is None:
            if buffer.endswith(b"\r\n0\r\n\r\n"):  # JSON holds no bare line ends
                self._finish(unchunked(buffer, self._body_at))
        elif len(buffer) >= self._body_at + self._length:
            self._finish(buffer[self._body_at :])

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        self._body_at = end + 4
        head = bytes(self._buffer[:end]).lower()
        if b"transfer-encoding: chunked" not in head:
            _, _, length = head.partition(b"content-length:")
            self._length = int(length.split(b"\r\n", 1)[0] or 0)
        return True

    def _finish(self, body: bytes | bytearray) -> None:
        job, result = self._load.job, self._load.result
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            self._end(bytes(self._buffer[:300]).decode(errors="replace"))
        elif not self._check(body, job.chunks):
            self._end(f"incomplete reply: {bytes(body[-300:]).decode(errors='replace')}")
        else:
            if self._load.measuring:
                result.requests += 1
                result.reads += self._reads
                result.ttft_us.append(int((self._first_at - self._due) * 1e6))
            self.is_busy = False
            self._load.on_idle(self)

    def _end(self, error: str) -> None:
        self.is_busy = False
        self._load.on_error(error)
        self.close()


def _work(next_line: Callable[[], bytes]) -> None:
    async def measure(job: Job) -> Result:
        return await _Load(job).run()

    while line := next_line():
        say(run(measure(msgspec.json.decode(line, type=Job))))


if __name__ == "__main__":
    _work(sys.stdin.buffer.readline)
