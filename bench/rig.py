"""The node proxy as a rig runs it, in front of the mock engine: the whole pipeline.

Its own process: `python -m bench.rig ENGINE_URL`. The tracker is a class in memory.
"""

import asyncio
import sys
import time
from typing import Final

from bench.mock_engine import Listening
from bench.processes import say
from luckrig.cli.serve import bind, origin_of, run, spare_collector
from luckrig.nodeproxy.engines.detect import detect
from luckrig.nodeproxy.node import create_node
from luckrig.nodeproxy.server import serving
from luckrig.nodeproxy.settings import NodeSettings
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

USERS: Final = 32
"""One token for each, so that no limit of one user is reached and the token cache is shared."""


class _Tracker:
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


async def _serve(engine_url: str) -> None:
    found = await detect(engine_url)
    if found is None:
        raise RuntimeError("the mock engine isn't recognised")
    sock = bind("127.0.0.1", 0)
    settings = NodeSettings(origins=frozenset({origin_of(sock)}), max_active=256, max_queue=256)
    node = create_node(
        settings,
        found,
        Hardware(gpu="NVIDIA GeForce RTX 3090", vram_bytes=24 << 30, cpu=None, ram_bytes=None),
        _Tracker(),
        engine_key=None,
        node_key=NODE_KEY,
        root_id=ROOT_ID,
        clock=time.time,
        monotonic=time.monotonic,
    )
    async with serving(node.app, sock, settings.limits, node.connections), node.running():
        tokens = [make_token(number, now=int(time.time())) for number in range(USERS)]
        say(Listening(sock.getsockname()[1], tokens))
        spare_collector()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, sys.stdin.buffer.read)  # ends with the measurement


if __name__ == "__main__":
    run(_serve(sys.argv[1]))
