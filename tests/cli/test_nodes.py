"""`luckrig nodes`: the map as a table and as JSON."""

import json
import socket
import time

import msgspec
import pytest
from rich.cells import cell_len

from luckrig.protocol.wire import NodePage
from tests.cli.conftest import Luckrig
from tests.cli.test_output import ATTACKS, assert_harmless
from tests.client.fake_tracker import FakeTracker, Reply, Rig, make_rig


def long_rigs() -> list[Rig]:
    """Rigs whose texts are as long as the protocol allows, and plain ones."""
    return [
        make_rig(1, name="attic", scarcity=0.93),
        make_rig(2, name="屋根裏の古いワークステーション", status="unavailable"),
        make_rig(3, name="n" * 40, gpu="2 x NVIDIA RTX PRO 6000 Blackwell Workstation Edition"),
        make_rig(4, name="pi", gpu=None, models=["m" * 120, "b"], status="starting"),
    ]


def test_table_shows_one_line_for_each_rig(luckrig: Luckrig, tracker: FakeTracker) -> None:
    first = make_rig(1, name="attic", scarcity=0.934, models=["llama3.1:8b", "qwen3:8b"])
    second = make_rig(2, name="shelf", gpu=None, scarcity=0.1, status="busy")
    tracker.reset_rigs(first, second)
    result = luckrig("nodes")
    assert (result.code, result.err) == (0, "")
    head, _, attic, shelf = result.out.splitlines()
    assert head.split() == ("Rig Name Status Scarcity GPU VRAM Model Quant Context Seen".split())
    for text in (first.view.id[:10], "attic", "available", "0.93", "  RTX 4090  ", "24 GiB",
                 "llama3.1:8b +1", "Q4_K_M", "128K"):  # fmt: skip
        assert text in attic
    for text in ("busy", "0.10", "CPU: Raspberry Pi 5", "–"):
        assert text in shelf


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (-60, "now"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"),
     (200_000, "2 d ago"), (None, "never")],
)  # fmt: skip
def test_last_seen_is_told_as_an_age(
    luckrig: Luckrig,
    tracker: FakeTracker,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int | None,
    text: str,
) -> None:
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.5)
    rig = make_rig(1)
    seen_at = None if seconds is None else 2_000_000_000 - seconds
    tracker.reset_rigs(Rig(msgspec.structs.replace(rig.view, last_seen_at=seen_at), rig.signed))
    assert luckrig("nodes").out.splitlines()[-1].endswith(f"  {text}")


@pytest.mark.parametrize("columns", [80, 100, 120, 200])
def test_table_fits_the_terminal_and_loses_nothing(
    luckrig: Luckrig, tracker: FakeTracker, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    tracker.reset_rigs(*long_rigs())
    result = luckrig("nodes")
    lines = result.out.splitlines()
    assert max(cell_len(line) for line in lines) <= columns
    for rig in long_rigs():
        assert rig.view.id[:10] in result.out
        assert rig.view.status in result.out
    assert result.out.count("m" * 5) >= 1
    assert sum(line.count("n" * 5) for line in lines) >= 1
    assert "…" not in result.out


def test_ordinary_rigs_take_one_line_each_at_120_columns(
    luckrig: Luckrig, tracker: FakeTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    tracker.reset_rigs(make_rig(1, name="attic"), make_rig(2, name="shelf", gpu="Apple M3 Ultra"))
    lines = luckrig("nodes").out.splitlines()
    assert len(lines) == 4
    assert "Quant" in lines[0]
    monkeypatch.setenv("COLUMNS", "80")
    assert len(luckrig("nodes").out.splitlines()) == 7


def test_a_name_with_a_line_break_fakes_no_row(luckrig: Luckrig, tracker: FakeTracker) -> None:
    view = msgspec.structs.replace(make_rig(1).view, name="a\nn1aaaaaaaa  good  available\tx")
    tracker.lies(Reply([msgspec.json.encode(NodePage(nodes=[view], total=1, next=None))]))
    assert len(luckrig("nodes").out.splitlines()) == 3


def test_no_colour_in_pipes(luckrig: Luckrig, tracker: FakeTracker) -> None:
    assert "\x1b" not in luckrig("nodes").out


def test_colour_where_it_is_asked_for_unless_no_color(
    luckrig: Luckrig, tracker: FakeTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[32mavailable" in luckrig("nodes").out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in luckrig("nodes").out


def test_filters_reach_the_tracker(luckrig: Luckrig, tracker: FakeTracker) -> None:
    result = luckrig(
        "nodes", "--gpu", "4090", "--model", "llama", "--quant", "q4", "--status", "available",
        "--min-context", "8192", "--min-vram", "12", "--sort", "name", "--limit", "7",
    )  # fmt: skip
    assert result.code == 0
    assert tracker.seen[0].query == {
        "gpu": "4090",
        "model": "llama",
        "quant": "q4",
        "status": "available",
        "min_context": "8192",
        "min_vram": "12",
        "sort": "name",
        "limit": "7",
    }


def test_model_that_was_asked_for_is_the_one_shown(luckrig: Luckrig, tracker: FakeTracker) -> None:
    """By the tracker's rules: any common spelling of the name."""
    tracker.reset_rigs(make_rig(1, models=["llama3.1:8b", "Qwen/Qwen3-8B-Instruct-GGUF"]))
    assert "llama3.1:8b +1" in luckrig("nodes").out
    assert "Qwen/Qwen3-8B-Instruct-GGUF +1" in luckrig("nodes", "--model", "qwen3:8b").out


def test_json_is_the_page_as_the_tracker_sent_it(luckrig: Luckrig, tracker: FakeTracker) -> None:
    result = luckrig("nodes", "--json")
    page = NodePage(nodes=[tracker.rigs[0].view], total=1, next=None)
    assert result.out == msgspec.json.encode(page).decode() + "\n"
    assert (result.code, result.err) == (0, "")


def test_more_rigs_than_shown_are_mentioned_on_stderr(
    luckrig: Luckrig, tracker: FakeTracker
) -> None:
    tracker.reset_rigs(make_rig(1), make_rig(2))
    result = luckrig("nodes", "--limit", "1")
    assert result.err.startswith("1 of 2 rigs.")
    assert "of 2" not in result.out


def test_empty_map_says_what_to_do(luckrig: Luckrig, tracker: FakeTracker) -> None:
    tracker.reset_rigs()
    assert "luckrig node start" in luckrig("nodes").out
    assert "fewer filters" in luckrig("nodes", "--gpu", "x").out


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_tracker_cannot_steer_the_terminal(
    luckrig: Luckrig, tracker: FakeTracker, attack: str
) -> None:
    """The list isn't signed as a whole, so its texts may hold anything."""
    view = msgspec.structs.replace(make_rig(1).view, name=attack, note=attack)
    page = NodePage(nodes=[view, view], total=2, next=None)
    tracker.lies(Reply([msgspec.json.encode(page)]))
    for args in (["nodes"], ["nodes", "--json"], ["token"], ["token", "--json"]):
        result = luckrig(*args)
        assert_harmless(result.out + result.err)


def test_unreachable_tracker_is_3_and_names_the_url(luckrig: Luckrig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    result = luckrig("nodes", "--tracker", origin)
    assert (result.code, result.out) == (3, "")
    assert result.err.startswith(f"error: The tracker at {origin} can't be reached")
    result = luckrig("nodes", "--tracker", origin, "--json")
    assert (result.code, result.err) == (3, "")
    assert json.loads(result.out)["error"]["code"] == "tracker_unreachable"
