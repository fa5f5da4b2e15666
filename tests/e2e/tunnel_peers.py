"""The rig's end of a tunnel alone, with an application that tests write, and a tracker to match."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import msgspec

from luckrig.cli.options import ask_tracker
from luckrig.nodeproxy.exchange import EVENT_STREAM, Connection
from luckrig.nodeproxy.server.connection import RequestHead
from luckrig.nodeproxy.server.limits import ServerLimits
from luckrig.nodeproxy.tunnel.client import TunnelClient, TunnelPlan, connected
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor import NodeDescriptor, sign_descriptor
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.surface import relay_endpoint
from luckrig.protocol.telemetry import Telemetry
from tests.e2e.tunnels import NODE, NODE_ID, OWNER
from tests.tracker.factories import make_node

EVENT = b"data: " + b"x" * 16_376 + b"\n\n"
"""16 KiB."""


@dataclass
class Streamer:
    """An application that streams EVENTs. size_of: a request's number, from 0 → how many of them.

    pause_after: before that event, tell `begun` and wait for go_on. left: released once for each
    request that was cancelled. done: the requests whose answer was written whole.
    """

    size_of: Callable[[int], int]
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    pause_after: int | None = None
    begun: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    left: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    count: int = 0
    done: set[int] = field(default_factory=set[int])

    async def __call__(self, connection: Connection, head: RequestHead) -> None:
        """Answer one request."""
        number = self.count
        self.count += 1
        try:
            await connection.read_body()
            connection.start(200, b"content-type: %b\r\n" % EVENT_STREAM, length=None)
            for index in range(self.size_of(number)):
                if index == self.pause_after:
                    self.begun.release()
                    await self.go_on.wait()
                connection.write(EVENT, more=True)
                await connection.drain()
            connection.write(b"data: [DONE]\n\n", more=False)
            self.done.add(number)
        except asyncio.CancelledError:
            self.left.release()


class Naps:
    """A sleep that ends when the test says so. asked: how long each was meant to be."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._asleep = asyncio.Semaphore(0)
        self._wake = asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        """Sleep."""
        self.asked.append(seconds)
        self._asleep.release()
        await self._wake.acquire()

    async def over(self) -> float:
        """Wait for a sleeper and wake it; how long it wanted to sleep."""
        await self._asleep.acquire()
        self._wake.release()
        return self.asked[-1]


async def publish_tunnelled(address: TrackerAddress, key: PrivateKey = NODE) -> None:
    """Put a rig behind a tunnel on the map."""
    origin = address.origin
    descriptor: NodeDescriptor = msgspec.structs.replace(
        make_node(1).descriptor,
        node_id=NODE_ID,
        owner_id=derive_id("u1", OWNER.public),
        endpoints=[relay_endpoint(origin, NODE_ID)],
        seq=int(time.time() * 1000),
    )
    async with ask_tracker(address) as tracker:
        await tracker.publish(sign_descriptor(descriptor, node_key=key, owner_key=OWNER))


def make_plan(address: TrackerAddress, app: Any, **changes: Any) -> TunnelPlan:
    """A tunnel on the real clock."""
    assert address.root_id is not None
    plan = TunnelPlan(
        origin=address.origin,
        root_id=address.root_id,
        node_key=NODE,
        app=app,
        limits=ServerLimits(),
        telemetry=lambda: Telemetry(status="available"),
        on_revoked=lambda: None,
        clock=time.time,
        monotonic=time.monotonic,
        sleep=Naps(),
        rng=Random(1),  # noqa: S311 -- repeats itself
    )
    return replace(plan, **changes)


@asynccontextmanager
async def tunnel_to(
    address: TrackerAddress, app: Any, **changes: Any
) -> AsyncGenerator[TunnelClient, None]:
    """A client that has settled."""
    client = TunnelClient(make_plan(address, app, **changes))
    async with connected(client):
        await client.settled()
        yield client


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Everything to the end, however it ends."""
    data = bytearray()
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65_536):
            data += piece
    return bytes(data)
