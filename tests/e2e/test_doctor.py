"""`luckrig doctor` at the bed of rigs that really have what it finds."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from luckrig.cli.config import Config, RigSection, config_path, write_config
from luckrig.cli.doctor.result import CheckResult, exit_code
from luckrig.cli.doctor.visit import Subject, Visit
from luckrig.cli.home import Home
from luckrig.cli.hosted_rig import HostedRig, hosted_rig
from luckrig.cli.options import ask_tracker
from luckrig.client.operators import ban
from luckrig.protocol.address import TrackerAddress, parse_tracker_address
from luckrig.protocol.ids import derive_id
from tests.e2e.commands import finished, running
from tests.e2e.tunnel_peers import Streamer, tunnel_to
from tests.e2e.tunnels import NODE, OPERATOR, TrackerProcess, tracker_process
from tests.fake_engines.engine import FakeEngine
from tests.fake_engines.knobs import FakeModel, Fault
from tests.fake_engines.ollama import FakeOllama
from tests.fake_engines.openai_compatible import FakeOpenAi

CHECKS = [
    "keys", "settings", "clock", "engine", "models", "tracker", "rig", "tunnel", "map", "token",
    "chat",
]  # fmt: skip


@dataclass
class Practice:
    """A tracker, an engine, and an owner's home whose rig may run."""

    tracker: TrackerProcess
    engine: FakeEngine
    home: Home
    hosted: HostedRig | None = None

    async def visit(self, **changes: Any) -> dict[str, CheckResult]:
        """What the doctor says; every failure comes with one line to mend it."""
        choices: dict[str, Any] = {
            "home": self.home,
            "environ": {},
            "tracker": None,
            "engine": None,
            "sends_prompt": True,
            "clock": time.time,
            "monotonic": time.monotonic,
            "system": "Linux",
        }
        results = [r async for r in Visit(Subject(**{**choices, **changes})).results()]
        for result in results:
            assert (result.outcome == "failed") == (result.fix is not None), result
            assert result.found
            assert not result.found.endswith(".")
            assert result.fix is None or (result.fix.strip() and "\n" not in result.fix)
            assert "eyJ" not in result.found, "no token"
        assert [result.check for result in results] == CHECKS
        return {result.check: result for result in results}


@asynccontextmanager
async def practice(
    folder: Path, engine: FakeEngine, *, runs: bool = True
) -> AsyncGenerator[Practice, None]:
    """An owner with a tunnelled rig, chosen in config.toml."""
    async with tracker_process(folder) as process, engine:
        home = Home(folder / "home")
        rig = RigSection(name="attic", engine=engine.url, tracker=str(process.address), tunnel=True)
        config = Config(rig=rig)
        home.load_or_create("node")
        home.load_or_create("user")
        write_config(config_path(home), config)
        scene = Practice(process, engine, home)
        if not runs:
            yield scene
            return
        async with (
            ask_tracker(process.address) as tracker,
            hosted_rig(config, home, {}, tracker, engine_url=engine.url) as hosted,
        ):
            scene.hosted = hosted
            while (await tracker.node(hosted.rig.node_id)).node.status != "available":
                pass
            yield scene


@pytest.fixture
async def well(tmp_path: Path) -> AsyncIterator[Practice]:
    """Nothing is wrong yet."""
    async with practice(tmp_path, FakeOpenAi()) as scene:
        yield scene


@pytest.fixture
async def idle(tmp_path: Path) -> AsyncIterator[Practice]:
    """The same, but the rig doesn't run."""
    async with practice(tmp_path, FakeOpenAi(), runs=False) as scene:
        yield scene


def failures(found: dict[str, CheckResult]) -> set[str]:
    """The names of the checks that failed."""
    return {name for name, result in found.items() if result.outcome == "failed"}


def skips(found: dict[str, CheckResult]) -> set[str]:
    """The names of the checks that were skipped."""
    return {name for name, result in found.items() if result.outcome == "skipped"}


async def test_nothing_is_wrong(well: Practice) -> None:
    found = await well.visit()
    assert {result.outcome for result in found.values()} == {"ok"}, found
    assert exit_code([*found.values()]) == 0
    assert "the first after" in found["chat"].found
    request = well.engine.asked
    assert 1 <= request["max_tokens"] <= 8
    assert request["stream"] is True


async def test_no_prompt_means_no_request(well: Practice) -> None:
    found = await well.visit(sends_prompt=False)
    assert (failures(found), skips(found)) == (set(), {"chat"})
    assert not [r for r in well.engine.requests if r.method == "POST"]


@pytest.mark.parametrize(
    ("key", "lost"), [("node", {"map", "token", "chat"}), ("user", {"token", "chat"})]
)
async def test_missing_key(well: Practice, key: str, lost: set[str]) -> None:
    well.home.key_path(key).rename(well.home.path / "moved")
    found = await well.visit()
    assert (failures(found), skips(found)) == ({"keys"}, lost)
    assert f"luckrig keys import --name {key}" in str(found["keys"].fix)


