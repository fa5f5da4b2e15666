"""`luckrig replay`: played at the recorded speed, compared, exported, deleted; never obeyed."""

import io
import json
import re
import stat
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from luckrig.cli.home import Home
from luckrig.cli.replay.choosing import short_ids
from luckrig.cli.replay.player import Progress, Stage, paced
from luckrig.cli.replay.words import milliseconds
from luckrig.client.history.replay import (
    Piece,
    Replay,
    Rig,
    decode_replay,
    encode_replay,
    make_replay_id,
)
from luckrig.client.history.store import History
from tests.cli.conftest import AtKeyboard, Luckrig
from tests.cli.poison import POISON
from tests.cli.test_model_text import RAW, SELECTORS
from tests.cli.test_output import ATTACKS, assert_harmless
from tests.client.replays import CREATED_AT, NODE_ID, make_replay
from tests.e2e.terminals import ANSI, on_a_terminal

LONG_NAMES = Rig(
    node_id=NODE_ID,
    name="水冷 Mac mini in the kitchen",
    gpu="NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition",
    vram_bytes=96 << 30,
    engine="llama-server",
    model="Qwen/Qwen3-30B-A3B-Instruct-2507-GGUF",
    quantization="UD-Q4_K_XL",
    context_length=262_144,
)
WORDS = [f"{word} " for word in ("The sky scatters blue light. " * 12).split()]


