"""/compare, /showcase and /queue in every state that changes their shape."""

from collections.abc import Iterator, Sequence

import msgspec

from luckrig.protocol.wire import NodeView, Quantiles, TimingView
from luckrig.web.compare_page import ComparedRig, ComparePage, NotCompared, SimilarRig
from luckrig.web.pages import Page
from luckrig.web.queue_page import QueuePage
from luckrig.web.showcase_page import ShowcasePage, ShownCategory, ShownRig
from tests.web.report_samples import site_in
from tests.web.rigs import NOW, SITE, make_id, make_rig, twelve_rigs

STARTS = (0, 256, 1024, 4096, 16_384, 65_536)
"""Of the buckets of prompts."""


def timing(
    node: NodeView, model: str, *, prompt: int = 0, rate: float = 20, first_ms: float = 300
) -> TimingView:
    """Three users measured it."""
    return TimingView(
        node_id=node.id,
        model=model,
        prompt_tokens_from=prompt,
        users=3,
        streams=12,
        ttft_ms=Quantiles(p10=first_ms / 2, p50=first_ms, p90=first_ms * 4),
        tokens_per_second=Quantiles(p10=rate / 2, p50=rate, p90=rate * 2),
    )


def compared(*numbers: int, timings: bool = True) -> list[ComparedRig]:
    """Some of the twelve rigs; the first model of each was measured, at two lengths of prompt."""
    rigs: list[ComparedRig] = []
    for number in numbers:
        node = twelve_rigs()[number]
        model = node.offers[0].model
        measured = [
            timing(node, model, rate=7.25 * (number + 1)),
            timing(node, model, prompt=65_536, first_ms=480 * (number + 1)),
        ]
        rigs.append(ComparedRig(node=node, timings=measured if timings else ()))
    return rigs


def compare_page(
    rigs: Sequence[ComparedRig],
    *,
    language: str = "en",
    left_out: Sequence[NotCompared] = (),
    similar: Sequence[SimilarRig] = (),
) -> ComparePage:
    return ComparePage(
        site=site_in(language, path="/compare"),
        rigs=rigs,
        left_out=left_out,
        similar=similar,
        prompt_starts=STARTS,
    )


def left_out(text: str = "rtx 4090") -> list[NotCompared]:
    return [
        NotCompared("shape", text),
        NotCompared("unknown", make_id("n1", "gone")),
        NotCompared("twice", make_id("n1", "x")),
        NotCompared("too_many", make_id("n1", "y")),
    ]


def similar() -> list[SimilarRig]:
    rigs = twelve_rigs()
    return [
        SimilarRig(node=rigs[8], shares="both"),
        SimilarRig(node=rigs[11], shares="gpu"),
        SimilarRig(node=rigs[10], shares="model"),
    ]


NUMBERS = {
    "lowest-vram": 8.0,
    "cpu-only": 7.9,
    "apple-silicon": 128.0,
    "oldest-gpu": 2016.0,
    "lowest-power": 75.0,
    "largest-context": 262_144.0,
    "first-of-its-kind": float(NOW),
    "most-reproduced": 3.0,
}
"""A number for each category of the tracker."""


def showcase_page(language: str = "en", rigs: Sequence[NodeView] | None = None) -> ShowcasePage:
    """Every category, with up to three rigs; the first of each behind the tracker's relay."""
    rigs = rigs or twelve_rigs()
    first, *others = rigs
    shown = [
        msgspec.structs.replace(first, base_url=f"{SITE.origin}/n/{first.id}/v1"),
        *others,
    ]
    categories = [
        ShownCategory(
            key=key,
            rigs=[ShownRig(node=node, number=number) for node in (shown * 3)[at : at + 1 + at % 3]],
        )
        for at, (key, number) in enumerate(NUMBERS.items())
    ]
    return ShowcasePage(site=site_in(language, path="/showcase"), categories=categories)


def sample_pages(language: str) -> Iterator[tuple[str, Page]]:
    """Each under a name."""
    yield "compare none", compare_page([], language=language, similar=similar())
    yield "compare four", compare_page(compared(1, 4, 7, 11), language=language)
    pair = compared(7, 8, timings=False)
    yield (
        "compare two",
        compare_page(pair, language=language, left_out=left_out(), similar=similar()),
    )
    yield "showcase", showcase_page(language)
    yield (
        "showcase empty",
        ShowcasePage(site=site_in(language, path="/showcase"), categories=()),
    )
    yield "queue", QueuePage(site=site_in(language, path="/queue"))
    for name, node in queue_rigs().items():
        yield f"queue of a rig, {name}", QueuePage(site=site_in(language, path="/queue"), rig=node)


def queue_rigs(text: str = "attic") -> dict[str, NodeView]:
    """A rig for each kind of way on which a page asks, or doesn't."""
    rig = make_rig(text, gpu=text, vram_gb=24, offers=[])
    return {
        "relay": msgspec.structs.replace(rig, base_url=f"{SITE.origin}/n/{rig.id}/v1"),
        "direct": msgspec.structs.replace(rig, base_url="https://rig.example/v1"),
        "mixed": msgspec.structs.replace(rig, base_url="http://rig.example/v1"),
    }
