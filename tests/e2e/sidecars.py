"""A real tracker, real rigs and `luckrig connect`, each a process of its own, for stock clients."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.commands import environ, running


@dataclass(frozen=True)
class RunningSidecar:
    """What an app is told, and what the sidecar says. home: its user's."""

    process: "subprocess.Popen[bytes]"
    home: Path
    base_url: str
    key: str
    folder: Path

    @property
    def finished(self) -> list[dict[str, Any]]:
        """What it printed of each request so far."""
        lines = (self.folder / "connect.out").read_text().splitlines()
        return [json.loads(line) for line in lines[1:]]

    @property
    def said(self) -> str:
        """All that it printed anywhere."""
        return "".join((self.folder / f"connect.{name}").read_text() for name in ("out", "err"))


@contextmanager
def running_sidecar(
    home: Path, tracker: str, *options: str, variables: Mapping[str, str] | None = None
) -> Generator[RunningSidecar, None, None]:
    """`luckrig connect --json --port 0`. tracker: its full address.

    What it prints goes to files: a pipe that nobody reads would fill and stop it.
    """
    home.mkdir(exist_ok=True)
    out, err = home / "connect.out", home / "connect.err"
    command = ("connect", "--json", "--port", "0", "--tracker", tracker, *options)
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = subprocess.Popen(  # noqa: S603 -- our own command line
            [sys.executable, "-m", "luckrig.cli.main", *command],
            env={**environ(home), **(variables or {})}, stdout=out_file, stderr=err_file,
        )  # fmt: skip
    try:
        while not out.read_bytes().endswith(b"\n"):
            with suppress(subprocess.TimeoutExpired):  # it gets the processor that it needs
                process.wait(timeout=0.02)
            assert process.returncode is None, out.read_text() + err.read_text()
        told = json.loads(out.read_bytes().splitlines()[0])
        key = Path(told["key_file"]).read_text().strip()
        yield RunningSidecar(process, home, told["base_url"], key, home)
    finally:
        process.terminate()
        process.wait(timeout=15)


@contextmanager
def running_network(folder: Path, *rigs: tuple[str, ...]) -> Generator[str, None, None]:
    """A tracker with those rigs, each the options of its `luckrig node start`. Gives the tracker's
    full address when all of them are on the map."""
    operator = folder / "operator"
    with running(operator, "tracker", "--allow-private", "--listen", "127.0.0.1:0") as (_, told):
        with _running_rigs(folder, told["address"], rigs):
            until_on_the_map(told["tracker"], len(rigs))
            yield told["address"]


def until_on_the_map(origin: str, rigs: int) -> None:
    """Wait until so many rigs take requests."""
    while httpx2.get(f"{origin}/api/v1/nodes?status=available").json()["total"] < rigs:
        time.sleep(0.02)  # other processes' map: it can only be asked again


def free_port() -> int:
    """A port for a process that has to listen where it did before it was killed."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def _running_rigs(
    folder: Path, address: str, rigs: tuple[tuple[str, ...], ...]
) -> Generator[None, None, None]:
    if not rigs:
        yield
        return
    *first, options = rigs
    command = ("node", "start", "--tracker", address, *options)
    with running(folder / f"owner{len(first)}", *command):
        with _running_rigs(folder, address, tuple(first)):
            yield
