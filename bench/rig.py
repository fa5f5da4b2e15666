"""The node proxy as a rig runs it, in front of the mock engine: the whole pipeline.

Its own process: `python -m bench.rig ENGINE_URL [STREAMS] [--trace]`. The tracker is a class in
memory. STREAMS: requests at the engine at once, 256 without. With --trace it answers each line of
standard input with what its memory is used for, by the line that asked for it, and is far slower.
"""

import asyncio
import gc
import os
import sys
import time
import tracemalloc
from typing import Final

import msgspec

from bench.mock_engine import Listening
from bench.processes import say
from luckrig.cli.loop import bind, origin_of, run, spare_collector
from luckrig.nodeproxy.engines.detect import Found, detect
from luckrig.nodeproxy.node import Node, create_node
from luckrig.nodeproxy.sealing.keys import SealingKeys
from luckrig.nodeproxy.sealing.unsealer import Unsealer
from luckrig.nodeproxy.server import ServerLimits, serving
from luckrig.nodeproxy.settings import NodeSettings, SubtextPace
from luckrig.protocol.descriptor import Hardware
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.keyset import Keyset, sign_keyset
from luckrig.protocol.revocations import Revocations, sign_revocations
from luckrig.protocol.tokens import Claims, Limits, issue
from luckrig.protocol.wire import (
    KeysetReply,
    ReceiptResult,
    ReceiptsReply,
    ReceiptsRequest,
    RevocationsReply,
)

ROOT_KEY: Final = PrivateKey(b"root" * 8)
SIGNING_KEY: Final = PrivateKey(b"sign" * 8)
NODE_KEY: Final = PrivateKey(b"node" * 8)
NODE_ID: Final = derive_id("n1", NODE_KEY.public)
ROOT_ID: Final = derive_id("r1", ROOT_KEY.public)

STREAMS: Final = 256
STREAMS_OF_A_USER: Final = 8
"""A token for each user, so that no limit of one is reached and the token cache is shared."""
TRACED_LINES: Final = 100


class Tracker:
    """A tracker that knows three answers. Implements nodeproxy.node.TrackerSource."""

    async def keyset(self) -> KeysetReply:
        now = int(time.time())
        keys = [SIGNING_KEY.public.jwk]
        keyset = Keyset(iss=ROOT_ID, seq=now, iat=now, exp=now + 3600, keys=keys)
        return KeysetReply(root_id=ROOT_ID, keyset=sign_keyset(keyset, root=ROOT_KEY))

    async def send_receipts(self, request: ReceiptsRequest) -> ReceiptsReply:
        return ReceiptsReply(results=[ReceiptResult(state="one-sided") for _ in request.receipts])

    async def revocations(self, node_id: str) -> RevocationsReply:
        now = int(time.time())
        nobody = Revocations(iss=ROOT_ID, aud=node_id, seq=now, iat=now, exp=now + 60, subs=[])
        return RevocationsReply(revocations=sign_revocations(nobody, key=SIGNING_KEY))


def make_token(number: int, *, now: int) -> str:
    """A token of user `number` with the most generous limits. now: Unix seconds."""
    claims = Claims(
        iss=ROOT_ID,
        aud=NODE_ID,
        sub=f"pseudonym-{number:06}",
        iat=now,
        exp=now + 900,
        jti=f"token-{number:016}",
        tier="limited",
        lim=Limits(requests=1_000_000, output_tokens=1000, concurrency=64, priority=0),
    )
    return issue(claims, key=SIGNING_KEY)


def make_unsealer() -> Unsealer:
    """What opens sealed requests for a rig, without the rig."""
    keys = SealingKeys(node_key=NODE_KEY, clock=time.time, random_bytes=os.urandom)
    return Unsealer(
        node_id=NODE_ID,
        keys=keys,
        pace=SubtextPace(),
        clock=time.time,
        random_bytes=os.urandom,
    )


class Allocation(msgspec.Struct):
    """What one line of code asked for and still holds."""

    line: str
    held_bytes: int
    count: int


class Allocations(msgspec.Struct):
    """held_bytes: of all lines. largest: those that hold the most, the first one most."""

    held_bytes: int
    largest: list[Allocation]


def make_node(settings: NodeSettings, found: Found) -> Node:
    """The node proxy that is measured, in front of that engine."""
    return create_node(
        settings,
        found,
        Hardware(gpu="NVIDIA GeForce RTX 3090", vram_bytes=24 << 30, cpu=None, ram_bytes=None),
        Tracker(),
        engine_key=None,
        node_key=NODE_KEY,
        root_id=ROOT_ID,
        clock=time.time,
        monotonic=time.monotonic,
    )


async def _serve(engine_url: str, streams: int) -> None:
    found = await detect(engine_url)
    if found is None:
        raise RuntimeError("the mock engine isn't recognised")
    sock = bind("127.0.0.1", 0)
    settings = NodeSettings(
        origins=frozenset({origin_of(sock)}),
        max_active=streams,
        max_queue=streams,
        limits=ServerLimits(connections=max(ServerLimits().connections, streams + 64)),
    )
    node = make_node(settings, found)
    async with serving(node.app, sock, settings.limits, node.connections), node.running():
        users = range(max(1, streams // STREAMS_OF_A_USER))
        tokens = [make_token(number, now=int(time.time())) for number in users]
        say(Listening(sock.getsockname()[1], tokens))
        spare_collector()
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.buffer.readline):
            say(_allocations())
        # Standard input ends with the measurement.


def _allocations() -> Allocations:
    gc.collect()
    found = tracemalloc.take_snapshot().statistics("lineno")
    largest = [
        Allocation(str(each.traceback), each.size, each.count) for each in found[:TRACED_LINES]
    ]
    return Allocations(sum(each.size for each in found), largest)


def _main(arguments: list[str]) -> None:
    if "--trace" in arguments:
        arguments.remove("--trace")
        tracemalloc.start()
    streams = int(arguments[1]) if len(arguments) > 1 else STREAMS
    run(_serve(arguments[0], streams))


if __name__ == "__main__":
    _main(sys.argv[1:])
