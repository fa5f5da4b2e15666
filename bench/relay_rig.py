"""The rigs of bench/relay.py: one that streams, at a port of its own and through a tunnel, and as
many idle ones as are asked for. Speaks JSON lines."""

import asyncio
import logging
import sys
import time
from collections.abc import Coroutine
from random import Random
from typing import Any

import httpx2
import msgspec

from bench.processes import say
from luckrig.cli.loop import bind, origin_of, run
from luckrig.nodeproxy.exchange import EVENT_STREAM, Connection
from luckrig.nodeproxy.server import ServerLimits, serving
from luckrig.nodeproxy.server.connection import RequestHead
from luckrig.nodeproxy.tunnel.client import TunnelClient, TunnelPlan, connected
from luckrig.protocol.address import parse_tracker_address
from luckrig.protocol.descriptor import sign_descriptor
from luckrig.protocol.surface import relay_endpoint
from luckrig.protocol.telemetry import Telemetry
from tests.tracker.factories import make_node, node_key, owner_key

PUBLISH_AT_ONCE = 8


class Wish(msgspec.Struct):
    """How many rigs are to be connected; the same number again only asks how many are."""

    tunnels: int


class State(msgspec.Struct):
    """direct: where the first rig listens. up: tunnels that are."""

    direct: str
    up: int


class Order(msgspec.Struct):
    """What a request wants: so many events of that size, with that pause between them."""

    events: int
    size: int
    pause_ms: float = 0.0


async def stream(connection: Connection, head: RequestHead) -> None:
    """Answer one request with stamped events: `data: <ns of this machine's clock> xxx`."""
    order = msgspec.json.decode(await connection.read_body(), type=Order)
    connection.start(200, b"content-type: %b\r\n" % EVENT_STREAM, length=None)
    padding = b"x" * max(0, order.size - 29)
    loop = asyncio.get_running_loop()
    due = loop.time()
    for _ in range(order.events):
        if order.pause_ms:
            due += order.pause_ms / 1000
            await asyncio.sleep(due - loop.time())
        event = b"data: %020d %b\n\n" % (time.monotonic_ns(), padding)
        connection.write(event, more=True)
        if connection.is_congested:
            await connection.drain()
        elif not order.pause_ms:
            await asyncio.sleep(0)  # as an engine's callback: one event, one turn of the loop
    connection.write(b"data: [DONE]\n\n", more=False)


async def publish(origin: str, number: int, http: httpx2.AsyncClient) -> None:
    """Put rig `number` on the map, behind a tunnel."""
    record = make_node(number)
    descriptor = msgspec.structs.replace(
        record.descriptor, endpoints=[relay_endpoint(origin, record.node_id)]
    )
    signed = sign_descriptor(descriptor, node_key=node_key(number), owner_key=owner_key(number))
    headers = {"content-type": "application/json"}
    answer = await http.post(f"{origin}/api/v1/nodes", content=signed, headers=headers)
    answer.raise_for_status()


def make_client(origin: str, root_id: str, number: int) -> TunnelClient:
    """Rig `number`'s tunnel, with the real backoff on the real clock."""
    return TunnelClient(
        TunnelPlan(
            origin=origin,
            root_id=root_id,
            node_key=node_key(number),
            app=stream,
            limits=ServerLimits(write_seconds=300.0),  # a stalled reader stays, in this bench
            telemetry=lambda: Telemetry(status="available", max_active=1),
            on_revoked=lambda: None,
            clock=time.time,
            monotonic=time.monotonic,
            sleep=asyncio.sleep,
            rng=Random(number),  # noqa: S311 -- jitter
        )
    )


async def main(address_text: str) -> None:
    """Serve until standard input ends."""
    address = parse_tracker_address(address_text)
    assert address.root_id is not None  # noqa: S101 -- narrows the type
    logging.disable(logging.WARNING)  # a thousand rigs would say that they lost their tracker
    sock = bind("127.0.0.1", 0)
    direct = origin_of(sock)
    clients: list[TunnelClient] = []
    tasks: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    async with (
        serving(stream, sock, ServerLimits(write_seconds=300.0)),
        httpx2.AsyncClient(trust_env=False, timeout=60) as http,
    ):
        while line := await loop.run_in_executor(None, sys.stdin.buffer.readline):
            wish = msgspec.json.decode(line, type=Wish)
            for first in range(len(clients), wish.tunnels, PUBLISH_AT_ONCE):
                numbers = range(first, min(wish.tunnels, first + PUBLISH_AT_ONCE))
                await asyncio.gather(*(publish(address.origin, number, http) for number in numbers))
                for number in numbers:
                    client = make_client(address.origin, address.root_id, number)
                    clients.append(client)
                    tasks.append(asyncio.create_task(_keep(client)))
                await asyncio.gather(*(client.settled() for client in clients))
            say(State(direct, sum(client.state.phase == "up" for client in clients)))
        for task in tasks:
            task.cancel()


def _keep(client: TunnelClient) -> Coroutine[Any, Any, None]:
    async def keep() -> None:
        async with connected(client):
            await asyncio.Event().wait()

    return keep()


if __name__ == "__main__":
    run(main(sys.argv[1]))
