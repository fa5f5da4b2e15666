"""`luckrig chat` as a process: pipes, JSON, a terminal, Ctrl-C; a real tracker and a real rig."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from tests.cli.test_output import random_bytes
from tests.client.stand_in_network import Rig as SealedRig
from tests.client.stand_in_network import World, scene
from tests.e2e.commands import COMMAND, environ
from tests.e2e.rig_field import MODEL, EngineRoom, Field, Stall, rig_field
from tests.e2e.terminals import Terminal, on_a_terminal
from tests.fake_engines.knobs import REPLY, AtOnce, OnDemand
from tests.fake_engines.llama_server import FakeLlamaServer

SAID = "".join(REPLY)
WHO_READS = "The rig that answers can read what you send"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """One rig for all of them."""
    with rig_field(tmp_path_factory.mktemp("chat"), FakeLlamaServer(slots=1)) as found:
        yield found


@pytest.fixture
def rig(field: Field) -> Stall:
    """The first one, well again."""
    stall = field.rigs[0]
    reply: list[str] = [*REPLY]
    stall.engine.pace, stall.engine.reply, stall.engine.fault = AtOnce(), reply, None
    return stall


def run_chat(
    field: Field, *args: str, stdin: str = "", home: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """In a pipe."""
    return subprocess.run(  # noqa: S603 -- our own command line
        [*COMMAND, "chat", *args, "--tracker", field.user.tracker],
        env=environ(home or field.user.home), input=stdin, text=True, capture_output=True,
        check=False, timeout=30,
    )  # fmt: skip


def test_a_pipe_gets_the_reply_alone(field: Field, rig: Stall) -> None:
    done = run_chat(field, f"{MODEL}@Attic", "Summarise", "this:", stdin="A long text.\n")
    assert (done.returncode, done.stdout) == (0, f"{SAID}\n"), done.stderr
    for words in (WHO_READS, "Attic", rig.node_id[:10], "Q4_K_M", "10 tokens", "tok/s", "first"):
        assert words in done.stderr
    asked = rig.asked
    assert asked["messages"] == [{"role": "user", "content": "Summarise this:\n\nA long text."}]


def test_the_first_turn_makes_a_key_and_every_turn_a_replay(
    field: Field, rig: Stall, tmp_path: Path
) -> None:
    first = run_chat(field, f"{MODEL}@Attic", "Hello", home=tmp_path)
    assert "Made your key" in first.stderr
    second = run_chat(field, "-m", f"{MODEL}@Attic", "Again", "--no-replays", home=tmp_path)
    assert "Made your key" not in second.stderr
    kept = list((tmp_path / "history").iterdir())
    assert len(kept) == 1
    shown = subprocess.run(  # noqa: S603 -- our own command line
        [*COMMAND, "replay", "show", "last"], env=environ(tmp_path), text=True,
        capture_output=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    for words in ("Attic", "Hello", SAID, "complete"):
        assert words in shown


def test_json_is_a_line_for_each_event(field: Field, rig: Stall) -> None:
    done = run_chat(
        field, f"{MODEL}@Attic", "Hi", "--json", "--system", "Be brief.", "--temperature", "0.5",
        "--max-tokens", "50",
    )  # fmt: skip
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["event"] == "rig"
    assert events[0]["rig"]["node_id"] == rig.node_id
    pieces = [each for each in events if each["event"] == "piece"]
    assert "".join(each["text"] for each in pieces) == SAID
    assert [each["at_ms"] for each in pieces] == sorted(each["at_ms"] for each in pieces)
    end = events[-1]
    assert (end["event"], end["outcome"], end["finish_reason"]) == ("end", "complete", "stop")
    assert end["figures"]["completion_tokens"] == len(REPLY)
    assert (field.user.home / "history" / f"{end['replay']}.json").exists()
    asked = rig.asked
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert asked["temperature"] == 0.5


def test_what_is_wrong_is_one_line_and_an_exit_code(field: Field, rig: Stall) -> None:
    missing = run_chat(field, "qwen3:80b", "Hi")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert f"There is: {MODEL}" in missing.stderr
    nobody = run_chat(field, "--gpu", "RTX 5090", "Hi", "--json")
    assert json.loads(nobody.stdout.splitlines()[-1])["error"]["code"] == "node_not_found"
    assert run_chat(field).returncode == 2
    assert "no UTF-8" in _run_bytes(field, b"\xff\xfe")


def _run_bytes(field: Field, stdin: bytes) -> str:
    done = subprocess.run(  # noqa: S603 -- our own command line
        [*COMMAND, "chat", "--tracker", field.user.tracker], env=environ(field.user.home),
        input=stdin, capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    return done.stderr.decode()


def test_a_broken_reply_fails_and_what_came_is_kept(field: Field, rig: Stall) -> None:
    rig.engine.fault = "reset"
    done = run_chat(field, f"{MODEL}@Attic", "Hi")
    assert done.returncode == 1
    assert done.stdout.startswith("Hello")
    assert "error:" in done.stderr
    newest = max((field.user.home / "history").iterdir())
    replay = json.loads(newest.read_bytes())
    assert (replay["outcome"], replay["events"][0][2]) == ("failed", "Hello")


def test_timing_is_shared_on_request_and_shown_before(field: Field, rig: Stall) -> None:
    assert "ttft_ms=" not in run_chat(field, f"{MODEL}@Attic", "Hi").stderr
    done = run_chat(field, f"{MODEL}@Attic", "Hi", "--share-timing")
    assert re.search(r"ttft_ms=[\d.]+ generation_ms=[\d.]+ go to the tracker", done.stderr)


def test_ctrl_c_in_a_pipe_frees_the_slot_and_keeps_what_came(field: Field, rig: Stall) -> None:
    pace = OnDemand()
    rig.engine.pace = pace
    process = subprocess.Popen(  # noqa: S603 -- our own command line
        [*COMMAND, "chat", f"{MODEL}@Attic", "Hi", "--tracker", field.user.tracker],
        env=environ(field.user.home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    rig.room.call(lambda: pace.allow(2))
    assert process.stdout.read(6) == "Hello!"
    process.send_signal(signal.SIGINT)
    rig.left()
    process.communicate(timeout=15)
    assert process.returncode == 130
    newest = max((field.user.home / "history").iterdir())
    assert json.loads(newest.read_bytes())["outcome"] == "cut"


class RealTime(World):
    """For a client in another process."""

    def clock(self) -> float:
        """Unix seconds."""
        return time.time()


def test_sealed_both_ways(field: Field, tmp_path: Path) -> None:
    """At rigs that open sealed requests; the tracker and the wire see none of it."""
    room = EngineRoom()
    place = scene(SealedRig(1, world := RealTime()), world=world)
    there = room.run(place.__aenter__())
    try:
        done = subprocess.run(  # noqa: S603 -- our own command line
            [*COMMAND, "chat", "--subtext", MODEL, "Hi", "--tracker", there.tracker.origin],
            env=environ(tmp_path), stdin=subprocess.DEVNULL, text=True, capture_output=True,
            check=False, timeout=30,
        )  # fmt: skip
    finally:
        room.run(place.__aexit__(None, None, None))
        room.close()
    assert (done.returncode, done.stdout) == (0, "Hello, world!\n"), done.stderr
    assert "Sealed to the rig" in done.stderr
    assert "  sealed" in done.stderr
    assert there.rigs[0].asked[0].json["messages"][0]["content"] == "Hi"
    [kept] = (tmp_path / "history").iterdir()
    assert json.loads(kept.read_bytes())["mode"] == "subtext"


def chat_on_a_terminal(field: Field, *args: str) -> tuple[str, ...]:
    """The command line."""
    return ("chat", f"{MODEL}@Attic", *args, "--tracker", field.user.tracker)


def test_a_conversation_at_a_terminal(field: Field, rig: Stall, tmp_path: Path) -> None:
    with on_a_terminal(field.user.home, *chat_on_a_terminal(field)) as terminal:
        opening = terminal.expect("> ")
        assert WHO_READS in opening
        _say(terminal, "Hello there")
        first = terminal.expect(r"10 tokens .*tok/s[^\n]*\n[^>]*> ")
        assert "Attic" in first
        assert SAID in first
        _say(terminal, "And now?")
        second = terminal.expect(r"10 tokens .*tok/s[^\n]*\n[^>]*> ")
        assert rig.node_id[:10] not in second  # the rig is said once
        roles = [each["role"] for each in rig.asked["messages"]]
        assert roles == ["user", "assistant", "user"]
        _say(terminal, f"/save {tmp_path / 'talk.json'}")
        terminal.expect("Wrote")
        terminal.expect("> ")
        _say(terminal, "/quit")
        assert terminal.process.wait(15) == 0
    saved = json.loads((tmp_path / "talk.json").read_text("utf-8"))
    assert [each["content"] for each in saved["messages"]] == [
        "Hello there",
        SAID,
        "And now?",
        SAID,
    ]


def test_ctrl_c_stops_the_reply_and_the_conversation_goes_on(field: Field, rig: Stall) -> None:
    pace = OnDemand()
    rig.engine.pace = pace
    with on_a_terminal(field.user.home, *chat_on_a_terminal(field)) as terminal:
        terminal.expect("> ")
        _say(terminal, "Tell me everything")
        rig.room.call(lambda: pace.allow(2))
        terminal.expect("Hello!")
        terminal.type("\x03")
        rig.left()  # at the engine
        terminal.expect(r"stopped")
        terminal.expect("> ")
        rig.engine.pace = AtOnce()
        _say(terminal, "Go on")
        terminal.expect(r"10 tokens")
        terminal.expect("> ")
        heard = rig.asked["messages"]
        assert [each["content"] for each in heard] == ["Tell me everything", "Hello!", "Go on"]
        terminal.type("\x03")
        terminal.expect("Ctrl-C again")
        terminal.type("\x04")
        assert terminal.process.wait(15) == 0


def test_a_conversation_stays_with_its_rig_until_that_is_gone(tmp_path: Path) -> None:
    """At a tracker that asks new keys for work first."""
    engines = (FakeLlamaServer(), FakeLlamaServer())
    work = {"LUCKRIG_TRACKER_REGISTRATION_WORK": "6"}
    with (
        rig_field(tmp_path, *engines, tracker_variables=work) as field,
        on_a_terminal(field.user.home, "chat", MODEL, "--tracker", field.user.tracker) as terminal,
    ):
        terminal.expect("> ")
        _say(terminal, "One")
        terminal.expect("10 tokens")
        for text in ("Two", "Three"):
            terminal.expect("> ")
            _say(terminal, text)
            terminal.expect("10 tokens")
        [first] = [each for each in field.rigs if each.chats]
        [other] = [each for each in field.rigs if not each.chats]
        first.kill()
        terminal.expect("> ")
        _say(terminal, "Four")
        assert other.name in terminal.expect(f"{first.name} is gone(?:.|\n)*10 tokens")
        said = [each["content"] for each in other.asked["messages"]]
        assert said == ["One", SAID, "Two", SAID, "Three", SAID, "Four"]
        terminal.type("\x04")
        assert terminal.process.wait(15) == 0


def test_pasted_lines_are_one_message(field: Field, rig: Stall) -> None:
    with on_a_terminal(field.user.home, *chat_on_a_terminal(field)) as terminal:
        terminal.expect("> ")
        terminal.type("one\ntwo\nthree\n")
        terminal.expect("10 tokens")
        assert rig.asked["messages"][-1]["content"] == "one\ntwo\nthree"
        terminal.expect("> ")
        terminal.type('"""\n')
        terminal.expect(r"\. ")
        terminal.type("four\n")
        terminal.expect(r"\. ")
        terminal.type('five"""\n')
        terminal.expect("10 tokens")
        assert rig.asked["messages"][-1]["content"] == "four\nfive"


