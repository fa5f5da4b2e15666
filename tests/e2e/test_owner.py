"""The owner's commands at a rig that really runs: its own process, engine and tracker."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from luckrig.cli.config import read_config

COMMAND = [sys.executable, "-m", "luckrig.cli.main"]


def environ(home: Path) -> dict[str, str]:
    """Nothing but what a command needs."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(home), "LUCKRIG_HOME": str(home), "TZ": "UTC"}


@contextmanager
def running(
    home: Path, *command: str
) -> Generator[tuple["subprocess.Popen[str]", Any], None, None]:
    """A command that announces itself with a line of JSON and goes on running."""
    process = subprocess.Popen(  # noqa: S603 -- our own command line
        [*COMMAND, *command, "--json"], env=environ(home), text=True,
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


@dataclass(frozen=True)
class Owner:
    """Somebody with a home folder and a tracker."""

    home: Path
    tracker: str

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """A command that ends."""
        return subprocess.run(  # noqa: S603 -- our own command line
            [*COMMAND, *command], env=environ(self.home) | {"LUCKRIG_TRACKER": self.tracker},
            text=True, capture_output=True, check=False,
        )  # fmt: skip

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


@pytest.mark.timeout(90)  # a dozen processes start in turn
def test_an_owner_rules_their_rig(tmp_path: Path) -> None:
    tracker_home, home = tmp_path / "tracker", tmp_path / "owner"
    start = ("node", "start", "--engine", "tiny", "--listen", "127.0.0.1:0")
    with running(tracker_home, "tracker", "--allow-private", "--listen", "127.0.0.1:0") as (
        _, tracker
    ):  # fmt: skip
        owner = Owner(home, tracker["address"])
        guest = Owner(tmp_path / "guest", tracker["address"])
        chosen = ("--name", "Attic", "--max-queue", "3", "--tracker", tracker["address"])
        assert "luckrig node start" in owner.run("node", "status").stderr
        with running(home, *start, *chosen, "--save") as (rig, announced):
            assert (home / "run" / "node.sock").stat().st_mode & 0o777 == 0o600
            status = owner.ask("node", "status")
            assert (status["name"], status["reason"], status["max_queue"]) == ("Attic", None, 3)
            assert status["models"] == announced["models"]

            # A second one on the same home is refused, and the first one lives on.
            second = owner.run(*start, *chosen)
            assert second.returncode == 1
            assert "A rig runs already" in second.stderr

            _pause(owner, guest, announced)
            _publish_a_note(owner, announced)

        # What was saved needs no flags; the pause and the count have outlived the restart.
        with running(home, *start) as (rig, announced):
            status = owner.ask("node", "status")
            assert (status["name"], status["note"]) == ("Attic", "Mind the cat.")
            assert (status["reason"], status["max_queue"]) == ("paused", 3)
            assert status["tokens_today"] > 0
            assert owner.ask("node", "resume")["reason"] is None
            drained = owner.ask("node", "drain", "--stop")
            assert (drained["reason"], drained["stops_when_drained"]) == ("draining", True)
            assert rig.wait(15) == 0
        assert owner.run("node", "pause").returncode == 1


def _pause(owner: Owner, guest: Owner, announced: Any) -> None:
    """Nothing for others, everything for the owner, and /health says so."""
    health = f"{announced['base_url'].removesuffix('/v1')}/health"
    stranger, model = guest.client("Attic")

    def is_answered(client: openai.OpenAI) -> bool:
        reply = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hi"}], max_tokens=4
        )
        return bool(reply.choices)

    assert is_answered(stranger)
    paused = owner.ask("node", "pause", "--for", "2h")
    assert paused["reason"] == "paused"
    assert paused["opens_at"] - paused["started_at"] >= 7200
    assert httpx2.get(health).json()["status"] == "paused"
    with pytest.raises(openai.InternalServerError) as refused:
        is_answered(stranger)
    assert refused.value.code == "rig_paused"
    own, _ = owner.client("Attic")
    assert is_answered(own)
    assert "closed: paused by you; opens" in owner.run("node", "status").stdout
    for client in (stranger, own):
        client.close()


def _publish_a_note(owner: Owner, announced: Any) -> None:
    """It goes to the map with a higher seq, and into the config."""
    before = owner.node(announced["node_id"])
    owner.ask("node", "note", "Mind the cat.")
    after = owner.node(announced["node_id"])
    assert (after["note"], after["seq"] > before["seq"]) == ("Mind the cat.", True)
    assert read_config(owner.home / "config.toml").rig.note == "Mind the cat."
    assert owner.run("node", "note", "\u202e").returncode == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--open", "noon"), "schedule.open: 'noon' is no window"),
        (("--timezone", "Berlin"), "schedule.timezone: 'Berlin' is no time zone"),
        (("--endpoint", "https://x/y"), "rig.endpoint: an endpoint looks like"),
        (("--max-celsius", "5"), "--max-celsius"),
    ],
)
def test_wrong_choices_stop_the_start(options: tuple[str, str], why: str, tmp_path: Path) -> None:
    done = Owner(tmp_path, "http://127.0.0.1:9").run("node", "start", *options)
    assert done.returncode != 0
    assert why in done.stderr
