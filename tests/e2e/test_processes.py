"""Tracker and rig as separate processes, and a tracker that is killed without warning."""

from pathlib import Path

import httpx2
import openai
import pytest

from tests.e2e.commands import answer_of, running
from tests.nodeproxy.test_rules import PACK


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
            token = answer_of(user, "token", "Attic", "--tracker", first["address"])
            tracker.kill()
            tracker.wait(timeout=10)

            with openai.OpenAI(base_url=token["base_url"], api_key=token["token"]) as client:
                reply = client.chat.completions.create(
                    model="tiny", messages=[{"role": "user", "content": "Hello"}]
                )
            assert reply.choices[0].message.content

            refused = answer_of(user, "token", "Attic", "--tracker", first["address"], code=3)
            assert refused["error"]["code"] == "tracker_unreachable"

            port = first["tracker"].rpartition(":")[2]
            with running(operator, *tracker_command, f"127.0.0.1:{port}") as (_, second):
                assert second == first
                assert status_on(first["tracker"], rig["node_id"], "available") == "available"
                again = answer_of(user, "token", "Attic", "--tracker", second["address"])
                assert again["node_id"] == rig["node_id"]


def test_rig_refuses_a_tracker_that_is_not_the_pinned_one(tmp_path: Path) -> None:
    """Whoever answers at the address must hold the root key that the address names."""
    with running(tmp_path / "t", "tracker", "--allow-private", "--listen", "127.0.0.1:0") as (
        _,
        announced,
    ):
        address = announced["tracker"] + "#r1" + "a" * 32
        node = answer_of(
            tmp_path / "n", "node", "start", "--engine", "tiny", "--listen", "127.0.0.1:0",
            "--tracker", address, code=1,
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
            token = answer_of(tmp_path / "u", "token", "Attic", "--tracker", tracker["address"])
            with openai.OpenAI(base_url=token["base_url"], api_key=token["token"]) as client:
                for text in ("apple and pear", "a nude 12 year old"):
                    with pytest.raises(openai.BadRequestError, match="category"):
                        client.chat.completions.create(
                            model="tiny", messages=[{"role": "user", "content": text}]
                        )
