"""The screens of `luckrig register`: what they say, that they fit, and that nobody fools them."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from rich.console import Console, RenderableType
from tools.make_pictures import FOLDER, example_preview, example_view, pictures

from luckrig.cli import dashboard, no_engine, preview
from luckrig.cli.dashboard import headline
from luckrig.nodeproxy.counters import RecentError
from luckrig.nodeproxy.engines.advice import NOTHING_LISTENS
from luckrig.nodeproxy.engines.base import EngineState
from luckrig.nodeproxy.engines.detect import Examined, Found, Missed
from luckrig.nodeproxy.engines.ollama import Ollama
from luckrig.nodeproxy.tunnel.client import TunnelState
from luckrig.protocol.descriptor import Hardware, Offer
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.names import model_key
from luckrig.protocol.telemetry import GpuReading

ROOT = derive_id("r1", PrivateKey(b"root" * 8).public)
EVIL = "\x1b]0;owned\x07\u202efdp\u2066\n\x9b31m"
GIB = 1 << 30


def drawn(screen: RenderableType, width: int = 80, *, is_terminal: bool = False) -> str:
    """The screen as text."""
    out = io.StringIO()
    Console(
        file=out, width=width, force_terminal=is_terminal, markup=False, emoji=False,
        highlight=False, color_system="truecolor" if is_terminal else None,
    ).print(screen)  # fmt: skip
    return out.getvalue()


def status_with(view: dashboard.View, **changes: Any) -> dashboard.View:
    """The view with another status."""
    return replace(view, status=msgspec.structs.replace(view.status, **changes))


def test_the_preview_says_what_becomes_public_and_what_does_not() -> None:
    text = " ".join(drawn(preview.render(example_preview())).split())
    shown = example_preview()
    for part in (
        "Attic 4090", "320 W limit", "RTX 4090, 24 GiB", "AMD Ryzen 9 7950X", "64 GiB RAM",
        "ollama 0.12.6", "qwen3:8b · 8.19B · Q8_0 · 40K context", "weekdays 22:00-07:00",
        "500,000 tokens a day", shown.owner_id, str(shown.base_url),
        "users don't see your home address; the tracker sees it",
        "Never public: prompts, replies, your keys", "answer strangers' prompts",
    ):  # fmt: skip
        assert part in text


def test_the_preview_fits_a_small_terminal() -> None:
    worst = replace(example_preview(), first_use=True, packs=["a", "b"], moderation=True)
    lines = drawn(preview.render(worst)).splitlines()
    assert len(lines) <= 23, "24 lines with the question"
    assert max(map(len, lines)) <= 80


def test_many_models_fold() -> None:
    offers = [Offer(model=f"m{number}") for number in range(60)]
    text = drawn(preview.render(replace(example_preview(), offers=offers)))
    assert "and 57 more" in text
    assert len(text.splitlines()) <= 24


def test_a_rig_with_a_port_is_told_that_users_see_its_address() -> None:
    text = drawn(preview.render(replace(example_preview(), is_relayed=False)))
    assert "so they see it" in text
    assert "home address" not in text


def test_first_use_of_a_tracker_is_said() -> None:
    text = " ".join(drawn(preview.render(replace(example_preview(), first_use=True))).split())
    assert f"its key {ROOT} is taken on trust" in text


def test_the_dashboard_shows_everything_and_fits() -> None:
    errors = [RecentError(number, "chat", "engine_error") for number in range(9)]
    text = drawn(dashboard.render(status_with(example_view(), errors=errors)))
    lines = text.splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    assert text.count("engine_error") == 5
    for part in (
        "Attic 4090  on the map", "2 of 2", "3 of 32", "141.7 tokens/s", "1,204",
        "318,442 of 500,000 tokens today", "184.2 points", "97 % busy, 71 °C, 318 W",
        "Ctrl-C drains, twice ends at once",
    ):  # fmt: skip
        assert part in text


def test_figures_that_nobody_has_are_dashes_or_left_out() -> None:
    bare = replace(
        status_with(example_view(), tokens_per_second=None, errors=[]),
        points=None, rule_hits={}, gpus=(GpuReading(),),
    )  # fmt: skip
    lines = [line.split() for line in drawn(dashboard.render(bare)).splitlines()]
    assert ["Speed", "–"] in lines
    assert ["Score", "–"] in lines
    assert ["Refused", "0"] in lines
    assert not any(line[:1] in (["GPU"], ["Errors"]) for line in lines)
    assert ["Refused", "moderation", "3"] in [
        line.split() for line in drawn(dashboard.render(replace(bare, blocked=3))).splitlines()
    ]


@pytest.mark.parametrize("width", [60, 40, 20])
def test_narrow_terminals_fold_and_lose_nothing(width: int) -> None:
    for screen in (preview.render(example_preview()), dashboard.render(example_view())):
        text = drawn(screen, width)
        assert max(map(len, text.splitlines())) <= width
        for word in ("Attic", "qwen3:8b"):
            assert word in text.replace("\n", "")


def test_no_escape_sequence_in_a_pipe() -> None:
    for screen in (preview.render(example_preview()), dashboard.render(example_view())):
        assert "\x1b" not in drawn(screen)
        assert "\x1b[" in drawn(screen, is_terminal=True)


def test_strangers_texts_move_no_cursor() -> None:
    offer = Offer(model=EVIL, quantization=EVIL)
    hardware = Hardware(gpu=EVIL, vram_bytes=None, cpu=EVIL, ram_bytes=None)
    before = replace(
        example_preview(), name=EVIL, note=EVIL, engine=EVIL, offers=[offer], hardware=hardware,
        packs=[EVIL],
    )  # fmt: skip
    view = replace(
        status_with(
            example_view(), name=EVIL, page=EVIL, base_url=EVIL, models=[EVIL],
            errors=[RecentError(1, EVIL, EVIL)],
        ),
        tunnel=TunnelState("refused", "x", EVIL), rule_hits={EVIL: 1},
    )  # fmt: skip
    tried: list[Examined] = [Missed(f"http://{EVIL}", "why")]
    situation = no_engine.Situation(tried=tried, hardware=hardware, system="Linux", on_map=None)
    for screen in (
        preview.render(before), dashboard.render(view), no_engine.render(situation),
    ):  # fmt: skip
        text = drawn(screen)
        assert not set("\x1b\x07\u202e\u2066\x9b") & set(text)


@pytest.mark.parametrize(
    ("changes", "tunnel", "mood", "text"),
    [
        ({}, TunnelState("up"), "good", "on the map"),
        ({}, None, "good", "on the map"),
        ({"reason": "draining", "active": 1, "waiting": 0}, None, "wait", "finishing 1 request,"),
        ({"reason": "draining", "active": 0, "waiting": 0}, None, "wait", "taking no new requests"),
        ({"reason": "schedule", "opens_at": 1}, None, "wait", "outside its opening hours; opens"),
        ({"engine": "down"}, TunnelState("up"), "bad", "the engine is away"),
        ({"engine": "loading"}, TunnelState("up"), "wait", "loading"),
        ({}, TunnelState("waiting", "lost", "It went."), "wait", "reconnecting in 8 s: It went."),
        ({}, TunnelState("refused", "banned", "You are banned."), "bad", "refused: You are banned"),
        ({}, TunnelState("clock_off", "x", "It is 90 s late."), "bad", "clock is wrong: It is 90"),
        ({}, TunnelState("replaced", "x", ""), "bad", "another process"),
    ],
)
def test_the_headline_says_the_worst(
    changes: dict[str, Any], tunnel: TunnelState | None, mood: str, text: str
) -> None:
    view = replace(status_with(example_view(), **changes), tunnel=tunnel, retry_seconds=7.2)
    found = headline(view)
    assert found[0] == mood
    assert text in found[1]


def test_an_engine_that_lost_its_models_is_said() -> None:
    mood, text = headline(replace(example_view(), has_models=False))
    assert mood == "bad"
    assert "none of the offered models" in text


def situation(
    tried: Sequence[Examined] = (), *, vram: int | None = 24, on_map: dict[str, int] | None = None
) -> no_engine.Situation:
    """A machine without an engine."""
    hardware = Hardware(
        gpu="NVIDIA GeForce RTX 4090" if vram else None,
        vram_bytes=vram * GIB if vram else None,
        cpu="a CPU",
        ram_bytes=16 * GIB,
    )
    silent = [Missed(f"http://127.0.0.1:{port}", NOTHING_LISTENS) for port in (11434, 8080)]
    return no_engine.Situation(
        tried=[*tried, *silent], hardware=hardware, system="Linux", on_map=on_map
    )


def test_no_engine_tells_what_was_tried_what_to_type_and_what_fits() -> None:
    odd = Missed("http://127.0.0.1:5000", "A web page answers there.")
    counts = {model_key("qwen3:32b"): 1, model_key("gemma3:27b"): 7}
    text = drawn(no_engine.render(situation([odd], on_map=counts)))
    assert "http://127.0.0.1:5000  A web page answers there." in text
    assert "ports 11434, 8080" in text
    assert "RTX 4090, 24 GiB" in text
    assert "ollama.com/install.sh" in text
    assert "    ollama pull qwen3:32b\n" in text
    assert "--engine tiny" in text
    rows = {line.split()[0]: line for line in text.splitlines() if "Q4_K_M" in line}
    assert rows["qwen3:32b"].rstrip().endswith("1 rig")
    assert rows["gemma3:27b"].rstrip().endswith("7 rigs")
    assert rows["mistral-small:24b"].rstrip().endswith("none yet")
    assert len(text.splitlines()) <= 26


def test_without_a_tracker_the_column_is_left_out() -> None:
    assert "On the map" not in drawn(no_engine.render(situation()))


def test_a_machine_without_a_gpu_gets_a_model_at_a_readers_pace() -> None:
    text = drawn(no_engine.render(situation(vram=None)))
    assert "ollama pull qwen3:8b" in text


def test_an_ollama_without_a_model_needs_only_the_model() -> None:
    empty = Found("http://127.0.0.1:11434", Ollama(), EngineState(kind="ollama", status="ready"))
    text = drawn(no_engine.render(situation([empty])))
    assert "It has no model on this machine" in text
    assert "ollama pull" in text
    assert "install.sh" not in text
    assert "It has no model" in no_engine.why_none([empty])


def test_a_machine_that_is_too_small_is_told_so() -> None:
    tiny = Hardware(gpu=None, vram_bytes=None, cpu=None, ram_bytes=GIB)
    text = drawn(no_engine.render(replace(situation(), hardware=tiny)))
    assert "None of the models we know fits its 0.7 GiB" in text


def test_the_readmes_pictures_are_of_todays_screens() -> None:
    for name, content in pictures().items():
        assert FOLDER.joinpath(name).read_text("utf-8") == content, "python -m tools.make_pictures"