async def test_key_that_others_can_read(well: Practice) -> None:
    path = well.home.key_path("node")
    path.chmod(0o644)
    found = await well.visit()
    assert failures(found) == {"keys"}
    assert "0644" in found["keys"].found
    assert found["keys"].fix == f"chmod 600 {path}"


@pytest.mark.parametrize("how", ["link", "rubbish", "secret"])
async def test_key_that_is_none(idle: Practice, how: str) -> None:
    path = idle.home.key_path("user")
    if how == "secret":
        path = path.with_suffix(".secret")
        path.write_text("00")
        path.chmod(0o640)
    elif how == "rubbish":
        path.write_text("-----BEGIN PRIVATE KEY-----\nSENTINEL\n")
    else:
        path.rename(idle.home.path / "moved")
        path.symlink_to(idle.home.path / "moved")
    found = await idle.visit()
    assert "keys" in failures(found)
    assert "SENTINEL" not in str(found)


async def test_no_home_at_all(tmp_path: Path, idle: Practice) -> None:
    found = await idle.visit(home=Home(tmp_path / "nothing"), tracker=idle.tracker.address)
    assert "LUCKRIG_HOME" in str(found["keys"].fix)


@pytest.mark.parametrize(
    ("text", "says"), [("[rig]\nnmae = 'x'", "rig.nmae is no key"), ("\x00", "no TOML")]
)
async def test_broken_config(idle: Practice, text: str, says: str) -> None:
    config_path(idle.home).write_text(text)
    found = await idle.visit()
    assert failures(found) == {"settings", "rig"}
    assert says in found["settings"].found
    assert {"engine", "tracker"} <= skips(found)


async def test_wrong_environment(idle: Practice) -> None:
    found = await idle.visit(environ={"LUCKRIG_ENGINE_CONTEXT": "8k"})
    assert "LUCKRIG_ENGINE_CONTEXT" in found["settings"].found


@pytest.mark.parametrize(("off", "where"), [(600, "ahead of"), (-600, "behind")])
@pytest.mark.parametrize(("system", "fix"), [("Linux", "timedatectl"), ("Darwin", "sntp")])
async def test_clock_that_is_off(
    well: Practice, off: int, where: str, system: str, fix: str
) -> None:
    found = await well.visit(clock=lambda: time.time() + off, system=system)
    assert failures(found) == {"clock", "token"}
    seconds = int(found["clock"].found.split()[0])
    assert abs(seconds - 600) <= 10
    assert where in found["clock"].found
    assert fix in str(found["clock"].fix)
    assert exit_code([*found.values()]) == 1


async def test_engine_that_went_away(well: Practice) -> None:
    assert well.hosted is not None
    await well.engine.stop()
    await well.hosted.rig.node.watch.look()
    found = await well.visit()
    assert {"engine", "rig"} <= failures(found)
    assert "models" in skips(found)
    assert "Start the engine" in str(found["engine"].fix)
    assert exit_code([*found.values()]) == 3


@pytest.mark.parametrize(
    ("fault", "says"), [("loading", "is loading"), ("locked", "asks for a key"), ("html", "page")]
)
async def test_engine_that_is_not_ready(idle: Practice, fault: Fault, says: str) -> None:
    idle.engine.fault, idle.engine.everywhere = fault, True
    found = await idle.visit()
    assert failures(found) == {"engine", "rig"}
    assert says in found["engine"].found


async def test_models_in_a_cloud_are_none(tmp_path: Path) -> None:
    cloud = FakeModel("gpt-oss:120b-cloud", remote_host="https://ollama.com")
    async with practice(tmp_path, FakeOllama(models=[cloud]), runs=False) as scene:
        found = await scene.visit()
    assert failures(found) == {"models", "rig"}
    assert "ollama pull" in str(found["models"].fix)


async def test_models_are_described(tmp_path: Path) -> None:
    models = [FakeModel(f"m{number}:4b") for number in range(5)]
    async with practice(tmp_path, FakeOllama(models=models)) as scene:
        found = await scene.visit()
    assert not failures(found)
    assert found["models"].found.startswith("5: m0:4b (Q4_K_M, 8,192 tokens)")
    assert found["models"].found.endswith("and 2 more")


async def test_model_that_the_engine_has_no_more(well: Practice) -> None:
    assert well.hosted is not None
    well.engine.models = [FakeModel("another")]
    await well.hosted.rig.node.watch.look()
    found = await well.visit()
    assert "map" in failures(found)
    assert "stand-in" in found["map"].found


async def test_no_engine_anywhere(idle: Practice) -> None:
    found = await idle.visit(engine="auto", ports=())
    assert "--engine tiny" in str(found["engine"].fix)


async def test_tiny_starts_with_its_rig(idle: Practice) -> None:
    found = await idle.visit(engine="tiny")
    assert failures(found) == {"rig"}
    assert {"engine", "models"} <= skips(found)


async def test_tracker_with_another_key(well: Practice) -> None:
    other = TrackerAddress(well.tracker.address.origin, derive_id("r1", NODE.public))
    found = await well.visit(tracker=other)
    assert failures(found) == {"tracker"}
    assert "Another tracker answers" in found["tracker"].found
    assert {"map", "token", "chat"} == skips(found)
    assert exit_code([*found.values()]) == 1


