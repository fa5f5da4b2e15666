"""Tracker and rig as separate processes, and a tracker that is killed without warning."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from tests.nodeproxy.test_rules import PACK


@contextmanager
def running(
    home: Path, *command: str
) -> Generator[tuple["subprocess.Popen[str]", Any], None, None]:
    """A luckrig command that announces itself with a line of JSON and goes on running."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "LUCKRIG_HOME": str(home)}
    process = subprocess.Popen(  # noqa: S603 -- our own command line
        [sys.executable, "-m", "luckrig.cli.main", *command, "--json"],
        env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield process, json.loads(line)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=15)


def luckrig(home: Path, *command: str) -> Any:
    """A luckrig command that ends; its JSON."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "LUCKRIG_HOME": str(home)}
    done = subprocess.run(  # noqa: S603 -- our own command line
        [sys.executable, "-m", "luckrig.cli.main", *command, "--json"],
        env=environ, text=True, capture_output=True, check=False,
    )  # fmt: skip
    return json.loads(done.stdout)


def status_on(tracker: str, node_id: str, wanted: str) -> str:
    """The rig's status on the map, looked at until it is the wanted one; the timeout bounds it."""
    while True:
        node = httpx2.get(f"{tracker}/api/v1/nodes/{node_id}").json()["node"]
        if node["status"] == wanted:
            return str(node["status"])


@pytest.mark.timeout(60)  # five processes start in turn
def test_killed_tracker_keeps_all_it_acknowledged_and_stops_no_rig(tmp_path: Path) -> None:
    owner, operator, user = (tmp_path / name for name in ("owner", "operator", "user"))
    tracker_command = ("tracker", "--allow-private", "--listen")
    with running(operator, *tracker_command, "127.0.0.1:0") as (tracker, first):
        node_command = (
            "node", "start", "--engine", "tiny", "--name", "Attic", "--listen", "127.0.0.1:0",
            "--tracker", first["address"],
        )  # fmt: skip
        with running(owner, *node_command) as (_, rig):
            assert status_on(first["tracker"], rig["node_id"], "available") == "available"
            token = luckrig(user, "token", "Attic", "--tracker", first["address"])
            tracker.kill()
            tracker.wait(timeout=10)

            with openai.OpenAI(base_url=token["base_url"], api_key=token["token"]) as client:
                reply = client.chat.completions.create(
                    model="tiny", messages=[{"role": "user", "content": "Hello"}]
                )
            assert reply.choices[0].message.content

            refused = luckrig(user, "token", "Attic", "--tracker", first["address"])
            assert refused["error"]["code"] == "tracker_unreachable"

            port = first["tracker"].rpartition(":")[2]
            with running(operator, *tracker_command, f"127.0.0.1:{port}") as (_, second):
                assert second == first
                assert status_on(first["tracker"], rig["node_id"], "available") == "available"
                again = luckrig(user, "token", "Attic", "--tracker", second["address"])
                assert again["node_id"] == rig["node_id"]


def test_rig_refuses_a_tracker_that_is_not_the_pinned_one(tmp_path: Path) -> None:
    """Whoever answers at the address must hold the root key that the address names."""
    with running(tmp_path / "t", "tracker", "--allow-private", "--listen", "127.0.0.1:0") as (
        _,
        announced,
    ):
        address = announced["tracker"] + "#r1" + "a" * 32
        node = luckrig(
            tmp_path / "n", "node", "start", "--engine", "tiny", "--listen", "127.0.0.1:0",
            "--tracker", address,
        )  # fmt: skip
        assert node["error"]["code"] == "signature_invalid"
        assert httpx2.get(announced["tracker"] + "/api/v1/nodes").json()["total"] == 0


def test_owners_rules_apply_at_a_started_rig(tmp_path: Path) -> None:
    rules = tmp_path / "owner" / "rules"
    rules.mkdir(parents=True)
    rules.joinpath("fruit.toml").write_bytes(PACK)
    with running(tmp_path / "t", "tracker", "--allow-private", "--listen", "127.0.0.1:0") as (
        _,
        tracker,
    ):
        node_command = (
            "node", "start", "--engine", "tiny", "--name", "Attic", "--listen", "127.0.0.1:0",
            "--tracker", tracker["address"],
        )  # fmt: skip
        with running(tmp_path / "owner", *node_command) as (_, rig):
            assert status_on(tracker["tracker"], rig["node_id"], "available") == "available"
            token = luckrig(tmp_path / "u", "token", "Attic", "--tracker", tracker["address"])
            with openai.OpenAI(base_url=token["base_url"], api_key=token["token"]) as client:
                for text in ("apple and pear", "a nude 12 year old"):
                    with pytest.raises(openai.BadRequestError, match="category"):
                        client.chat.completions.create(
                            model="tiny", messages=[{"role": "user", "content": text}]
                        )
