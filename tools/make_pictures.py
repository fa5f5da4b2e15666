"""Makes the pictures of the README and of docs/STYLE-GUIDE.md from the real screens and pages.

    python -m tools.make_pictures         writes docs/pictures/*.svg and *.png

The data are made up. Screens of `luckrig register` and `race` are SVG: the same data give the same
bytes, so a diff of a picture is a diff of a screen. Those of pages are tools/page_pictures.py's.
"""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console, RenderableType
from tools.page_pictures import write_page_pictures

from luckrig.cli import dashboard, preview
from luckrig.cli.race.lanes import Lane
from luckrig.cli.race.view import render as render_race
from luckrig.client.calling.matching import Candidate
from luckrig.client.chat_events import Waiting
from luckrig.client.history.replay import Piece
from luckrig.nodeproxy.control import RigStatus
from luckrig.nodeproxy.counters import RecentError
from luckrig.nodeproxy.opening import Wishes
from luckrig.nodeproxy.tunnel.client import TunnelState
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor import EngineInfo, Hardware, Offer, Policy
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.schedule import Schedule, parse_windows
from luckrig.protocol.telemetry import GpuReading
from luckrig.protocol.wire import NodeView

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures"
COLUMNS: Final = 80
RACE_COLUMNS: Final = 112
RACE_LINES: Final = 13

_NODE: Final = derive_id("n1", PrivateKey(b"node" * 8).public)
_OWNER: Final = derive_id("u1", PrivateKey(b"user" * 8).public)
_ROOT: Final = derive_id("r1", PrivateKey(b"root" * 8).public)
_ORIGIN: Final = "https://tracker.example"
_AT: Final = 1_790_000_000


def example_preview() -> preview.Preview:
    """What an owner sees before the question."""
    windows = parse_windows(["weekdays 22:00-07:00", "weekend 09:00-18:00"])
    return preview.Preview(
        tracker=TrackerAddress(_ORIGIN, _ROOT),
        first_use=False,
        name="Attic 4090",
        note="320 W limit, flash attention on",
        hardware=Hardware(
            gpu="NVIDIA GeForce RTX 4090",
            vram_bytes=24 << 30,
            cpu="AMD Ryzen 9 7950X",
            ram_bytes=64 << 30,
        ),
        engine="ollama 0.12.6",
        offers=[
            Offer(
                model="qwen3:30b-a3b",
                parameters=30_500_000_000,
                quantization="Q4_K_M",
                context_length=32_768,
            ),
            Offer(
                model="qwen3:8b",
                parameters=8_190_000_000,
                quantization="Q8_0",
                context_length=40_960,
            ),
            Offer(
                model="gpt-oss:20b",
                parameters=20_900_000_000,
                quantization="MXFP4",
                context_length=131_072,
            ),
        ],
        wishes=Wishes(
            schedule=Schedule(windows=windows, timezone="Europe/Berlin"),
            timezone="Europe/Berlin",
            tokens_per_day=500_000,
            max_celsius=80,
        ),
        max_active=2,
        max_queue=32,
        owner_id=_OWNER,
        base_url=f"{_ORIGIN}/n/{_NODE}/v1",
        is_relayed=True,
        packs=(),
        moderation=False,
    )


def example_view() -> dashboard.View:
    """The live screen of a busy evening."""
    status = RigStatus(
        name="Attic 4090",
        note="",
        base_url=f"{_ORIGIN}/n/{_NODE}/v1",
        page=f"{_ORIGIN}/nodes/{_NODE}",
        models=["qwen3:30b-a3b", "qwen3:8b", "gpt-oss:20b"],
        engine="ready",
        reason=None,
        opens_at=None,
        changes_at=None,
        active=2,
        waiting=3,
        max_active=2,
        max_queue=32,
        served=1_204,
        tokens_today=318_442,
        tokens_per_day=500_000,
        schedule=None,
        celsius=None,
        watts=None,
        busy_share=None,
        blind=[],
        errors=[RecentError(_AT + 7_200, "chat", "content_filter")],
        tokens_per_second=141.7,
        started_at=_AT,
        stops_when_drained=False,
    )
    return dashboard.View(
        status=status,
        tunnel=TunnelState("up"),
        rule_hits={"illicit": 2, "self-harm/instructions": 1},
        points="184.2",
        gpus=(GpuReading(utilization=0.97, celsius=71.0, watts=318.0),),
        tell_time=lambda at: f"{datetime.fromtimestamp(at, UTC):%H:%M}",
    )


