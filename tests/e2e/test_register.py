"""`luckrig register` as somebody with an idle machine types it: real processes, a real engine."""

import json
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from luckrig.cli.config import read_config
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from tests.e2e.commands import COMMAND, Owner, environ, finished, running
from tests.e2e.terminals import on_a_terminal

NOT_A_TRACKER = derive_id("r1", PrivateKey(b"none" * 8).public)
ON_THE_MAP_SECONDS = 5.0


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A tracker's own announcement: `tracker` is its origin, `address` with its key."""
    home = tmp_path_factory.mktemp("tracker")
    with running(home, "tracker", "--allow-private", "--listen", "127.0.0.1:0") as (_, announced):
        yield announced


@pytest.mark.timeout(60)  # a dozen processes start in turn
def test_a_rig_gets_on_the_map_streams_and_drains_politely(tmp_path: Path, tracker: Any) -> None:
    origin = tracker["tracker"]
    register = ("register", origin, "--engine", "tiny", "--yes", "--name", "Attic")
    with running(tmp_path / "owner", *register) as (process, announced):
        assert announced["status"] in ("available", "busy")
        assert announced["tracker"] == tracker["address"]
        assert announced["base_url"] == f"{origin}/n/{announced['node_id']}/v1"
        guest = Owner(tmp_path / "guest", tracker["address"])
        node = guest.node(announced["node_id"])
        assert (node["name"], node["status"]) == ("Attic", "available")
        assert node["last_seen_at"] - node["listed_at"] <= ON_THE_MAP_SECONDS

        # Another rig of the same home is refused before it asks or publishes anything.
        second = finished(tmp_path / "owner", *register)
        assert second.returncode == 1
        assert "A rig runs already" in second.stderr

        _drain_during_a_stream(process, guest)
        assert process.wait(15) == 0


def _drain_during_a_stream(process: "subprocess.Popen[str]", guest: Owner) -> None:
    """The stream that runs ends whole, a new request is refused."""
    client, model = guest.client("Attic")

    def ask() -> openai.Stream[Any]:
        return client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "Tell me a long story."}],
            stream=True,
        )

    whole = len([*ask()])
    assert whole > 5, "the stock client streams through the relay"
    with client, _engine_that_can_be_held(process) as engine:
        stream = iter(ask())
        chunks = [next(stream)]
        engine.suspend()  # in the middle of its reply, for as long as the test needs
        process.send_signal(signal.SIGINT)
        while _code_of_refusal(ask) is None:
            pass  # the signal takes a moment
        assert _code_of_refusal(ask) == "rig_paused"
        assert process.poll() is None
        engine.resume()
        chunks += stream
        assert chunks[-1].choices[0].finish_reason in ("stop", "length")


@contextmanager
def _engine_that_can_be_held(
    process: "subprocess.Popen[str]",
) -> Generator[psutil.Process, None, None]:
    (engine,) = psutil.Process(process.pid).children()
    try:
        yield engine
    finally:
        if engine.is_running():
            engine.resume()


def _code_of_refusal(ask: Callable[[], openai.Stream[Any]]) -> str | None:
    """The error that a new request gets; None when it is taken."""
    try:
        ask().close()
    except openai.InternalServerError as error:
        return error.code
    return None


@pytest.mark.timeout(60)
def test_choices_and_the_trackers_key_are_remembered(tmp_path: Path, tracker: Any) -> None:
    home, origin = tmp_path / "home", tracker["tracker"]
    first = ("register", origin, "--engine", "tiny", "--yes", "--name", "Attic", "--max-queue", "3")
    with running(home, *first) as (process, announced):
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    kept = read_config(home / "config.toml")
    assert (kept.rig.tracker, kept.rig.name, kept.rig.tunnel) == (tracker["address"], "Attic", True)
    assert kept.limits.max_queue == 3
    assert kept.rig.engine is None, "tiny is for trying"
    with running(home, "register", "--engine", "tiny", "--yes") as (_, again):
        assert again["node_id"] == announced["node_id"]
        status = Owner(home, "x").ask("node", "status")
        assert (status["name"], status["max_queue"]) == ("Attic", 3)

    # Somebody else answers at the address: refused, with both keys and what to do.
    text = (home / "config.toml").read_text("utf-8")
    pinned = text.replace(tracker["address"], f"{origin}#{NOT_A_TRACKER}")
    (home / "config.toml").write_text(pinned, "utf-8")
    for tracker_arguments in ((), (origin,)):
        refused = finished(home, "register", *tracker_arguments, "--engine", "tiny", "--yes")
        assert refused.returncode == 1
        real = tracker["address"].partition("#")[2]
        assert real in refused.stderr
        assert NOT_A_TRACKER in refused.stderr
        assert f"luckrig register '{tracker['address']}'" in refused.stderr
    assert (home / "config.toml").read_text("utf-8") == pinned
    with running(home, "register", tracker["address"], "--engine", "tiny", "--yes"):
        assert read_config(home / "config.toml").rig.tracker == tracker["address"]


