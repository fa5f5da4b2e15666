"""`luckrig …` as processes of their own: started, waited for, ended."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import openai

COMMAND: Final = (sys.executable, "-m", "luckrig.cli.main")


def environ(home: Path) -> dict[str, str]:
    """Nothing but what a command needs."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(home), "LUCKRIG_HOME": str(home), "TZ": "UTC"}


@contextmanager
def running(
    home: Path, *command: str, variables: Mapping[str, str] | None = None
) -> Generator[tuple["subprocess.Popen[str]", Any], None, None]:
    """A command that announces itself with a line of JSON and goes on running.

    variables: besides what it needs.
    """
    process = subprocess.Popen(  # noqa: S603 -- our own command line
        [*COMMAND, *command, "--json"], env={**environ(home), **(variables or {})}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        assert "error" not in json.loads(line), line
        yield process, json.loads(line)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=15)


def finished(
    home: Path, *command: str, stdin: str = "", variables: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """A command that has ended, without a terminal. variables: besides what it needs."""
    return subprocess.run(  # noqa: S603 -- our own command line
        [*COMMAND, *command], env={**environ(home), **(variables or {})}, input=stdin, text=True,
        capture_output=True, check=False, timeout=30,
    )  # fmt: skip


def answer_of(home: Path, *command: str, code: int = 0) -> Any:
    """The JSON of a command that ends with that exit code."""
    done = finished(home, *command, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


@dataclass(frozen=True)
class Owner:
    """Somebody with a home folder and a tracker."""

    home: Path
    tracker: str

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """A command that ends."""
        return finished(self.home, *command, variables={"LUCKRIG_TRACKER": self.tracker})

    def ask(self, *command: str) -> Any:
        """Its JSON."""
        done = self.run(*command, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def node(self, node_id: str) -> Any:
        """The rig as the map shows it."""
        return httpx2.get(f"{self.tracker.partition('#')[0]}/api/v1/nodes/{node_id}").json()["node"]

    def client(self, name: str) -> tuple[openai.OpenAI, str]:
        """The stock client, with a token of this owner's, and a model."""
        token = self.ask("token", name)
        return openai.OpenAI(
            base_url=token["base_url"], api_key=token["token"], max_retries=0
        ), token["models"][0]
