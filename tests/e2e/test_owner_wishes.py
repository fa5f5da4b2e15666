"""A button on a tracker's page reaches a rig that really runs, and the rig's own word counts."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest

from luckrig.client.me import login
from luckrig.protocol.errors import LuckrigError
from tests.e2e.tunnels import NODE_ID, OWNER, Scene, tunnelled
from tests.nodeproxy.conditions import until


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """One rig behind a tunnel."""
    async with tunnelled(tmp_path) as running:
        yield running


async def map_says(scene: Scene, is_so: Callable[[str], bool]) -> None:
    """Wait until the map shows the rig like that."""
    while not is_so((await scene.tracker.node(NODE_ID)).node.status):
        await asyncio.sleep(0.02)


async def test_the_owner_pauses_from_a_browser_and_the_newest_word_counts(scene: Scene) -> None:
    gate, origin = scene.rig.node.gate, scene.process.address.origin
    code = (await login(scene.tracker, user_key=OWNER)).url.rpartition("/")[2]
    async with httpx2.AsyncClient(base_url=origin, trust_env=False, timeout=20) as browser:
        await browser.post("/login", data={"code": code})
        csrf = re.findall(r'name="csrf" value="([^"]+)"', (await browser.get("/me")).text)[0]

        async def press(wish: str) -> None:
            form = {"csrf": csrf, "node_id": NODE_ID, "wish": wish}
            assert (await browser.post("/me/rigs", data=form)).status_code == 303

        token = (await scene.token()).token
        await press("pause")
        with pytest.raises(LuckrigError) as refused:  # at once, whether the rig has heard or not
            await scene.token()
        assert refused.value.code == "node_offline"
        await until(lambda: gate.opening().reason == "paused" and gate.from_tracker)
        answer = await scene.http.send(scene.chat(token, stream=False))
        assert answer.json()["error"]["code"] == "rig_paused"

        await gate.resume()  # what `luckrig node resume` does
        await map_says(scene, lambda status: status == "available")
        assert (await scene.http.send(scene.chat(token, stream=False))).status_code == 200

        await gate.pause(None)
        await map_says(scene, lambda status: status == "paused")
        assert "Closed by the rig itself" in (await browser.get("/me")).text
        await press("resume")
        await until(lambda: gate.opening().reason is None)
        await map_says(scene, lambda status: status == "available")
