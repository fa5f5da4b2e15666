"""A tracker that is really served, with a rig, a report and an operator, for a real browser."""

import os
import random
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import msgspec

from luckrig.cli.loop import bind, origin_of
from luckrig.cli.serve import serving
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.tracker.app import create_app
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.interface import Store
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.factories import make_health, make_node
from tests.tracker.trackers import FakeProber, make_keys

OPERATOR = PrivateKey(b"\1" * 32)
OPERATOR_ID = derive_id("u1", OPERATOR.public)
RIG = make_node(1)


@dataclass
class Desk:
    """A running tracker. origin: http://127.0.0.1:port."""

    origin: str
    http: httpx2.AsyncClient
    store: Store

    async def login_address(self, key: PrivateKey) -> str:
        """What `luckrig login` prints."""
        proof = make_proof(
            key=key,
            method="POST",
            url=f"{self.origin}/api/v1/sessions",
            body=b"",
            now=time.time(),
            jti=os.urandom(16).hex(),
        )
        headers = {"DPoP": proof, "content-type": "application/json"}
        reply = await self.http.post("/api/v1/sessions", headers=headers)
        assert reply.status_code == 200, reply.text
        url: str = reply.json()["url"]
        return url

    async def report(self, number: int = 1, **changes: object) -> None:
        """Somebody reports the rig."""
        body = {
            "form_id": f"form-{number:016}",
            "subject_kind": "node",
            "subject_id": RIG.node_id,
            "category": "terms",
            "reason": "It says RTX 5090 and is a toaster.",
            "name": "Kim Example",
            "email": "kim@example.org",
            "good_faith": True,
        } | changes
        reply = await self.http.post(
            "/api/v1/reports",
            content=msgspec.json.encode(body),
            headers={"content-type": "application/json"},
        )
        assert reply.status_code == 200, reply.text


@asynccontextmanager
async def running_desk() -> AsyncGenerator[Desk, None]:
    """A tracker with one rig, one operator, and a report about the rig."""
    sock = bind("127.0.0.1", 0)
    origin, store = origin_of(sock), MemoryStore()
    app = create_app(
        TrackerSettings(
            public_url=origin, allow_private_endpoints=True, operators=frozenset({OPERATOR_ID})
        ),
        store,
        make_keys(since=int(time.time())),
        FakeProber(),
        clock=time.time,
        random_bytes=os.urandom,
        rng=random.Random(1),  # noqa: S311 -- jitter
        version="1",
    )
    async with (
        serving(app, sock),
        httpx2.AsyncClient(base_url=origin, trust_env=False) as http,
    ):
        headers = {"content-type": "application/json"}
        published = await http.post("/api/v1/nodes", content=RIG.signed, headers=headers)
        assert published.status_code == 200, published.text
        await store.put_health({RIG.node_id: make_health()})
        desk = Desk(origin, http, store)
        await desk.report()
        yield desk
