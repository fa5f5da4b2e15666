"""A whole tracker in memory, with a clock and health answers that tests decide."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from msgspec.json import encode

from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.wire import NodeHealth, QueueView
from luckrig.tracker.app import create_app
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.service.keyset import SigningKeys, TrackerKeys
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.interface import Store
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.factories import NOW, make_health, seeded

URL = "http://tracker.example"


def make_keys(*, since: int = 0, root: bytes = b"root" * 8) -> TrackerKeys:
    """A tracker's keys. since: when the signing key began; a tracker whose loops run rotates it."""
    return TrackerKeys(
        root=PrivateKey(root),
        signing=SigningKeys(
            {since: PrivateKey(b"sign" * 8)}, make=lambda start: PrivateKey(bytes(32))
        ),
        pairwise=b"pairwise" * 4,
    )


KEYS = make_keys()
"""For trackers that are called in memory: their loops don't run, so nothing rotates these."""


@dataclass
class Clock:
    """Time that stands still until a test moves it. now: Unix seconds."""

    now: float = NOW

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass
class FakeProber:
    """Answers as the test says. answers: node_id → what that rig answers; others don't."""

    answers: dict[str, NodeHealth] = field(default_factory=dict[str, NodeHealth])
    asked: list[str] = field(default_factory=list[str])

    async def probe(self, node: NodeRecord) -> NodeHealth | None:
        """Implements service.monitor.Prober."""
        self.asked.append(node.node_id)
        return self.answers.get(node.node_id)


@dataclass
class Tracker:
    """A tracker under test and what a test may turn."""

    http: httpx2.AsyncClient
    store: Store
    clock: Clock
    transport: httpx2.ASGITransport
    _count: int = 0

    def come_from(self, address: str) -> None:
        """Every further request's client has that address."""
        self.transport.client = (address, 1)

    async def publish(self, node: NodeRecord, *, is_seen: bool = True) -> httpx2.Response:
        """POST a signed descriptor. is_seen: and have looked at the rig: no loop does it here."""
        headers = {"content-type": "application/json"}
        reply = await self.http.post("/api/v1/nodes", content=node.signed, headers=headers)
        if is_seen and reply.status_code == 200:
            await self.store.put_health({node.node_id: make_health()})
        return reply

    async def ask_token(
        self, body: bytes, *, key: PrivateKey, proof: str | None = None, **headers: str
    ) -> httpx2.Response:
        """POST a token request, with a fitting proof unless one is given."""
        return await self.ask("/api/v1/tokens", body, key=key, proof=proof, **headers)

    async def ask(
        self, path: str, body: bytes, *, key: PrivateKey, proof: str | None = None, **headers: str
    ) -> httpx2.Response:
        """POST anything that needs a proof."""
        self._count += 1
        proof = proof or make_proof(
            key=key,
            method="POST",
            url=f"{URL}{path}",
            body=body,
            now=self.clock.now,
            jti=f"proof-{self._count:016}",
        )
        merged = {"content-type": "application/json", "DPoP": proof, **headers}
        return await self.http.post(path, content=body, headers=merged)

    async def get(self, path: str, *, key: PrivateKey) -> httpx2.Response:
        """GET what needs a proof."""
        self._count += 1
        proof = make_proof(
            key=key,
            method="GET",
            url=f"{URL}{path.partition('?')[0]}",
            body=b"",
            now=self.clock.now,
            jti=f"proof-{self._count:016}",
        )
        return await self.http.get(path, headers={"DPoP": proof})

    async def decide(
        self, action: str, target_id: str, *, key: PrivateKey, **fields: object
    ) -> httpx2.Response:
        """An operator's decision. fields: of the body, such as days, reason, case_id."""
        kind = {"n1": "node", "u1": "user"}.get(target_id[:2], "note")
        body = {"target_kind": kind, "target_id": target_id, "action": action, "reason": "spam"}
        return await self.ask("/api/v1/admin/decisions", encode(body | fields), key=key)

    async def lift(self, target_id: str, *, key: PrivateKey) -> httpx2.Response:
        """Take back what holds a target."""
        body = {"target_id": target_id, "reason": "a mistake"}
        return await self.ask("/api/v1/admin/lift", encode(body), key=key)


def healthy(node: NodeRecord) -> NodeHealth:
    """What a rig answers that is well."""
    queue = QueueView(active=0, waiting=0, max_active=2)
    return NodeHealth(node_id=node.node_id, status="available", queue=queue)


@asynccontextmanager
async def running_tracker(
    store: Store | None = None, *, keys: TrackerKeys = KEYS, **settings: object
) -> AsyncGenerator[Tracker, None]:
    """A tracker whose application is called in memory; its health loop isn't running."""
    clock = Clock()
    store = store or MemoryStore()
    app = create_app(
        TrackerSettings(public_url=URL, **settings),  # type: ignore[arg-type]
        store,
        keys,
        FakeProber(),
        clock=clock,
        random_bytes=seeded(1).randbytes,
        rng=seeded(2),
        version="1.2.3",
    )
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=URL) as http:
        yield Tracker(http, store, clock, transport)
