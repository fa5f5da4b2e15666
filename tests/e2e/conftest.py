"""One demo for all tests that only use it, and a way to start others."""

import json
import signal
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import pytest
from playwright.sync_api import Browser

from luckrig.client.wanted import AUTO
from tests.e2e.browsers import chromium
from tests.e2e.commands import COMMAND, environ
from tests.e2e.sidecars import running_network, running_sidecar
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


@pytest.fixture(scope="session", params=["rig", "sidecar", "sealed"])
def stock_rig(
    request: pytest.FixtureRequest,
    bare_rig: StockRig,
    stock_network: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[StockRig]:
    """The same engine in three ways: a rig with a token, `luckrig connect`, and that with subtext.

    Stock clients can't tell them apart, but by what is listed.
    """
    if request.param == "rig":
        yield bare_rig
        return
    option = "--subtext" if request.param == "sealed" else "--plain"
    with running_sidecar(tmp_path_factory.mktemp("user"), stock_network, option) as sidecar:
        yield StockRig(
            sidecar.base_url, bare_rig.engine_url, bare_rig.call, [AUTO, MODEL], lambda: sidecar.key
        )
