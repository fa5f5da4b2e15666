"""Makes the README's pictures of `luckrig register` from the real screens, with made-up data.

    python tools/make_pictures.py         writes docs/pictures/register.svg and dashboard.svg

The same data give the same bytes, so a diff of a picture is a diff of a screen.
"""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console, RenderableType

from luckrig.cli import dashboard, preview
from luckrig.nodeproxy.control import RigStatus
from luckrig.nodeproxy.counters import RecentError
from luckrig.nodeproxy.opening import Wishes
from luckrig.nodeproxy.tunnel.client import TunnelState
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.descriptor import Hardware, Offer
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.schedule import Schedule, parse_windows
from luckrig.protocol.telemetry import GpuReading

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "pictures"
COLUMNS: Final = 80

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


def picture(screen: RenderableType, *, title: str, unique_id: str) -> str:
    """The screen as an SVG. unique_id: keeps the styles of two pictures in one page apart."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, markup=False,
        highlight=False, emoji=False, color_system="truecolor", legacy_windows=False,
    )  # fmt: skip
    console.print(screen)
    return console.export_svg(title=title, unique_id=unique_id)


def pictures() -> dict[str, str]:
    """File name to content."""
    title = "luckrig register"
    return {
        "register.svg": picture(
            preview.render(example_preview()), title=title, unique_id="luckrig-register"
        ),
        "dashboard.svg": picture(
            dashboard.render(example_view()), title=title, unique_id="luckrig-dashboard"
        ),
    }


def main() -> None:
    """Write them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in pictures().items():
        FOLDER.joinpath(name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
