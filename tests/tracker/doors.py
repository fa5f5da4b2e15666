"""Listeners on loopback that a prober may knock at, and probers to do it."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

import msgspec

from luckrig.protocol.endpoint_proof import (
    PROOF_PATH,
    EndpointProof,
    EndpointProofReply,
    sign_endpoint_proof,
)
from luckrig.tracker.domain.reach import ReachBook
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.probe import HttpProber, make_probe_client
from tests.tracker.factories import NOW, node_key
from tests.tracker.trackers import KEYS, Clock, healthy

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ROOT_ID = KEYS.root_id


@dataclass
class Door:
    """A listener. knocks: connections that came. paths: what was asked, where it was HTTP."""

    port: int = 0
    knocks: int = 0
    paths: list[str] = field(default_factory=list[str])


@asynccontextmanager
async def open_door(handler: Handler, tls: SSLContext | None = None) -> AsyncGenerator[Door, None]:
    """A TCP server on loopback that counts who comes."""
    door = Door()

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        door.knocks += 1
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    # Only finished handshakes reach `count` with TLS; the tests that need 0 knocks use none.
    server = await asyncio.start_server(count, "127.0.0.1", 0, ssl=tls)
    door.port = server.sockets[0].getsockname()[1]
    try:
        yield door
    finally:
        server.close()


def says(*answers: bytes) -> Handler:
    """A server that sends these bytes to whoever asks, and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for answer in answers:
            writer.write(answer)
        await writer.drain()

    return handle


def http_answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    """An HTTP answer."""
    head = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def rig_at(
    door: Callable[[], Door],
    node: Callable[[], NodeRecord],
    clock: Clock,
    *,
    seed: int = 1,
    **changes: Any,
) -> Handler:
    """A rig that proves its endpoint and is well. changes: claims of its proofs."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
        door().paths.append(path)
        if not path.startswith(PROOF_PATH):
            writer.write(http_answer(msgspec.json.encode(healthy(node()))))
            return
        proof = EndpointProof(
            iss=node().node_id,
            aud=ROOT_ID,
            nonce=path.removeprefix(PROOF_PATH),
            endpoint=node().descriptor.endpoints[0],
            iat=int(clock.now),
        )
        signed = sign_endpoint_proof(
            msgspec.structs.replace(proof, **changes), node_key=node_key(seed)
        )
        writer.write(http_answer(msgspec.json.encode(EndpointProofReply(proof=signed))))

    return handle


@dataclass
class Names:
    """A name server. answers: for each lookup in turn, the last for all that follow."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list[str])

    async def __call__(self, host: str, port: int) -> list[str]:
        """Implements probe.Resolver."""
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


LOOPBACK = ["127.0.0.1"]


@asynccontextmanager
async def probing(
    *addresses: list[str],
    allow_private: bool = True,
    timeout_seconds: float = 5.0,
    clock: Clock | None = None,
    tls: SSLContext | None = None,
) -> AsyncGenerator[HttpProber, None]:
    """A prober with a real client. addresses: what names resolve to, lookup by lookup."""
    async with make_probe_client(tls) as http:
        yield HttpProber(
            http=http,
            resolve=Names(list(addresses) or [LOOPBACK]),
            reach=ReachBook(),
            root_id=ROOT_ID,
            timeout_seconds=timeout_seconds,
            allow_private=allow_private,
            clock=clock or Clock(NOW),
            random_bytes=os.urandom,
        )


def problem_of(prober: HttpProber, node: NodeRecord) -> str | None:
    """What the owner would read."""
    view = prober.reach.view(node)
    return None if view is None else view.problem
