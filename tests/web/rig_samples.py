"""A rig's page with all that it can show: a past, measurements, notes with a history, hours."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import msgspec

from luckrig.protocol.descriptor import Policy
from luckrig.protocol.evidence import Finding
from luckrig.protocol.schedule import Schedule, parse_windows
from luckrig.protocol.wire import NodeView, NoteVersion, NoteView, Quantiles, TimingView
from luckrig.web.pages import Page, Site
from luckrig.web.rig_page import NotePage, NotesPart, RigPage
from tests.web.rigs import NOW, SITE, make_id, rig_page, twelve_rigs

BUCKETS: Final = (256, 1024, 4096, 16_384, 65_536)
TODAY: Final = NOW // 86_400
SCHEDULE: Final = Schedule(
    windows=parse_windows(["weekdays 22:00-07:00; weekend 09:00-18:00"]), timezone="Europe/Berlin"
)
TEXTS: Final = (
    "Flash attention on, and a bigger batch:\n\n```\nllama-server -m q4.gguf -fa on -b 2048\n```\n"
    "\nThat is some 30 % faster at reading prompts.",
    "Flash attention on, and a bigger batch:\n\n```\nllama-server -m q4.gguf -fa on -b 4096 \\\n"
    "  --cache-type-k q8_0\n```\n\nThat is some 40 % faster at reading prompts.\n"
    "Set the limit first:\n$ nvidia-smi -pl 280\n$ nvidia-smi -q -d POWER",
    "Flash attention on, and a bigger batch:\n\n```\nllama-server -m q4.gguf -fa on -b 4096 \\\n"
    "  --cache-type-k q8_0 --cache-type-v q8_0\n```\n\n"
    "That is some 40 % faster at reading prompts.\n"
    "Set the limit first:\n$ nvidia-smi -pl 280\n$ nvidia-smi -q -d POWER\n\n"
    "Below 260 W it gets slow.",
)


def live_hours() -> dict[int, int]:
    """Forty days with everything in them: whole ones, nights only, days off."""
    hours = {TODAY - back: 24 for back in range(41)}
    hours |= {TODAY - back: 9 + back % 7 for back in range(12, 20)} | {TODAY: 5, TODAY - 40: 3}
    return {day: each for day, each in hours.items() if TODAY - day not in (7, 8, 25)}


def timing(model: str, start: int, users: int, speed: float, ttft: float) -> TimingView:
    """Users who saw about the same; one user sees one thing."""
    spread = 1.25 if users > 1 else 1.0

    def around(value: float) -> Quantiles:
        return Quantiles(p10=value / spread, p50=value, p90=value * spread)

    return TimingView(
        node_id=make_id("n1", "x"),
        model=model,
        prompt_tokens_from=start,
        users=users,
        streams=users * 4,
        ttft_ms=around(ttft),
        tokens_per_second=around(speed),
    )


def timings(model: str) -> list[TimingView]:
    """Longer prompts take longer; one model is gone, one bucket is one user's."""
    return [
        timing(model, 0, 11, 42.3, 182),
        timing(model, 256, 6, 41.0, 420),
        timing(model, 1024, 4, 38.4, 1650),
        timing(model, 16_384, 1, 27.9, 21_400),
        timing("tinyllama:1.1b", 0, 1, 212, 38),
    ]


def note(
    *texts: str, seed: str = "a", reproduced: int = 0, references: tuple[str, ...] = ()
) -> NoteView:
    """A note of these versions, the first one first."""
    versions = [
        NoteVersion(
            version=number,
            text=text,
            references=list(references),
            created_at=NOW - (10 - number) * 86_400,
            reproduced=reproduced if number == len(texts) else 0,
            signed="x",
        )
        for number, text in enumerate(texts, start=1)
    ]
    return NoteView(
        note_id=make_id("no", seed),
        node_id=make_id("n1", "zwei-alte-freunde"),
        author_id=make_id("u1", seed),
        reproduced=reproduced,
        versions=versions[::-1],
    )


def notes() -> list[NoteView]:
    """As lists of notes hold them: the newest version of each."""
    other = f"note:{make_id('no', 'a')}@2"
    found = (
        note(*TEXTS, reproduced=3),
        note("Use IQ4_XS here.", seed="b", references=(other, "https://example.org/nvlink")),
    )
    return [msgspec.structs.replace(each, versions=each.versions[:1]) for each in found]


def full_page(site: Site = SITE, node: NodeView | None = None) -> RigPage:
    """Nothing is missing. node: twelve_rigs()[7], reached through the tracker."""
    rig = node or twelve_rigs()[7]
    policy = Policy(max_active=2, max_queue=8, schedule=SCHEDULE)
    rig = msgspec.structs.replace(
        rig, policy=policy, base_url=f"{site.origin}/n/{rig.id}/v1", seq=NOW * 1000
    )
    findings = [
        Finding(
            model="qwen2.5:72b",
            field="quantization",
            verdict="consistent",
            claimed="IQ4_XS",
            evidence="the model's name",
        ),
        Finding(
            model="qwen2.5:72b",
            field="speed",
            verdict="contradicts",
            claimed="100 tok/s in the note",
            evidence="42 tok/s, median of 11 users",
        ),
    ]
    return replace(
        rig_page(rig),
        site=site,
        audit=findings,
        timings=timings(rig.offers[0].model),
        prompt_buckets=BUCKETS,
        live_hours=live_hours(),
        notes=NotesPart(notes=notes(), total=12),
    )


def note_page(site: Site = SITE, *texts: str) -> NotePage:
    """A note of three versions, or of these."""
    return NotePage(site=site, node=twelve_rigs()[7], note=note(*(texts or TEXTS), reproduced=3))


def sample_pages(site: Site) -> Iterator[tuple[str, Page]]:
    """Both pages, whole."""
    yield "rig whole", full_page(site)
    yield "note", note_page(site)


def hostile_pages(text: str, node: NodeView) -> Iterator[tuple[str, Page]]:
    """Pages of a rig on which that text stands wherever strangers write."""
    typed = f"{text}\n```\n{text}\n```\n$ {text}"
    said = note(text, typed, references=(text, f"note:{text}@{text}"))
    measured = [msgspec.structs.replace(each, model=text) for each in timings(text)]
    zone = Schedule(windows=SCHEDULE.windows, timezone=text)
    policy = msgspec.structs.replace(node.policy, schedule=zone)
    rig = msgspec.structs.replace(node, policy=policy)
    finding = Finding(model=text, field="speed", verdict="unknown", claimed=text, evidence=text)
    page = replace(
        rig_page(rig),
        audit=[finding],
        timings=measured,
        prompt_buckets=BUCKETS,
        notes=NotesPart(notes=[said], total=1),
    )
    yield "rig", page
    yield "note", NotePage(site=SITE, node=rig, note=said)