def test_a_queue_is_shown_while_it_lasts(field: Field, rig: Stall) -> None:
    """The engine's one place is taken, so the terminal shows when it will be free."""
    pace = OnDemand()
    rig.engine.pace = pace
    other = subprocess.Popen(  # noqa: S603 -- our own command line
        [*COMMAND, "chat", f"{MODEL}@Attic", "Hi", "--tracker", field.user.tracker],
        env=environ(field.user.home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        rig.room.call(lambda: pace.allow(1))
        assert other.stdout is not None
        assert other.stdout.read(5) == "Hello"
        with on_a_terminal(field.user.home, *chat_on_a_terminal(field, "Me too")) as terminal:
            terminal.expect("next in the queue")
            rig.room.call(lambda: pace.allow(1000))
            terminal.expect("10 tokens")
            assert terminal.process.wait(15) == 0
    finally:
        rig.room.call(lambda: pace.allow(1000))
        other.communicate(timeout=15)


@pytest.mark.parametrize("columns", [80, 120])
def test_a_hostile_model_changes_nothing_on_a_terminal(
    field: Field, rig: Stall, columns: int
) -> None:
    """What is left when the sequences are taken away that rich itself writes holds no control."""
    rig.engine.reply = hostile_pieces()
    arguments = chat_on_a_terminal(field, "Hi")
    with on_a_terminal(field.user.home, *arguments, columns=columns) as terminal:
        screen = terminal.rest()
        assert terminal.process.wait(30) == 0
    assert "tok/s" in screen
    plain = OF_RICH.sub("", screen)
    assert CONTROL.findall(plain.replace("\r", "")) == []
    piped = run_chat(field, f"{MODEL}@Attic", "Hi").stdout
    assert CONTROL.findall(piped) == []


def hostile_pieces() -> list[str]:
    """10,000 hostile texts, cut into 5,000 pieces anywhere."""
    text = "".join(data.decode("latin-1") for data in random_bytes(10_000))
    rng = Random(7)  # noqa: S311 -- cuts a text
    edges = sorted(rng.sample(range(1, len(text)), 4_999))
    return [text[a:b] for a, b in pairwise([0, *edges, len(text)])]


OF_RICH = re.compile(r"\x1b\[(?:\?25[hl]|[0-9;]{0,12}m|1A|2K)")
"""Cursor off and on, colours, one line up, and a line emptied."""


def _say(terminal: Terminal, text: str) -> None:
    terminal.type(f"{text}\n")
