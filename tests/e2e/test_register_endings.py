"""How a rig ends that somebody watches: politely, at once, or when time is up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from luckrig.cli.config import Config, RigSection
from luckrig.cli.dashboard import View, headline
from luckrig.cli.home import Home
from luckrig.cli.hosted_rig import HostedRig, hosted_rig
from luckrig.cli.options import ask_tracker
from luckrig.cli.watching import TERM_SECONDS, Signals, Standing, followed_score, watch_over
from luckrig.client.tracker import TrackerClient
from tests.e2e.tunnels import USER, tracker_process
from tests.fake_engines.openai_compatible import FakeOpenAi


@dataclass
class Watch:
    """A rig behind a tunnel with a stand-in engine that never ends a reply by itself."""

    hosted: HostedRig
    tracker: TrackerClient
    engine: FakeOpenAi
    http: httpx2.AsyncClient
    signals: Signals = field(default_factory=Signals)
    views: list[View] = field(default_factory=list[View])
    now: float = 0.0

    def show(self, view: View) -> None:
        """Implements Screen."""
        self.views.append(view)

    def watch(self) -> "asyncio.Task[int]":
        """Begin."""
        return asyncio.create_task(
            watch_over(self.hosted, self.signals, self, Standing("1.5"), lambda: self.now)
        )

    async def shown(self, text: str) -> View:
        """Wait for a headline."""
        while not self.views or text not in headline(self.views[-1])[1]:
            await asyncio.sleep(0.01)
        return self.views[-1]

    async def stuck_request(self) -> "asyncio.Task[httpx2.Response]":
        """One that is at the engine and stays there."""
        self.engine.fault = "slow-head"
        while (await self.tracker.node(self.hosted.rig.node_id)).node.status != "available":
            await asyncio.sleep(0.01)
        token = await self.tracker.token(self.hosted.rig.node_id, user_key=USER)
        body = {"model": self.hosted.rig.models[0], "messages": [{"role": "user", "content": "x"}]}
        task = asyncio.create_task(
            self.http.post(
                f"{token.base_url}/chat/completions",
                json=body,
                headers={"authorization": f"Bearer {token.token}"},
            )
        )
        while not self.hosted.rig.node.queue.active:
            await asyncio.sleep(0.01)
        return task


@asynccontextmanager
async def watched(folder: Path) -> AsyncGenerator[Watch]:
    """All of it."""
    async with (
        tracker_process(folder) as process,
        ask_tracker(process.address) as tracker,
        FakeOpenAi() as engine,
        httpx2.AsyncClient(trust_env=False, timeout=20) as http,
    ):
        config = Config(rig=RigSection(name="attic", tunnel=True))
        async with hosted_rig(config, Home(folder), {}, tracker, engine_url=engine.url) as hosted:
            yield Watch(hosted, tracker, engine, http)


async def test_an_idle_rig_ends_with_the_first_ctrl_c(tmp_path: Path) -> None:
    async with watched(tmp_path) as w:
        task = w.watch()
        view = await w.shown("on the map")
        assert view.points == "1.5"
        w.signals.interrupt()
        assert await task == 0


async def test_what_runs_holds_the_end_up_until_the_second_ctrl_c(tmp_path: Path) -> None:
    async with watched(tmp_path) as w:
        request = await w.stuck_request()
        task = w.watch()
        await w.shown("on the map")
        w.signals.interrupt()
        await w.shown("finishing 1 request, taking no new ones")
        w.now = 1e6
        assert not task.done(), "Ctrl-C waits as long as it takes"
        w.signals.interrupt()
        assert await task == 130
    request.cancel()


async def test_sigterm_waits_ten_seconds_at_most(tmp_path: Path) -> None:
    async with watched(tmp_path) as w:
        request = await w.stuck_request()
        task = w.watch()
        await w.shown("on the map")
        w.signals.terminate()
        await w.shown("finishing 1 request")
        w.now = TERM_SECONDS - 0.01
        w.signals.changed.set()
        seen = len(w.views)
        while len(w.views) == seen:
            await asyncio.sleep(0.01)
        assert not task.done()
        w.now = TERM_SECONDS
        assert await task == 0
    request.cancel()


async def test_the_owners_drain_ends_it_too(tmp_path: Path) -> None:
    async with watched(tmp_path) as w:
        task = w.watch()
        await w.shown("on the map")
        await w.hosted.rig.node.gate.pause(60)
        await w.shown("paused: paused by you; opens")
        w.hosted.rig.node.gate.drain(stop=True)
        assert await task == 0


async def test_a_score_that_nobody_knows_is_none(tmp_path: Path) -> None:
    async with watched(tmp_path) as w:
        async with followed_score(w.tracker, USER) as standing:
            assert standing.points is None