class Clock:
    """Time that only passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 500.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(round(seconds, 3))


@pytest.fixture
def history(home: Home) -> History:
    """Four replays, the newest of them with all it takes to break a table."""
    history = History(home.history_folder, max_age_seconds=None)
    for number in range(3):
        history.write(make_replay(number), now=CREATED_AT)
    history.write(make_replay(3, texts=WORDS, rig=LONG_NAMES, outcome="cut"), now=CREATED_AT)
    return history


def played(
    replay: Replay, clock: Clock, *, speed: float = 1, start: float = 0
) -> list[tuple[float, str]]:
    """The pieces, and when since the beginning."""
    pieces = paced(replay.events, speed=speed, start_seconds=start, clock=clock, sleep=clock.sleep)
    return [(round(clock.now - 500, 3), piece.text) for piece in pieces]


def test_pieces_come_when_they_came() -> None:
    assert [at for at, _ in played(make_replay(), Clock())] == [0.15, 0.2, 0.25, 0.3]
    assert [at for at, _ in played(make_replay(), Clock(), speed=2)] == [0.075, 0.1, 0.125, 0.15]
    assert [at for at, _ in played(make_replay(), Clock(), start=0.22)] == [0, 0, 0.03, 0.08]
    assert played(make_replay(), Clock(), start=99)[-1] == (0, "blue light.\n")


def test_a_slow_terminal_does_not_make_it_longer() -> None:
    clock = Clock()
    pieces = paced(make_replay().events, speed=1, start_seconds=0, clock=clock, sleep=clock.sleep)
    for number, _ in enumerate(pieces):
        clock.now += 0.07 if number == 0 else 0
    assert clock.now == pytest.approx(500.3)
    assert clock.slept == [0.15, 0.03, 0.05]


def staged(events: Sequence[Piece], *, width: int = 20, live: bool = False) -> tuple[str, Console]:
    file = io.StringIO()
    console = Console(
        file=file, width=width, force_terminal=live, color_system=None, markup=False,
        highlight=False, emoji=False,
    )  # fmt: skip
    clock = Clock()
    below = Progress(make_replay(), speed=1, start_seconds=0, clock=clock) if live else None
    with Stage(console, below) as stage:
        for piece in events:
            stage.play(piece)
    return file.getvalue(), console


def pieces(*texts: str) -> list[Piece]:
    return [Piece(number, "text", text) for number, text in enumerate(texts)]


def test_words_are_wrapped_however_they_are_cut() -> None:
    text = "The sky scatters blue light.\n\nAnd a line that goes on\t漢字漢字漢字漢字漢字漢字 end"
    whole, _ = staged(pieces(text))
    assert whole.splitlines()[:4] == ["The sky scatters", "blue light.", "", "And a line that goes"]
    assert all(len(line) <= 20 for line in whole.splitlines())
    for size in (1, 2, 5):
        cut = [text[at : at + size] for at in range(0, len(text), size)]
        assert staged(pieces(*cut))[0].split() == whole.split()


def test_each_kind_has_its_heading() -> None:
    shown, _ = staged(
        [Piece(1, "reasoning", "hm"), Piece(2, "tool", "f\n{}"), Piece(3, "text", "Hi")]
    )
    assert shown.splitlines() == ["[reasoning]", "hm", "[tool]", "f", "{}", "[reply]", "Hi"]
    assert staged(pieces("Hi"))[0].splitlines() == ["Hi"]


@pytest.mark.parametrize("attack", [*ATTACKS, POISON, POISON[::-1], f"a{SELECTORS}b"])
@pytest.mark.parametrize("live", [False, True])
def test_nothing_in_a_reply_is_obeyed(attack: str, live: bool) -> None:
    for events in (pieces(attack), pieces(*attack)):
        shown, _ = staged(events, live=live, width=80)
        # What rich itself says: rows up, erase, cursor off and on, return.
        left = re.sub(r"\x1b\[(?:\?25[lh]|1A|2K|0m)", "", shown).replace("\r", "")
        assert not RAW & set(map(ord, left))
        assert SELECTORS[20] not in left


def test_progress_tells_time_and_speed() -> None:
    clock, replay = Clock(), make_replay()
    progress = Progress(replay, speed=2, start_seconds=0, clock=clock)
    assert str(progress.__rich__()) == "> 0 ms of 312 ms  waiting for the first token  2x"
    for piece in replay.events:
        progress.see(piece)
    clock.now += 0.01
    assert str(progress.__rich__()) == "> 300 ms of 312 ms  20.0 tok/s  2x"
    clock.now += 100
    assert progress.at_ms == 312.0


def test_a_list_fits_a_terminal(
    history: History, luckrig: Luckrig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns in ("60", "80", "100", "140"):
        monkeypatch.setenv("COLUMNS", columns)
        lines = luckrig("replay", "list").out.splitlines()
        assert len(lines) == 2 + 4
        assert lines[2].startswith("20260921-141323  水冷 M")
    listed = json.loads(luckrig("replay", "list", "--limit", "2", "--json").out)
    assert [each["title"] for each in listed["replays"]] == ["Why is the sky blue?"] * 2
    assert (listed["total"], listed["unreadable"]) == (4, [])
    assert "2 of 4" in luckrig("replay", "list", "--limit", "2").err


def test_a_list_says_what_it_leaves_out(history: History, luckrig: Luckrig) -> None:
    (history.folder / "bad\x1b]0;x.json").write_bytes(b"{")
    (history.folder / "bad.json").write_bytes(b"{")
    (history.folder / "bad.json").chmod(0o600)
    result = luckrig("replay", "list")
    assert result.code == 0
    assert "left out: bad.json isn't a replay" in result.err
    assert "isn't named like a replay" in result.err
    assert_harmless(result.out + result.err)


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_no_command_breaks_a_line_in_a_terminal(
    history: History, luckrig: Luckrig, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for args in (("list",), ("show",), ("play", "--speed", "1000"), ("compare", *history.ids())):
        result = luckrig("replay", *args)
        assert result.code == 0, result.err
        assert max(map(len, result.out.splitlines())) <= int(columns)


def test_a_replay_is_shown(history: History, luckrig: Luckrig) -> None:
    shown = luckrig("replay", "show", "20260921-141320").out
    for words in ("Attic 4090", "qwen3:8b, Q4_K_M, 32K context, ollama", "Why is the sky blue?",
                  "           In one line.", "reply      The sky scatters blue light.",
                  "seen here  first token 150 ms  20.0 tok/s  4 tokens",
                  "rig says   first token 110 ms  43.1 tok/s"):  # fmt: skip
        assert words in shown
    document = luckrig("replay", "show", "20260921-141320", "--json").out
    assert decode_replay(document.strip().encode()) == make_replay()


def test_a_replay_is_played(history: History, luckrig: Luckrig) -> None:
    out = luckrig("replay", "play", "20260921-141320", "--speed", "1000").out
    head, text = out.split("[reasoning]\n")
    assert "NVIDIA GeForce RTX 4090, 24 GiB" in head
    assert text.startswith("Rayleigh.\n[reply]\nThe sky scatters blue light.\n")
    assert "20.0 tok/s" in text
    lines = luckrig("replay", "play", "--speed", "1000", "--from", "9", "--json").out.splitlines()
    assert json.loads(lines[1]) == {"at_ms": 200.0, "kind": "text", "text": "The "}
    assert json.loads(lines[-1])["outcome"] == "cut"


def test_an_id_may_be_short_if_it_is_clear(history: History, luckrig: Luckrig) -> None:
    whole = make_replay(1).replay_id
    for text in (whole, whole[:-1], "20260921-141321"):
        assert json.loads(luckrig("replay", "show", text, "--json").out)["replay_id"] == whole
    many = luckrig("replay", "show", "20260921")
    assert (many.code, "4 replays" in many.err) == (1, True)
    for text in ("../x", "x\x1b[2J", "", "zz"):
        none = luckrig("replay", "show", text)
        assert (none.code, "No replay has an id that starts so" in none.err) == (1, True)
        assert_harmless(none.err)


def test_short_ids_are_clear() -> None:
    ids = [make_replay_id(CREATED_AT, salt) for salt in ("aaaaaa", "aaaaab", "bbbbbb")]
    other = make_replay_id(CREATED_AT + 5, "aaaaaa")
    short = short_ids([*ids, other])
    assert short[other] == other[:15]
    assert [short[each] for each in ids] == [ids[0], ids[1], ids[2][:-5]]
    for text in short.values():
        assert sum(each.startswith(text) for each in short) == 1


def test_without_replays_it_says_how_to_make_one(home: Home, luckrig: Luckrig) -> None:
    listed = luckrig("replay", "list")
    assert (listed.code, listed.out) == (0, "")
    assert "luckrig chat" in listed.err
    for command in ("play", "show"):
        result = luckrig("replay", command)
        assert (result.code, "luckrig connect" in result.err) == (1, True)
    assert json.loads(luckrig("replay", "list", "--json").out)["replays"] == []
    assert not home.history_folder.exists()


def test_replays_side_by_side(history: History, luckrig: Luckrig) -> None:
    history.write(
        make_replay(9, request=b'{"messages":[{"role":"user","content":"Else?"}]}'), now=CREATED_AT
    )
    same = luckrig("replay", "compare", *history.ids()[1:])
    assert (same.code, same.err) == (0, "")
    assert re.search(r"tok/s +20\.0 +20\.0 +20\.0 +20\.0", same.out)
    assert "Not the same prompt" in luckrig("replay", "compare", *history.ids()).err
    assert (
        json.loads(luckrig("replay", "compare", *history.ids(), "--json").out)["same_prompt"]
        is False
    )
    assert luckrig("replay", "compare", "last", history.ids()[0]).code == 2


def test_an_export_is_never_written_over_anything(
    history: History, luckrig: Luckrig, tmp_path: Path
) -> None:
    file, link = tmp_path / "a.json", tmp_path / "link.json"
    export = ("replay", "export", "20260921-141320", "-o")
    assert luckrig(*export, str(file)).code == 0
    assert decode_replay(file.read_bytes().strip()) == make_replay()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(b"mine")
    link.symlink_to(file)
    for path in (file, link):
        result = luckrig(*export, str(path), "--json")
        assert (result.code, "--force" in result.out) == (1, True)
    assert file.read_bytes() == b"mine"
    done = json.loads(luckrig(*export, str(link), "--force", "--json").out)
    assert done["bytes"] == link.stat().st_size
    assert (file.read_bytes(), link.is_symlink()) == (b"mine", False)
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "no" / "such", Path("a\x1b[2J/b")):
        result = luckrig(*export, str(path), "--force")
        assert result.code == 1
        assert_harmless(result.err)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.json",
        "folder",
        "home",
        "link.json",
    ]
    assert luckrig("replay", "export", "last", "--json").code == 2


def test_exports_go_to_stdout(history: History, luckrig: Luckrig) -> None:
    out = luckrig("replay", "export", "20260921-141320").out
    assert decode_replay(out.strip().encode()) == make_replay()
    lines = luckrig("replay", "export", "20260921-141320", "--format", "jsonl").out.splitlines()
    assert json.loads(lines[0])["rig"]["name"] == "Attic 4090"
    assert json.loads(lines[2]) == {"at_ms": 200.0, "kind": "text", "text": "The sky "}
    page = luckrig("replay", "export", "20260921-141320", "--format", "markdown", "-o", "-").out
    assert page.startswith("# Why is the sky blue?\n")
    assert "## Reply\n\n```text\nThe sky scatters blue light.\n```\n" in page


def test_markdown_of_strangers_is_text(history: History, luckrig: Luckrig) -> None:
    """No image is loaded, no heading faked, no code block left."""
    attack = "````\n# Faked\n<img src=//evil.example>\n```\n![x](http://evil.example/x.png)"
    name = Rig(node_id=NODE_ID, name="a|b](http://evil.example)<i>", model="![x](//e)")
    history.write(make_replay(7, texts=[attack], rig=name), now=CREATED_AT)
    page = luckrig("replay", "export", "last", "--format", "markdown").out
    assert f"`````text\n{attack}\n`````" in page
    outside = page.replace(attack, "")
    assert r"a\|b\]\(http\://evil.example\)\<i\>" in outside
    assert r"\!\[x\]\(//e\)" in outside


def test_replays_are_deleted_when_somebody_agrees(
    history: History, luckrig: Luckrig, typed: AtKeyboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert luckrig("replay", "delete", "last").code == 2  # nobody to ask
    assert luckrig("replay", "delete").code == 2
    assert luckrig("replay", "delete", "last", "--all", "--yes").code == 2
    monkeypatch.setattr("luckrig.cli.replay.command.can_ask", lambda: True)
    typed("n")
    refused = luckrig("replay", "delete", "last")
    assert (refused.code, "Nothing was deleted" in refused.err, len(history.ids())) == (1, True, 4)
    typed("y")
    assert luckrig("replay", "delete", "last").out == "Deleted 1 replay.\n"
    gone = json.loads(luckrig("replay", "delete", "last", "--yes", "--json").out)
    assert gone == {"deleted": [make_replay(2).replay_id]}
    assert luckrig("replay", "delete", "--all", "--yes").out == "Deleted 2 replays.\n"
    assert history.ids() == []


def poisoned() -> Replay:
    """Hostile text in every field that takes any."""
    rig = {
        name: POISON[:200] for name in ("name", "gpu", "engine", "model", "family", "quantization")
    }
    request = {
        "instructions": POISON,
        "messages": [
            {"role": POISON, "content": POISON},
            {"role": "user", "content": f"{POISON}![x](http://evil.example/x.png)"},
        ],
    }
    replay = make_replay(
        5, texts=[POISON, *POISON], thought=POISON, request=json.dumps(request).encode()
    )
    changes = {
        "rig": msgspec.structs.replace(replay.rig, **rig),
        "tracker": POISON[:300],
        "title": POISON[:120].replace("\ud800", ""),
        "outcome": "failed",
        "error_code": POISON[:64],
        "usage": msgspec.Raw(msgspec.json.encode({POISON: POISON})),
        "timing": msgspec.Raw(b'{"a"\r\n:\r1}'),
    }
    return msgspec.structs.replace(replay, **changes)


@pytest.mark.parametrize("columns", ["40", "80", ""])
def test_no_field_of_a_replay_steers_a_terminal(
    history: History, luckrig: Luckrig, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    history.write(poisoned(), now=CREATED_AT)
    commands = (
        ("list",),
        ("show",),
        ("play", "--speed", "1000"),
        ("compare", "last", history.ids()[1]),
    )
    for args in commands:
        for options in ((), ("--json",)):
            result = luckrig("replay", *args, *options)
            assert result.code == 0, result.err
            assert_harmless(result.out + result.err)
            # No text looks like a line of ours; but what is played is the reply itself.
            lines = (result.out + result.err).splitlines()
            assert args[0] == "play" or not any(line.startswith("  reason") for line in lines)
    for form in ("json", "jsonl", "markdown"):
        assert_harmless(luckrig("replay", "export", "last", "--format", form).out)


def test_it_plays_on_a_terminal_and_leaves_it_as_it_was(home: Home, history: History) -> None:
    history.write(make_replay(6, texts=[*WORDS, POISON]), now=CREATED_AT)
    command = ("replay", "play", "last", "--speed", "20")
    with on_a_terminal(home.path, *command) as terminal:
        screen = terminal.rest()
        assert terminal.process.wait(15) == 0
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") == 1
    text = ANSI.sub("", screen)
    assert not RAW - {ord("\r")} & set(map(ord, text))
    assert "␛]52;c;" in text
    assert "tok/s" in text
    assert text.rstrip().endswith("complete")


def test_ctrl_c_ends_it_cleanly(home: Home, history: History) -> None:
    """In the middle of a wait of an hour."""
    replay = make_replay(6, texts=["The sky ", "is"], step=3600)
    history.write(replay, now=CREATED_AT)
    with on_a_terminal(home.path, "replay", "play", "last", "--from", "3600.2") as terminal:
        terminal.expect(r"The sky")
        terminal.type("\x03")
        screen = terminal.rest()
        assert terminal.process.wait(15) == 130
    assert "\x1b[?25h" in screen
    text = ANSI.sub("", screen)
    assert "The sky" in text
    assert text.rstrip().endswith("stopped")
    assert "Traceback" not in text


def test_spans_are_short() -> None:
    spans = [None, 0, 999.4, 999.6, 9_990, 12_345, 99_960, 185_000, 1e9]
    assert list(map(milliseconds, spans)) == [
        "–", "0 ms", "999 ms", "1.00 s", "9.99 s", "12.3 s", "1 min 40 s", "3 min 5 s",
        "16,666 min 40 s",
    ]  # fmt: skip


def test_a_file_of_another_writer_is_listed_too(history: History, luckrig: Luckrig) -> None:
    """A browser may write the fields in another order, with white space."""
    fields = dict(reversed(json.loads(encode_replay(make_replay(8))).items()))
    path = history.folder / f"{make_replay(8).replay_id}.json"
    path.write_text(json.dumps(fields, indent=1))
    path.chmod(0o600)
    listed = json.loads(luckrig("replay", "list", "--limit", "1", "--json").out)
    assert listed["replays"][0]["replay_id"] == path.stem
