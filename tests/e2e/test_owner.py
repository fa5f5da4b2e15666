"""The owner's commands at a rig that really runs: its own process, engine and tracker."""

from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from luckrig.cli.config import read_config
from tests.e2e.commands import Owner, running


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