def test_without_a_terminal_somebody_must_have_said_yes(tmp_path: Path, tracker: Any) -> None:
    done = finished(tmp_path, "register", tracker["tracker"], "--engine", "tiny")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--yes" in done.stderr
    assert not (tmp_path / "config.toml").exists()


def test_an_engine_that_is_not_there_is_3(tmp_path: Path, tracker: Any) -> None:
    command = ("register", tracker["tracker"], "--engine", "http://127.0.0.1:9")
    done = finished(tmp_path, *command)
    assert done.returncode == 3
    assert "--engine tiny" in done.stderr
    assert "On the map" in done.stderr, "the tracker was asked what is scarce"
    assert "\x1b" not in done.stderr
    as_json = finished(tmp_path, *command, "--json")
    assert as_json.returncode == 3
    assert json.loads(as_json.stdout)["error"]["code"] == "engine_unavailable"
    alone = finished(tmp_path, "register", "http://127.0.0.1:9", "--engine", "http://127.0.0.1:9")
    assert alone.returncode == 3
    assert "On the map" not in alone.stderr


def test_plain_says_a_line_for_each_change(tmp_path: Path, tracker: Any) -> None:
    process = subprocess.Popen(  # noqa: S603 -- our own command line
        [*COMMAND, "register", tracker["tracker"], "--engine", "tiny", "--yes"],
        env=environ(tmp_path), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].endswith("  on the map\n"):
        lines.append(process.stdout.readline())
        assert lines[-1], process.communicate()[1]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 0
    assert "\x1b" not in "".join(lines) + out + err


@pytest.mark.timeout(60)
def test_a_newcomer_answers_three_questions_and_sees_the_dashboard(
    tmp_path: Path, tracker: Any
) -> None:
    with on_a_terminal(tmp_path, "register", tracker["tracker"], "--engine", "tiny") as terminal:
        terminal.expect(r"Name on the map \[[^\]]* rig\]")
        terminal.type("\u0430ttic\n")  # a Cyrillic letter in a Latin word
        terminal.expect(r"mixes the letters")
        terminal.expect(r"Name on the map")
        terminal.type("Porch\n")
        terminal.expect(r"Tuning note")
        terminal.type("Mind the cat.\n")
        screen = terminal.expect(r"Put it on the map\?")
        assert "Mind the cat." in screen
        assert "taken on trust" in screen
        assert "tiny" in screen
        terminal.type("\n")
        terminal.expect(r"Porch.*on the map[\s\S]*Ctrl-C drains")
        guest = Owner(tmp_path / "guest", tracker["address"])
        client, model = guest.client("Porch")
        with client:
            reply = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": "Hi"}], max_tokens=4
            )
            assert reply.choices
        terminal.expect(r"Served +1 since")
        terminal.type("\x03")
        terminal.rest()
        assert terminal.process.wait(15) == 0
    kept = read_config(tmp_path / "config.toml").rig
    assert (kept.name, kept.note) == ("Porch", "Mind the cat.")


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("\x03", 130), ("\x04", 130)])
def test_no_means_no(answer: str, code: int, tmp_path: Path, tracker: Any) -> None:
    command = ("register", tracker["tracker"], "--engine", "tiny", "--name", "A", "--note", "")
    with on_a_terminal(tmp_path, *command) as terminal:
        terminal.expect(r"Put it on the map\?")
        terminal.type(answer)
        terminal.rest()
        assert terminal.process.wait(15) == code
    assert not (tmp_path / "config.toml").exists()


@pytest.mark.timeout(60)
def test_ctrl_c_twice_ends_it_although_a_stream_runs(tmp_path: Path, tracker: Any) -> None:
    register = ("register", tracker["address"], "--engine", "tiny", "--yes", "--name", "Shed")
    with running(tmp_path / "owner", *register) as (process, _):
        client, model = Owner(tmp_path / "guest", tracker["address"]).client("Shed")
        with client, _engine_that_can_be_held(process) as engine:
            stream = client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": "Tell me a long story."}],
                stream=True,
            )
            next(iter(stream))
            engine.suspend()
            process.send_signal(signal.SIGINT)
            while Owner(tmp_path / "owner", "x").ask("node", "status")["reason"] != "draining":
                pass
            process.send_signal(signal.SIGINT)
            with pytest.raises(openai.APIError):
                for _ in stream:
                    pass
            engine.resume()
        assert process.wait(15) == 130
