"""A home folder and a tracker for each test of the command line."""

import io
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from luckrig.cli import account, asking, status
from luckrig.cli.home import Home
from luckrig.cli.main import run
from luckrig.cli.report import command as report
from luckrig.tracker.store.memory import MemoryStore
from tests.cli.operated import Operated, Result
from tests.cli.operated import served as served_tracker
from tests.client.fake_tracker import FakeTracker, make_rig, serving

Luckrig = Callable[..., Result]
AtKeyboard = Callable[..., None]


@pytest.fixture(scope="session")
def served() -> Iterator[FakeTracker]:
    """One server for the whole session; the `tracker` fixture makes it honest again."""
    with serving(FakeTracker()) as app:
        yield app


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty LUCKRIG_HOME, which doesn't exist yet, and no other variables of ours."""
    for name in ("LUCKRIG_TRACKER", "LUCKRIG_DEBUG", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "home"
    monkeypatch.setenv("LUCKRIG_HOME", str(path))
    return Home(path)


@pytest.fixture
def tracker(served: FakeTracker, home: Home, monkeypatch: pytest.MonkeyPatch) -> FakeTracker:
    """A tracker with one rig, in LUCKRIG_TRACKER. It runs on the real clock, as commands do."""
    served.reset(make_rig(1))
    served.clock = time.time
    monkeypatch.setenv("LUCKRIG_TRACKER", served.origin)
    return served


@pytest.fixture
def luckrig(home: Home, capsys: pytest.CaptureFixture[str]) -> Luckrig:
    """Run a command line in this process."""

    def invoke(*args: str) -> Result:
        capsys.readouterr()
        code = run(args, os.environ)
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err)

    return invoke


@pytest.fixture
def operated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Operated]:
    """A tracker with one rig; LUCKRIG_TRACKER names it."""
    for name in ("LUCKRIG_DEBUG", "COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    store = MemoryStore()
    with served_tracker(store) as origin:
        monkeypatch.setenv("LUCKRIG_TRACKER", origin)
        world = Operated(origin, store, tmp_path, monkeypatch, capsys)
        world.publish()
        yield world


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> AtKeyboard:
    """A terminal on which those lines are typed, one for each question, until none is left."""

    def put(*lines: str) -> None:
        for module in (asking, account, report, status):
            monkeypatch.setattr(module, "can_ask", lambda: True)
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return put


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Commands that run a rig set logging up for their process, which here is everybody's."""
    root, ours = logging.getLogger(), logging.getLogger("luckrig")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def start(home: Home) -> Callable[..., "subprocess.Popen[str]"]:
    """Start a command line in a process of its own, with pipes for its output."""

    def popen(*args: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(  # noqa: S603 -- our own module
            [sys.executable, "-m", "luckrig.cli.main", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return popen
