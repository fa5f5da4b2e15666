"""An engine that misbehaves behind a tunnel: the map follows, and clients get clear errors."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from luckrig.protocol.errors import CODES
from luckrig.protocol.wire import NodeStatus
from tests.e2e.tunnels import NODE_ID, Scene, tunnelled
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.knobs import FAULTS, AtOnce, FakeModel, Fault

PATIENCE: frozenset[Fault] = frozenset({"slow-head", "stall", "endless"})
"""They last as long as a rig's patience with its engine; tests/nodeproxy has rigs with less."""


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """One rig behind a tunnel."""
    async with tunnelled(tmp_path) as running:
        yield running


async def shown(scene: Scene, status: NodeStatus) -> None:
    """Wait until the map shows that; the rig tells by itself, in a heartbeat."""
    while (await scene.tracker.node(NODE_ID)).node.status != status:
        await asyncio.sleep(0.01)


async def restart(scene: Scene) -> None:
    """The engine comes back to its port."""
    await scene.engine.start(int(scene.engine.url.rpartition(":")[2]))


def last_error(answer: httpx2.Response) -> str:
    """The code of the error in an answer, or of its last event; "" when it came whole."""
    if answer.status_code != 200:
        return str(answer.json()["error"]["code"])
    last = answer.text.strip().split("\n\n")[-1].removeprefix("data: ")
    return "" if last == "[DONE]" else str(json.loads(last)["error"]["code"])


async def test_engine_that_vanishes_and_comes_back(scene: Scene) -> None:
    token = (await scene.token()).token
    await scene.engine.stop()
    answer = await scene.http.send(scene.chat(token))
    assert (answer.status_code, last_error(answer)) == (503, "engine_unavailable")
    await shown(scene, "unavailable")
    await restart(scene)
    await scene.rig.node.watch.look()
    await shown(scene, "available")
    answer = await scene.http.send(scene.chat(token))
    assert (answer.status_code, last_error(answer)) == (200, "")


async def test_engine_that_vanishes_in_the_middle_of_a_stream(scene: Scene) -> None:
    scene.engine.pace = pace = OnDemand()
    pace.allow(2)
    response = await scene.http.send(scene.chat((await scene.token()).token), stream=True)
    parts = response.aiter_text()
    text = await anext(parts)
    await scene.engine.stop()
    text += "".join([part async for part in parts])
    last = json.loads(text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] in ("engine_error", "engine_unavailable")
    assert "[DONE]" not in text
    await shown(scene, "unavailable")
    assert scene.rig.node.queue.active == 0
    scene.engine.pace = AtOnce()
    await restart(scene)
    await scene.rig.node.watch.look()
    await shown(scene, "available")


async def test_engine_that_loads_again(scene: Scene) -> None:
    token = (await scene.token()).token
    scene.engine.fault, scene.engine.everywhere = "loading", True
    await scene.rig.node.watch.look()
    await shown(scene, "starting")
    answer = await scene.http.send(scene.chat(token))
    assert (answer.status_code, last_error(answer)) == (503, "engine_loading")
    scene.engine.fault = None
    await scene.rig.node.watch.look()
    await shown(scene, "available")


async def test_engine_that_swaps_its_models(scene: Scene) -> None:
    """The old name is refused, the new one is served; the signed listing stays as it was."""
    token = (await scene.token()).token
    scene.engine.models = [FakeModel("another")]
    await scene.rig.node.watch.look()
    answer = await scene.http.send(scene.chat(token))
    assert (answer.status_code, last_error(answer)) == (404, "model_not_found")
    client = scene.openai(token)
    assert [model.id async for model in client.models.list()] == ["another"]
    reply = await client.chat.completions.create(
        model="another", messages=[{"role": "user", "content": "x"}]
    )
    assert reply.model == "another"


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in PATIENCE])
async def test_every_lie_of_an_engine_is_told_through_the_tunnel(
    scene: Scene, fault: Fault
) -> None:
    """And costs nobody else anything: no turn is held, the tunnel stays, the next chat works."""
    token = (await scene.token()).token
    scene.engine.fault = fault
    for stream in (True, False):
        answer = await scene.http.send(scene.chat(token, stream=stream))
        assert last_error(answer) in CODES
        assert stream or answer.status_code >= 400
    scene.engine.fault = None
    answer = await scene.http.send(scene.chat(token))
    assert (answer.status_code, last_error(answer)) == (200, "")
    assert scene.rig.node.queue.active == 0
    assert scene.rig.tunnel is not None
    assert scene.rig.tunnel.state.phase == "up"