async def test_tracker_without_a_pinned_key(well: Practice) -> None:
    found = await well.visit(tracker=parse_tracker_address(well.tracker.address.origin))
    assert failures(found) == {"tracker"}


async def test_tracker_that_is_down(well: Practice) -> None:
    assert well.hosted is not None
    assert well.hosted.rig.tunnel is not None
    await well.tracker.stop()
    await well.hosted.rig.tunnel.until(lambda state: state.phase == "waiting")
    found = await well.visit()
    assert failures(found) == {"tracker", "tunnel"}
    assert skips(found) == {"clock", "map", "token", "chat"}
    assert exit_code([*found.values()]) == 3


async def test_rig_that_does_not_run(idle: Practice) -> None:
    found = await idle.visit()
    assert failures(found) == {"rig"}
    assert "luckrig node start" in str(found["rig"].fix)
    assert skips(found) == {"tunnel", "map", "token", "chat"}


async def test_paused_rig(well: Practice) -> None:
    """Its owner's own request still passes, so the rest of the way is looked at."""
    assert well.hosted is not None
    await well.hosted.rig.node.gate.pause(None)
    found = await well.visit()
    assert failures(found) == {"rig"}
    assert found["rig"].fix == "luckrig node resume"
    assert found["chat"].outcome == "ok"


async def test_draining_rig_is_closed_to_its_owner_too(well: Practice) -> None:
    assert well.hosted is not None
    well.hosted.rig.node.gate.drain(stop=False)
    found = await well.visit()
    assert failures(found) == {"rig"}
    assert "chat" in skips(found)


async def test_tunnel_that_is_refused(well: Practice) -> None:
    assert well.hosted is not None
    tunnel, node_id = well.hosted.rig.tunnel, well.hosted.rig.node_id
    assert tunnel is not None
    async with ask_tracker(well.tracker.address) as tracker:
        await ban(tracker, node_id, reason="Fake GPU.", operator_key=OPERATOR)
    await tunnel.until(lambda state: state.phase == "refused")
    found = await well.visit()
    assert "tunnel" in failures(found)
    assert "Fake GPU" in found["tunnel"].found
    assert "operator" in str(found["tunnel"].fix)
    assert skips(found) == {"map", "token", "chat"}


async def test_two_processes_with_one_key(well: Practice) -> None:
    """The one that lost its place says so, and which of the two has to go."""
    assert well.hosted is not None
    tunnel = well.hosted.rig.tunnel
    assert tunnel is not None
    key = well.home.load("node")
    app = Streamer(size_of=lambda _: 1)
    async with tunnel_to(well.tracker.address, app, node_key=key):
        await tunnel.until(lambda state: state.phase == "replaced")
        found = await well.visit()
    assert failures(found) == {"tunnel"}
    assert "Stop the other one" in str(found["tunnel"].fix)


@pytest.mark.parametrize(
    ("fault", "after"), [("busy", 0), ("hang-up", 0), ("html", 0), ("error", 1), ("half", 1)]
)
async def test_engine_that_errs_when_asked(well: Practice, fault: Fault, after: int) -> None:
    well.engine.fault, well.engine.fault_after = fault, after
    found = await well.visit()
    assert failures(found) == {"chat"}
    assert "stand-in, through that address" in found["chat"].found
    assert exit_code([*found.values()]) == 1


def doctor(home: Path, *options: str) -> dict[str, Any]:
    """The command's JSON."""
    done = finished(home, "doctor", *options, "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if told["ok"] else 3 if _unreachable(told) else 1)
    assert done.stderr == ""
    return told


def _unreachable(told: dict[str, Any]) -> bool:
    return any(check["unreachable"] for check in told["checks"])


@pytest.mark.timeout(90)
@pytest.mark.parametrize("way", ["tunnel", "endpoint"])
def test_real_parts_from_the_command_line(tmp_path: Path, way: str) -> None:
    """A tracker, a rig with the real engine, and the doctor, each a process."""
    with running(tmp_path / "t", "tracker", "--allow-private", "--listen", "127.0.0.1:0") as (
        _,
        tracker,
    ):
        how = ("--tunnel",) if way == "tunnel" else ("--listen", "127.0.0.1:0")
        command = ("node", "start", "--engine", "tiny", "--tracker", tracker["address"], *how)
        with running(tmp_path / "o", *command) as (_, rig):
            url = f"{tracker['tracker']}/api/v1/nodes/{rig['node_id']}"
            while httpx2.get(url).json()["node"]["status"] not in ("available", "busy"):
                pass
            told = doctor(tmp_path / "o")
            assert told["ok"], told
            names = [way if name == "tunnel" else name for name in CHECKS]
            assert [check["check"] for check in told["checks"]] == names
            assert {check["outcome"] for check in told["checks"]} == {"ok"}, told
        after = doctor(tmp_path / "o", "--tracker", tracker["address"], "--no-prompt")
        assert not after["ok"]
