"""What `luckrig chat` and `luckrig race` decide and draw, without a network."""

import asyncio
import io
import os
import pty
import re
from collections.abc import Iterator
from itertools import pairwise
from random import Random

import msgspec
import pytest
from rich.console import Console

from luckrig.cli.chat.keyboard import Interrupted, Interrupts, Keyboard
from luckrig.cli.chat.options import Wishes
from luckrig.cli.chat.screens import LiveScreen, PipeScreen, Progress
from luckrig.cli.chat.targets import read_target
from luckrig.cli.chat.turn import Found
from luckrig.cli.chat.words import place
from luckrig.cli.race.lanes import Lane, lanes_of, line_up
from luckrig.cli.race.results import winners
from luckrig.cli.race.view import MIN_PANEL_COLUMNS, grid, render
from luckrig.client.chat_events import Waiting
from luckrig.client.history.recorder import Recorder
from luckrig.client.history.replay import Figures, Kind, Outcome, Piece, Rig
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.wire import NodeView
from tests.cli.test_output import ATTACKS, random_bytes
from tests.client.replays import asked
from tests.client.stand_in_network import Rig as StandInRig
from tests.client.stand_in_network import World

RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
OF_RICH = re.compile(r"\x1b\[(?:\?25[hl]|[0-9;]{0,12}m|1A|2K)|\r")


def the_map(*names: str, models: tuple[str, ...] = ("qwen3:8b",)) -> list[NodeView]:
    """Rigs with these names."""
    world = World()
    return [
        StandInRig(number, world, name=name, models=models).view
        for number, name in enumerate(names, start=1)
    ]


def hostile_pieces() -> list[str]:
    """10,000 hostile texts as 10,000 pieces, cut anywhere."""
    text = "".join(data.decode("latin-1") for data in random_bytes(10_000)) + "".join(ATTACKS)
    edges = sorted(Random(7).sample(range(1, len(text)), 9_999))  # noqa: S311 -- cuts a text
    return [text[a:b] for a, b in pairwise([0, *edges, len(text)])]


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("qwen3:8b", "qwen3:8b"),
        ("Qwen3-8B", "Qwen3-8B"),  # another spelling of what is there
        ("qwen3:8b@n1abcd", "qwen3:8b@n1abcd"),
        ("qwen3:80b", "qwen3:80b"),  # a slip: told, not sent
        ("org/name:Q4_K_M", "org/name:Q4_K_M"),
        ("luckrig/auto", "luckrig/auto"),
        ("Attic 4090", "luckrig/auto@Attic 4090"),
        ("n1abcdefgh", "luckrig/auto@n1abcdefgh"),
        ("summarise", None),
        ("Why is the sky blue?", None),
        ("mail a@b.example now", None),
        ("https://example.org/a:b c", None),
        ("translate: good morning", None),
        ("n1", None),
        ("", None),
        ("x" * 5_000, None),
    ],
)
def test_a_first_word_names_a_model_or_a_rig_or_begins_the_prompt(
    text: str, target: str | None
) -> None:
    assert read_target(text, the_map("Attic 4090")) == target


def test_places_are_told_in_words() -> None:
    assert place(1, None) == "next in the queue"
    assert place(3, 12.4) == "place 3 in the queue, about 12 s"
    assert place(3, 400) == "place 3 in the queue, about 6 min 40 s"


def test_the_line_below_tells_what_is_waited_for_and_then_the_speed() -> None:
    now = [100.0]
    progress = Progress(lambda: now[0])
    rig = Rig(node_id="n1" + "a" * 32, name="Attic\x1b[2J", model="qwen3:8b")
    now[0] += 1.5
    assert progress.words == "looking for a rig  1.50 s"
    progress.see(Found(rig=rig, subtext=False))
    assert progress.words == "waiting for Attic␛[2J  1.50 s"
    progress.see(Waiting(position=2, eta_seconds=9, ticket="t"))
    assert progress.words.startswith("place 2 in the queue, about 9 s")
    for number in range(5):
        progress.see(Piece(1_000 + number * 100, "text", "a"))
    assert progress.words == "10.0 tok/s  ≥5 tokens  1.50 s"


@pytest.mark.timeout(90)  # 10,000 rows that are drawn; 4 s on an idle core
@pytest.mark.parametrize(("columns", "pieces"), [(40, 1_000), (80, 10_000)])
def test_no_control_of_10000_hostile_pieces_reaches_a_terminal(columns: int, pieces: int) -> None:
    file = io.StringIO()
    console = Console(
        file=file, force_terminal=True, width=columns, height=24, markup=False, highlight=False
    )
    rig = Rig(node_id="n1" + "a" * 32, name="\x1b]0;owned\x07", model="\x9b31m")
    with LiveScreen(console, clock=lambda: 1.0, known=None, hint="") as screen:
        screen.see(Found(rig=rig, subtext=False))
        for number, text in enumerate(hostile_pieces()[:pieces]):
            kind: Kind = "reasoning" if number < 100 else "tool" if number < 200 else "text"
            screen.see(Piece(float(number), kind, text))
    assert RAW.findall(OF_RICH.sub("", file.getvalue())) == []


