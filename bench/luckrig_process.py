"""`luckrig …` as a process of its own, for measurements that need the real thing."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Running:
    """A running command. announced: the JSON line it printed when it was ready."""

    def __init__(self, process: "subprocess.Popen[bytes]", announced: dict[str, Any]) -> None:
        self._process = process
        self.announced = announced

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: no chance to finish anything."""
        self._process.kill()
        self._process.wait()


def start(home: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Running:
    """Start a command with --json in a home of its own, and wait until it is ready."""
    process = subprocess.Popen(  # noqa: S603 -- our own command line
        [sys.executable, "-m", "luckrig.cli.main", *arguments, "--json"],
        env={
            **{name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ},
            "LUCKRIG_HOME": str(home),
            **(environ or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # each ban is logged
    )
    assert process.stdout is not None  # noqa: S101 -- narrows the type
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"luckrig {arguments[0]} ended with {process.wait()}")
    return Running(process, json.loads(line))


@contextmanager
def running(
    home: Path, *arguments: str, environ: Mapping[str, str] | None = None
) -> Generator[Running, None, None]:
    """The same for as long as the block runs."""
    command = start(home, *arguments, environ=environ)
    try:
        yield command
    finally:
        command.kill()