def example_race() -> list[Lane]:
    """Three rigs in the middle of one reply: two under way, one that waits."""
    rigs = (
        ("Attic 4090", "NVIDIA GeForce RTX 4090", "Q4_K_M", 21, 182.0, 7.0),
        ("Studio", "Apple M2 Ultra", "Q8_0", 13, 241.0, 17.0),
        ("Pi cluster", None, "IQ4_XS", 0, 0.0, 0.0),
    )
    lanes: list[Lane] = []
    for number, (name, gpu, quant, words, first_ms, pause_ms) in enumerate(rigs, start=1):
        offer = Offer(model="qwen3:8b", quantization=quant, context_length=32_768)
        key = PrivateKey(bytes([number]) * 32)
        rig = NodeView(
            id=derive_id("n1", key.public), name=name, status="available", scarcity=0.4,
            hardware=Hardware(gpu=gpu, vram_bytes=None, cpu="Cortex-A76", ram_bytes=None),
            offers=[offer], note="", engine=EngineInfo(kind="llama-server"), queue=None,
            policy=Policy(max_active=1, max_queue=8), base_url=_ORIGIN,
            owner_id=_OWNER, listed_at=_AT, last_seen_at=_AT, seq=1,
        )  # fmt: skip
        lane = Lane(number, Candidate(rig, offer))
        if not words:
            lane.see(Waiting(position=2, eta_seconds=9, ticket="abcdefghijklmnop"))
        for count, word in enumerate(_REPLY.split(" ")[: words * 2]):
            lane.see(Piece(first_ms + count * pause_ms, "text", word + " "))
        lanes.append(lane)
    return lanes


_REPLY: Final = (
    "Sunlight holds every colour. On its way through the air the short, blue waves are"
    " scattered far more than the long, red ones, so blue light reaches your eyes from every"
    " direction of the sky. In the evening its way is longer and most of the blue is gone."
)


def race_picture() -> str:
    """The panels, on a wider terminal."""
    console = _console(RACE_COLUMNS)
    lanes = example_race()
    console.print(render_race(lanes, console, across=len(lanes), lines=RACE_LINES))
    return console.export_svg(title="luckrig race qwen3:8b", unique_id="luckrig-race")


def picture(screen: RenderableType, *, title: str, unique_id: str) -> str:
    """The screen as an SVG. unique_id: keeps the styles of two pictures in one page apart."""
    console = _console(COLUMNS)
    console.print(screen)
    return console.export_svg(title=title, unique_id=unique_id)


def _console(columns: int) -> Console:
    return Console(
        record=True, width=columns, file=io.StringIO(), force_terminal=True, markup=False,
        highlight=False, emoji=False, color_system="truecolor", legacy_windows=False,
    )  # fmt: skip


def pictures() -> dict[str, str]:
    """File name to content."""
    title = "luckrig register"
    return {
        "register.svg": picture(
            preview.render(example_preview()), title=title, unique_id="luckrig-register"
        ),
        "race.svg": race_picture(),
        "dashboard.svg": picture(
            dashboard.render(example_view()), title=title, unique_id="luckrig-dashboard"
        ),
    }


def main() -> None:
    """Write them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in pictures().items():
        FOLDER.joinpath(name).write_text(content, encoding="utf-8")
    write_page_pictures(FOLDER)


if __name__ == "__main__":
    main()