def test_nor_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with PipeScreen() as screen:
        screen.see(Piece(0.0, "reasoning", "\x1b[2Jthought"))
        for number, text in enumerate(hostile_pieces()):
            screen.see(Piece(float(number), "text", text))
    printed = capsys.readouterr()
    assert RAW.findall(printed.out + printed.err) == []
    assert "[reasoning]\n␛[2Jthought" in printed.err
    assert printed.out.endswith("\n")


def test_nor_the_panels_of_a_race() -> None:
    [candidate, _] = line_up(["luckrig/auto"], the_map("a\x1b[2J", "b"), Wishes())
    lane = Lane(1, candidate)
    for number, text in enumerate(hostile_pieces()):
        lane.see(Piece(float(number), "text", text))
    lane.end(LuckrigError("rig_lost", "Gone\x1b]52;c;\x07."))
    file = io.StringIO()
    console = Console(file=file, width=80, color_system=None, markup=False, highlight=False)
    console.print(render([lane, lane], console, across=2, lines=12))
    assert RAW.findall(file.getvalue()) == []
    assert len(lane.tail) <= 12_000


def test_a_line_up_takes_each_rig_once() -> None:
    rigs = the_map("Attic", "Barn", "Cellar", "Den", "Eaves")
    assert len(line_up(["qwen3:8b"], rigs, Wishes())) == 4
    twice = line_up(["qwen3:8b", "qwen3:8b", "Attic"], rigs, Wishes())
    assert len({each.rig.id for each in twice}) == 3
    same = line_up(["Attic", f"qwen3:8b@{rigs[0].id}"], rigs, Wishes())
    assert {each.rig.name for each in same} == {"Attic"}
    for words, code in (
        (["Attic"], "invalid_request"),
        (["qwen3:8b"] * 7, "invalid_request"),
        (["Attic", "mistral"], "model_not_found"),
        (["Attic", "n1zzzz"], "node_not_found"),
    ):
        with pytest.raises(LuckrigError) as raised:
            line_up(words, rigs, Wishes())
        assert raised.value.code == code


def test_only_whole_replies_win_and_ties_nobody() -> None:
    lanes = lanes_of(line_up(["luckrig/auto"], the_map("a", "b", "c"), Wishes()))
    figures = Figures(total_ms=0, ttft_ms=50)
    totals: list[tuple[float, Outcome]] = [(300, "complete"), (200, "complete"), (10, "cut")]
    for lane, (total_ms, outcome) in zip(lanes, totals, strict=True):
        lane.replay = msgspec.structs.replace(
            Recorder(asked(), sent_at=0).end(outcome, 0),
            figures=msgspec.structs.replace(figures, total_ms=total_ms),
        )
    best = winners(lanes)
    assert best["total_ms"] == 2
    assert best["ttft_ms"] is None


@pytest.mark.parametrize(
    ("count", "columns", "lines", "expected"),
    [
        (2, 80, 24, (2, 14)),
        (3, 80, 24, (2, 11)),
        (4, 120, 30, (2, 14)),
        (6, 120, 40, (3, 14)),
        (3, 120, 24, (3, 14)),
        (2, 2 * MIN_PANEL_COLUMNS - 1, 24, None),
        (6, 80, 20, None),
    ],
)
def test_panels_fit_or_become_lines(
    count: int, columns: int, lines: int, expected: tuple[int, int] | None
) -> None:
    assert grid(count, columns=columns, lines=lines) == expected


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """(master, slave)"""
    master, slave = pty.openpty()
    yield master, slave
    for descriptor in (master, slave):
        try:
            os.close(descriptor)
        except OSError:  # the test closed it
            pass


async def test_lines_that_come_at_once_are_one_text(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    keyboard = Keyboard(slave)
    os.write(master, "eins\nzwei ü\n".encode())
    assert await keyboard.text() == "eins\nzwei ü"
    os.write(master, b"x" * 4_094 + b"\n")
    assert len(await keyboard.text()) == 4_094
    assert keyboard.was_cut
    os.write(master, b"\x04")
    assert await keyboard.text() == ""
    assert keyboard.is_over


async def test_ctrl_c_ends_what_runs_whenever_it_comes() -> None:
    caught, started = Interrupts(), asyncio.Event()

    async def forever() -> None:
        started.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(caught.until_interrupted(forever()))
    await started.wait()
    caught.typed()
    with pytest.raises(Interrupted):
        await running
    caught.typed()  # before anything runs
    with pytest.raises(Interrupted):
        await caught.until_interrupted(forever())

    async def nothing() -> str:
        return "done"

    assert await caught.until_interrupted(nothing()) == "done"
