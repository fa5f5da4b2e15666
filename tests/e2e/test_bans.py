"""A ban from the operator's command to the engine: real tracker, real rig, real sockets."""

import json
import os
import random
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from luckrig.cli.loop import bind, origin_of
from luckrig.cli.rig import RunningRig, running_rig
from luckrig.cli.rig_plan import RigPlan
from luckrig.cli.serve import serving
from luckrig.client.tracker import TrackerClient, open_tracker
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import NodeHealth, QueueView, TokenReply
from luckrig.tracker.app import create_app
from luckrig.tracker.settings import TrackerSettings
from luckrig.tracker.store.sqlite import open_store
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.tracker.factories import make_health
from tests.tracker.trackers import FakeProber, make_keys

OPERATOR, USER, OTHER, OWNER = (PrivateKey(bytes([number]) * 32) for number in range(1, 5))
NODE = PrivateKey(b"node" * 8)
HEALTHY = NodeHealth(
    node_id=derive_id("n1", NODE.public),
    status="available",
    queue=QueueView(active=0, waiting=0, max_active=1),
)
USER_ID = derive_id("u1", USER.public)


@dataclass(frozen=True)
class Scene:
    """Everything that runs. pace: decides when the engine speaks."""

    tracker: TrackerClient
    rig: RunningRig
    engine: FakeOpenAi
    pace: OnDemand
    http: httpx2.AsyncClient

    def chat(self, token: str) -> httpx2.Request:
        """A request for a streamed reply."""
        messages = [{"role": "user", "content": "x"}]
        return self.http.build_request(
            "POST",
            f"{self.rig.origin}/v1/chat/completions",
            json={"model": self.rig.models[0], "messages": messages, "stream": True},
            headers={"authorization": f"Bearer {token}"},
        )

    async def token(self, key: PrivateKey) -> TokenReply:
        """A token for the rig."""
        return await self.tracker.token(self.rig.node_id, user_key=key)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A tracker on SQLite with one rig, whose engine waits to be told to speak."""
    sock = bind("127.0.0.1", 0)
    store = await open_store(tmp_path / "tracker.db")
    keys = make_keys(since=int(time.time()))
    app = create_app(
        TrackerSettings(
            public_url=origin_of(sock),
            allow_private_endpoints=True,
            operators=frozenset({derive_id("u1", OPERATOR.public)}),
        ),
        store,
        keys,
        FakeProber({derive_id("n1", NODE.public): HEALTHY}),
        clock=time.time,
        random_bytes=os.urandom,
        rng=random.Random(1),  # noqa: S311 -- jitter
        version="1",
    )
    address = TrackerAddress(origin_of(sock), keys.root_id)
    async with (
        serving(app, sock),
        open_tracker(
            address, clock=time.time, new_jti=lambda: secrets.token_urlsafe(16)
        ) as tracker,
        FakeOpenAi() as engine,
        running_rig(_plan(engine.url), tracker) as rig,
        httpx2.AsyncClient(trust_env=False) as http,
    ):
        await store.put_health({rig.node_id: make_health()})  # tokens need a rig that was seen
        engine.pace = pace = OnDemand()
        yield Scene(tracker, rig, engine, pace, http)
    await store.aclose()


async def test_ban_cuts_what_runs_and_refuses_what_comes(scene: Scene) -> None:
    token, other = (await scene.token(USER)).token, (await scene.token(OTHER)).token
    scene.pace.allow(2)
    response = await scene.http.send(scene.chat(token), stream=True)
    parts = response.aiter_text()
    seen = await anext(parts)
    await scene.tracker.ban(USER_ID, reason="Spam.", expires_at=None, operator_key=OPERATOR)
    await scene.rig.node.revocations.refresh()
    await scene.engine.left.acquire()
    seen += "".join([part async for part in parts])
    await response.aclose()
    last = seen.strip().split("\n\n")[-1].removeprefix("data: ")
    assert json.loads(last)["error"]["code"] == "banned"
    assert scene.rig.node.queue.active == 0

    refused = await scene.http.send(scene.chat(token))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "banned")
    with pytest.raises(LuckrigError, match=r"Spam\.") as caught:
        await scene.token(USER)
    assert caught.value.code == "banned"

    scene.pace.allow(100)
    assert (await scene.http.send(scene.chat(other))).text.endswith("data: [DONE]\n\n")
    await scene.tracker.lift(USER_ID, operator_key=OPERATOR)
    await scene.rig.node.revocations.refresh()
    assert (await scene.http.send(scene.chat(token))).status_code == 200


async def test_banned_rig_is_no_longer_found(scene: Scene) -> None:
    node_id = scene.rig.node_id
    await scene.tracker.ban(node_id, reason="Fake GPU.", expires_at=None, operator_key=OPERATOR)
    assert (await scene.tracker.nodes()).nodes == []
    with pytest.raises(LuckrigError) as caught:
        await scene.tracker.node(node_id)
    assert caught.value.code == "node_not_found"
    with pytest.raises(LuckrigError) as caught:
        await scene.token(USER)
    assert caught.value.code == "node_not_found"


def _plan(engine_url: str) -> RigPlan:
    return RigPlan(
        engine_url=engine_url,
        engine_key=None,
        name="attic",
        note="",
        listen=("127.0.0.1", 0),
        endpoint=None,
        max_active=1,
        max_queue=4,
        node_key=NODE,
        owner_key=OWNER,
    )
