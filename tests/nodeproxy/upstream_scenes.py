"""What the tests of the upstream client share: both event loops, and small helpers."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from luckrig.nodeproxy.upstream import UpstreamResponse
from luckrig.nodeproxy.upstream.response import Timeouts
from luckrig.protocol.errors import UpstreamError
from tests.fake_engines.scripted import Peer, Script

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"6\r\nhello \r\n5;note=x\r\nworld\r\n0\r\nTrailer: t\r\n\r\n"
)

AsyncTest = Callable[[], Coroutine[Any, Any, None]]
Runner = Callable[[Coroutine[Any, Any, None]], None]


def both_loops(test: AsyncTest) -> Callable[[Runner], None]:
    """Run a test on asyncio's loop and on uvloop, which the node proxy uses where it exists."""

    @pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
    def on_loop(run: Runner) -> None:
        run(test())

    on_loop.__name__ = test.__name__
    on_loop.__doc__ = test.__doc__
    return on_loop


async def read_all(response: UpstreamResponse) -> bytes:
    """The rest of an answer's body."""
    body = b""
    while data := await response.read():
        body += data
    return body


async def fault_of(awaitable: Coroutine[Any, Any, object]) -> UpstreamError:
    """The UpstreamError that the awaitable raises."""
    with pytest.raises(UpstreamError) as caught:
        await awaitable
    return caught.value


def playing(*pieces: bytes) -> Script:
    """Answer each request on each connection with the pieces, one write each."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            for piece in pieces:
                await peer.send(piece)

    return script


class NoWire:
    """A connection that only takes notes."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    def finish(self, *, reusable: bool) -> None:
        self.calls.append("keep" if reusable else "drop")


def new_answer() -> tuple[UpstreamResponse, NoWire]:
    wire = NoWire()
    return UpstreamResponse(wire, Timeouts(5, 5, 5)), wire
