"""One request of a tunnel, as the pipeline sees it; the lane under it is written by the test."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.pipeline import METRICS, Pipeline, Stages
from luckrig.nodeproxy.server.limits import ServerLimits
from luckrig.nodeproxy.tunnel.stream import TunnelConnection
from luckrig.protocol.errors import PeerError
from luckrig.protocol.surface import ROUTES, methods_of
from luckrig.protocol.tunnel.frames import WINDOW_BYTES, ReplyHead, ResetCode


@dataclass
class Lane:
    """Implements stream.Lane. room: how many bytes may go. frame: how many at once."""

    room: int = 1 << 30
    frame: int = 1 << 30
    sent: list[object] = field(default_factory=list[object])

    def send_head(self, stream: int, head: ReplyHead) -> None:
        """Note it."""
        self.sent.append(head)

    def send_data(self, stream: int, data: memoryview) -> int:
        """Take what there is room for."""
        size = min(len(data), self.room, self.frame)
        self.room -= size
        if size:
            self.sent.append(bytes(data[:size]))
        return size

    def send_end(self, stream: int) -> None:
        """Note it."""
        self.sent.append("end")

    def send_reset(self, stream: int, code: ResetCode) -> None:
        """Note it."""
        self.sent.append(code)

    def send_credit(self, stream: int, consumed: int) -> None:
        """Note it."""
        self.sent.append(consumed)


async def test_answer_waits_for_credit_and_goes_on() -> None:
    lane = Lane(room=4)
    connection = TunnelConnection(lane, 1, ServerLimits())
    connection.on_end()
    connection.start(200, b"content-type: application/json\r\n", length=10)
    assert lane.sent == [], "the head goes with the first of the body"
    connection.write(b"0123456789", more=False)
    head = ReplyHead(status=200, headers=[("content-type", "application/json")], length=10)
    assert lane.sent == [head, b"0123"]
    assert connection.is_congested
    lane.room = 100
    connection.on_room()
    assert lane.sent == [head, b"0123", b"456789", "end"]
    assert not connection.is_congested


async def test_answer_longer_than_a_frame_goes_on_while_there_is_room() -> None:
    """Nobody says that there is room to whoever has some: it waited until its deadline."""
    lane = Lane(frame=4)
    connection = TunnelConnection(lane, 1, ServerLimits())
    connection.on_end()
    connection.start(200, b"content-type: application/json\r\n", length=10)
    connection.write(b"0123456789", more=False)
    assert lane.sent[1:] == [b"0123", b"4567", b"89", "end"]


async def test_headers_that_no_tunnel_takes_are_made_harmless() -> None:
    lane = Lane()
    connection = TunnelConnection(lane, 1, ServerLimits())
    connection.start(200, "luckrig-gpu: \x1b[31mé\r\n".encode("latin-1"), length=0)
    connection.write(b"", more=False)
    assert lane.sent[0] == ReplyHead(status=200, headers=[("luckrig-gpu", "?[31m?")], length=0)


async def test_client_that_reads_nothing_loses_its_turn() -> None:
    lane = Lane(room=0)
    connection = TunnelConnection(lane, 1, ServerLimits(write_seconds=0.01))
    connection.on_end()

    async def answer() -> None:
        connection.start(200, b"", length=None)
        connection.write(b"x", more=True)
        await connection.drain()

    task = asyncio.create_task(answer())
    connection.answer(task)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lane.sent[-1] == ResetCode.SLOW


async def test_body_that_is_late_or_too_long() -> None:
    late = TunnelConnection(Lane(), 1, ServerLimits(body_seconds=0.01))
    with pytest.raises(PeerError, match="in time"):
        await late.read_body()
    long = TunnelConnection(Lane(), 1, ServerLimits(body_bytes=4))
    long.on_data(b"12345")
    with pytest.raises(PeerError, match="at most 4 bytes"):
        await long.read_body()


async def test_body_is_credited_as_it_comes() -> None:
    lane = Lane()
    connection = TunnelConnection(lane, 1, ServerLimits())
    for _ in range(4):
        connection.on_data(bytes(WINDOW_BYTES // 4))
    assert lane.sent == [WINDOW_BYTES // 2] * 2
    connection.on_end()
    assert len(await connection.read_body()) == WINDOW_BYTES


async def test_answer_without_an_end_is_broken_off() -> None:
    lane = Lane()
    connection = TunnelConnection(lane, 1, ServerLimits())

    async def answer() -> None:
        connection.start(200, b"", length=None)
        connection.write(b"x", more=True)

    task = asyncio.create_task(answer())
    connection.answer(task)
    await task
    await asyncio.sleep(0)
    assert lane.sent[-1] == ResetCode.FAILED


def test_the_relay_knows_exactly_the_routes_of_a_rig() -> None:
    """protocol/surface.py is what a tracker lets through; the pipeline is what a rig answers."""

    async def nothing(exchange: Exchange) -> None:
        """A step."""

    steps: dict[str, Any] = dict.fromkeys(Stages.__dataclass_fields__, nothing)
    pipeline = Pipeline(Stages(**steps), rig_headers=b"")
    ticket = "/luckrig/queue/kD1oVn0eSh2uJvX0gq3mBw"
    paths = {path: set(methods_of(path)) for path in (*ROUTES, ticket)}
    own = {METRICS}  # for the rig's machine alone
    assert set(pipeline._routes) == set(ROUTES) | own  # pyright: ignore[reportPrivateUsage]
    for path, methods in paths.items():
        for method in ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"):
            if method in methods:
                pipeline.route(method, path)
            else:
                with pytest.raises(PeerError):
                    pipeline.route(method, path)
