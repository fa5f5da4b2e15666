"""A ban from the operator's command to the engine: real tracker, real rig, real sockets."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from luckrig.cli.options import ask_tracker
from luckrig.cli.rig import RunningRig, running_rig
from luckrig.client.operators import ban, lift
from luckrig.client.tracker import TrackerClient
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import NodeHealth, QueueView, TokenReply
from tests.cli.plans import rig_plan
from tests.e2e.tunnels import (
    NODE,
    NODE_ID,
    OPERATOR,
    OTHER,
    OWNER,
    USER,
    tracker_process,
)
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.tracker.factories import make_health
from tests.tracker.trackers import FakeProber

HEALTHY = NodeHealth(
    node_id=NODE_ID,
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
    async with (
        tracker_process(tmp_path, prober=FakeProber({NODE_ID: HEALTHY})) as process,
        ask_tracker(process.address) as tracker,
        FakeOpenAi() as engine,
        running_rig(rig_plan(engine.url, node_key=NODE, owner_key=OWNER), tracker) as rig,
        httpx2.AsyncClient(trust_env=False, timeout=None) as http,
    ):
        # Tokens need a rig that was seen.
        await process.store.put_health({rig.node_id: make_health()})
        engine.pace = pace = OnDemand()
        yield Scene(tracker, rig, engine, pace, http)


async def test_ban_cuts_what_runs_and_refuses_what_comes(scene: Scene) -> None:
    token, other = (await scene.token(USER)).token, (await scene.token(OTHER)).token
    scene.pace.allow(2)
    response = await scene.http.send(scene.chat(token), stream=True)
    parts = response.aiter_text()
    seen = await anext(parts)
    await ban(scene.tracker, USER_ID, reason="Spam.", operator_key=OPERATOR)
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
    await lift(scene.tracker, USER_ID, reason="A mistake.", operator_key=OPERATOR)
    await scene.rig.node.revocations.refresh()
    assert (await scene.http.send(scene.chat(token))).status_code == 200


async def test_banned_rig_is_no_longer_found(scene: Scene) -> None:
    node_id = scene.rig.node_id
    await ban(scene.tracker, node_id, reason="Fake GPU.", operator_key=OPERATOR)
    assert (await scene.tracker.nodes()).nodes == []
    with pytest.raises(LuckrigError) as caught:
        await scene.tracker.node(node_id)
    assert caught.value.code == "node_not_found"
    with pytest.raises(LuckrigError) as caught:
        await scene.token(USER)
    assert caught.value.code == "node_not_found"
