"""One demo for all tests that only use it, and a way to start others."""

import json
import signal
import subprocess
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
import pytest_asyncio
from playwright import async_api
from playwright.sync_api import Browser

from luckrig.client.wanted import AUTO
from tests.e2e.browsers import async_chromium, chromium
from tests.e2e.commands import COMMAND, environ
from tests.e2e.sidecars import RunningSidecar, running_network, running_sidecar
from tests.e2e.stock_rig import MODEL, StockRig, running_stock_rig

HERE: Final = Path(__file__).parent
SECONDS: Final = 60
"""For a test that says nothing else: each of them waits for processes to start."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A machine that does more than these tests is no reason for one of them to fail."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Real Chromium."""
    with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _async_chromium() -> AsyncIterator[async_api.Browser]:
    """To start one takes 2 s of a processor. evil.example is this machine, as a rebound name is."""
    async with async_chromium("--host-resolver-rules=MAP evil.example 127.0.0.1") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def async_browser(_async_chromium: async_api.Browser) -> AsyncIterator[async_api.Browser]:
    """Real Chromium for tests that have an event loop, with nothing in it.

    It lives in the session's loop, so its tests, and their other asynchronous fixtures, say
    `loop_scope="session"`.
    """
    yield _async_chromium
    for context in _async_chromium.contexts:
        await context.close()


@dataclass(frozen=True)
class Demo:
    """A running `luckrig demo`. announced: the JSON line it printed."""

    process: "subprocess.Popen[str]"
    home: Path
    announced: dict[str, Any]

    @property
    def engine_url(self) -> str:
        """Where its engine listens: the child process says so, the demo keeps it to itself."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            for connection in child.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return f"http://127.0.0.1:{connection.laddr.port}"
        raise AssertionError("no engine listens")

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        """End it like a user would; exit code and what else it printed."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=15)
        return self.process.returncode, out, err


@contextmanager
def running_demo(home: Path, *options: str) -> Generator[Demo, None, None]:
    """`luckrig demo --json --port 0 --engine tiny` in a home of its own."""
    process = subprocess.Popen(  # noqa: S603 -- our own command line
        [*COMMAND, "demo", "--json", "--port", "0", "--engine", "tiny", *options],
        env={**environ(home), "LUCKRIG_HOME": str(home / "luckrig")},
        cwd=home, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Demo(process, home, json.loads(line))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that every test may use and none may stop."""
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="session")
def bare_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockRig]:
    """A rig in front of the real engine, for stock clients; with tools and embeddings."""
    with running_stock_rig(tmp_path_factory.mktemp("stock-rig")) as running:
        yield running


@pytest.fixture(scope="session")
def stock_network(bare_rig: StockRig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a tracker, with one more rig in front of the same engine."""
    rig = ("--engine", bare_rig.engine_url, "--listen", "127.0.0.1:0")
    with running_network(tmp_path_factory.mktemp("network"), rig) as address:
        yield address


@pytest.fixture(scope="session")
def plain_sidecar(
    bare_rig: StockRig, stock_network: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StockRig]:
    """The same engine behind `luckrig connect`."""
    home = tmp_path_factory.mktemp("plain-user")
    with running_sidecar(home, stock_network, "--plain") as sidecar:
        yield _behind(sidecar, bare_rig)


@pytest.fixture(scope="session")
def sealed_sidecar(
    bare_rig: StockRig, stock_network: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StockRig]:
    """That with subtext."""
    home = tmp_path_factory.mktemp("sealed-user")
    with running_sidecar(home, stock_network, "--subtext") as sidecar:
        yield _behind(sidecar, bare_rig)


@pytest.fixture(params=["bare_rig", "plain_sidecar", "sealed_sidecar"])
def stock_rig(request: pytest.FixtureRequest) -> StockRig:
    """The same engine in three ways. Stock clients can't tell them apart, but by what is listed.

    Each way is started once and stays: the tests may come in any order.
    """
    found: StockRig = request.getfixturevalue(request.param)
    return found


def _behind(sidecar: RunningSidecar, rig: StockRig) -> StockRig:
    listed = [AUTO, MODEL]
    return StockRig(sidecar.base_url, rig.engine_url, rig.call, listed, lambda: sidecar.key)
