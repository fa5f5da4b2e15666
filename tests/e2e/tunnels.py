"""A real tracker, a real rig behind a tunnel, and everything a test may turn on them."""

import asyncio
import os
import random
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from openai import AsyncOpenAI

from luckrig.cli.loop import bind, origin_of
from luckrig.cli.options import ask_tracker
from luckrig.cli.rig import RunningRig, running_rig
from luckrig.cli.rig_plan import RigPlan
from luckrig.cli.serve import serving
from luckrig.client.tracker import TrackerClient
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import TokenReply
from luckrig.tracker.app import create_app
from luckrig.tracker.service.keyset import TrackerKeys
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.interface import Store
from luckrig.tracker.store.sqlite import open_store
from tests.cli.plans import rig_plan
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.tracker.trackers import FakeProber, make_keys

OPERATOR, USER, OTHER, OWNER = (PrivateKey(bytes([number]) * 32) for number in range(1, 5))
NODE = PrivateKey(b"node" * 8)
NODE_ID = derive_id("n1", NODE.public)


@dataclass
class TrackerProcess:
    """A tracker that can be stopped and started again at the same address, like a process."""

    store: Store
    prober: FakeProber
    port: int = 0
    keys: TrackerKeys = field(default_factory=lambda: make_keys(since=int(time.time())))
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def address(self) -> TrackerAddress:
        """Where it is."""
        return TrackerAddress(f"http://127.0.0.1:{self.port}", self.keys.root_id)

    async def start(self) -> None:
        """Serve."""
        sock = bind("127.0.0.1", self.port)
        self.port = sock.getsockname()[1]
        app = create_app(
            TrackerSettings(
                public_url=origin_of(sock),
                allow_private_endpoints=True,
                operators=frozenset({derive_id("u1", OPERATOR.public)}),
                **self.settings,
            ),
            self.store,
            self.keys,
            self.prober,
            clock=time.time,
            random_bytes=os.urandom,
            rng=random.Random(1),  # noqa: S311 -- jitter
            version="1",
        )
        await self._stack.enter_async_context(serving(app, sock))

    async def stop(self) -> None:
        """End every connection."""
        await self._stack.aclose()
        self._stack = AsyncExitStack()


@dataclass
class Scene:
    """Everything that runs."""

    process: TrackerProcess
    tracker: TrackerClient
    rig: RunningRig
    engine: FakeOpenAi
    http: httpx2.AsyncClient

    @property
    def base_url(self) -> str:
        """The rig's OpenAI API, at the tracker."""
        return f"{self.process.address.origin}/n/{NODE_ID}/v1"

    async def token(self, key: PrivateKey = USER) -> TokenReply:
        """A token for the rig."""
        return await self.tracker.token(NODE_ID, user_key=key)

    def openai(self, token: str) -> AsyncOpenAI:
        """The stock client."""
        return AsyncOpenAI(
            base_url=self.base_url, api_key=token, max_retries=0, http_client=self.http
        )

    def chat(self, token: str, *, stream: bool = True, text: str = "x") -> httpx2.Request:
        """A chat request."""
        messages = [{"role": "user", "content": text}]
        return self.http.build_request(
            "POST",
            f"{self.base_url}/chat/completions",
            json={"model": self.rig.models[0], "messages": messages, "stream": stream},
            headers={"authorization": f"Bearer {token}"},
        )


def tunnel_plan(engine_url: str, **changes: Any) -> RigPlan:
    """A rig without a port."""
    return rig_plan(engine_url, **{"listen": None, "node_key": NODE, "owner_key": OWNER, **changes})


@asynccontextmanager
async def tracker_process(
    folder: Path, *, prober: FakeProber | None = None, **settings: Any
) -> AsyncGenerator[TrackerProcess, None]:
    """A tracker on SQLite. prober: without one, no rig that listens is well."""
    store = await open_store(folder / "tracker.db")
    process = TrackerProcess(store, prober or FakeProber(), settings=settings)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()
        await store.aclose()


@asynccontextmanager
async def tunnelled(
    folder: Path, *, max_active: int = 1, **settings: Any
) -> AsyncGenerator[Scene, None]:
    """A tracker, and a rig behind a tunnel with a fake engine. settings: the tracker's."""
    async with (
        tracker_process(folder, **settings) as process,
        ask_tracker(process.address) as tracker,
        FakeOpenAi() as engine,
        running_rig(tunnel_plan(engine.url, max_active=max_active), tracker) as rig,
        httpx2.AsyncClient(trust_env=False, timeout=20) as http,
    ):
        await on_the_map(tracker)
        yield Scene(process, tracker, rig, engine, http)


async def on_the_map(tracker: TrackerClient) -> None:
    """Wait until the tracker has had the rig's first heartbeat."""
    while (await tracker.node(NODE_ID)).node.status not in ("available", "busy"):
        await asyncio.sleep(0.01)


def raw_request(scene: Scene, head: str, body: bytes = b"") -> socket.socket:
    """A request by hand, for a client that behaves as none should."""
    sock = socket.create_connection(("127.0.0.1", scene.process.port))
    sock.sendall(head.encode("ascii") + b"\r\n\r\n" + body)
    return sock
