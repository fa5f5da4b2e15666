"""A whole node proxy on a real socket, in front of any engine, with tokens to ask it."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx2
import msgspec
from openai import AsyncOpenAI

from luckrig.cli.loop import bind, origin_of
from luckrig.nodeproxy.engines.detect import detect
from luckrig.nodeproxy.gate import Readings
from luckrig.nodeproxy.node import Node, create_node
from luckrig.nodeproxy.sensors import Sensors
from luckrig.nodeproxy.server import serving
from luckrig.nodeproxy.settings import NodeSettings
from luckrig.protocol.descriptor import Hardware
from luckrig.protocol.errors import LuckrigError
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
from luckrig.protocol.wishes import Wish, sign_wish

ROOT = PrivateKey(b"root" * 8)
SIGNING = PrivateKey(b"sign" * 8)
NODE_KEY = PrivateKey(b"node" * 8)
NODE_ID = derive_id("n1", NODE_KEY.public)
ROOT_ID = derive_id("r1", ROOT.public)
HARDWARE = Hardware(gpu="NVIDIA GeForce RTX 3090", vram_bytes=24 << 30, cpu=None, ram_bytes=None)
GENEROUS = Limits(requests=1000, output_tokens=1000, concurrency=64, priority=0)


@dataclass
class StandInTracker:
    """What a node follows. Implements nodeproxy.node.TrackerSource.

    banned: the subs on its list. away: it answers nothing. handed_in: the receipts it took.
    """

    banned: set[str] = field(default_factory=set[str])
    away: bool = False
    handed_in: list[str] = field(default_factory=list[str])
    wish: Wish | None = None
    _lists: Iterator[int] = field(default_factory=lambda: count(1))

    async def keyset(self) -> KeysetReply:
        """The keys that sign."""
        if self.away:
            raise LuckrigError("tracker_unreachable", "The tracker can't be reached.")
        now = int(time.time())
        keyset = Keyset(iss=ROOT_ID, seq=now, iat=now, exp=now + 3600, keys=[SIGNING.public.jwk])
        return KeysetReply(root_id=ROOT_ID, keyset=sign_keyset(keyset, root=ROOT))

    async def send_receipts(self, request: ReceiptsRequest) -> ReceiptsReply:
        """Take them all."""
        if self.away:
            raise LuckrigError("tracker_unreachable", "The tracker can't be reached.")
        self.handed_in += [each.receipt for each in request.receipts]
        return ReceiptsReply(results=[ReceiptResult(state="one-sided") for _ in request.receipts])

    async def revocations(self, node_id: str) -> RevocationsReply:
        """Who is banned."""
        if self.away:
            raise LuckrigError("tracker_unreachable", "The tracker can't be reached.")
        now = int(time.time())
        revocations = Revocations(
            iss=ROOT_ID,
            aud=node_id,
            seq=next(self._lists),
            iat=now,
            exp=now + 60,
            subs=sorted(self.banned),
        )
        wish = None if self.wish is None else sign_wish(self.wish, key=SIGNING)
        return RevocationsReply(revocations=sign_revocations(revocations, key=SIGNING), wish=wish)


_numbers = count()


def make_token(*, sub: str = "pseudonym-of-a-user", **changes: Any) -> str:
    """A token for the rig. changes: claims, or fields of `lim`."""
    now = int(time.time())
    limits = {name: changes.pop(name) for name in list(changes) if name in Limits.__struct_fields__}
    claims = Claims(
        iss=ROOT_ID,
        aud=NODE_ID,
        sub=sub,
        iat=now,
        exp=now + 300,
        jti=f"token-{next(_numbers):016}",
        tier="limited",
        lim=msgspec.structs.replace(GENEROUS, **limits),
    )
    return issue(msgspec.structs.replace(claims, **changes), key=SIGNING)


@dataclass
class Rig:
    """A running node proxy."""

    origin: str
    node: Node
    http: httpx2.AsyncClient
    tracker: StandInTracker
    token: str = field(default_factory=make_token)

    def openai(self, token: str | None = None, *, max_retries: int = 0) -> AsyncOpenAI:
        """The stock client."""
        return AsyncOpenAI(
            base_url=f"{self.origin}/v1",
            api_key=token or self.token,
            max_retries=max_retries,
            http_client=self.http,
        )

    async def post(
        self, path: str, body: bytes | dict[str, Any], *, token: str | None = None, **headers: str
    ) -> httpx2.Response:
        """One request with a token and a JSON body."""
        sent = {
            "authorization": f"Bearer {token or self.token}",
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.http.post(path, content=content, headers=sent)

    async def chat(self, text: str = "Hello", **fields: Any) -> httpx2.Response:
        """One chat request. fields: of the body; `token` aside."""
        token = fields.pop("token", None)
        body = {"model": self.models[0], "messages": [{"role": "user", "content": text}]}
        return await self.post("/v1/chat/completions", body | fields, token=token)

    @property
    def models(self) -> list[str]:
        """What it offers."""
        return [offer.model for offer in self.node.watch.state.offers]


@asynccontextmanager
async def running_rig(
    engine_url: str,
    *,
    tracker: StandInTracker | None = None,
    clock: Callable[[], float] = time.time,
    sensors: Sensors | None = None,
    readings: Readings = list,
    **changes: Any,
) -> AsyncGenerator[Rig, None]:
    """A node proxy in front of the engine. changes: fields of NodeSettings."""
    found = await detect(engine_url)
    assert found is not None
    sock = bind("127.0.0.1", 0)
    tracker = tracker or StandInTracker()
    named = {
        "origins": changes.pop("origins", frozenset()) | {origin_of(sock)},
        "endpoints": changes.pop("endpoints", (origin_of(sock),)),
    }
    settings = NodeSettings(**named, **changes)
    node = create_node(
        settings,
        found,
        HARDWARE,
        tracker,
        engine_key=None,
        node_key=NODE_KEY,
        root_id=ROOT_ID,
        clock=clock,
        monotonic=time.monotonic,
        sensors=sensors,
        readings=readings,
    )
    async with (
        serving(node.app, sock, settings.limits, node.connections),
        node.running(),
        httpx2.AsyncClient(base_url=origin_of(sock), trust_env=False, timeout=None) as http,
    ):
        yield Rig(origin_of(sock), node, http, tracker)
