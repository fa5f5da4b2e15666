"""A replay's facts and figures in short words. Pure, and safe to print."""

from collections.abc import Sequence
from typing import Final

from luckrig.cli.facts import context, gib
from luckrig.cli.model_text import model_text
from luckrig.cli.output import safe_line
from luckrig.client.history.replay import Figures, Rig, Summary

NONE: Final = "–"  # noqa: RUF001 -- the dash people expect in an empty table cell

Fact = tuple[str, str]


def one_line(text: str) -> str:
    """A stranger's words as one harmless line."""
    return safe_line(model_text(text))


def milliseconds(count: float | None) -> str:
    """380 ms, 1.24 s, 3 min 5 s."""
    if count is None:
        return NONE
    if count < 999.5:
        return f"{count:.0f} ms"
    seconds = count / 1000
    if seconds < 99.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest} s"


def rate(figures: Figures) -> str:
    """Tokens a second, as they arrived; "≥" where pieces were counted, which are no more."""
    if figures.tokens_per_second is None:
        return NONE
    least = "≥" if figures.counted == "pieces" else ""
    return f"{least}{_digits(figures.tokens_per_second)}"


def tokens(figures: Figures) -> str:
    """How many the reply has."""
    if figures.completion_tokens is None:
        return NONE
    least = "≥" if figures.counted == "pieces" else ""
    return f"{least}{figures.completion_tokens:,}"


def outcome(summary: Summary) -> str:
    """How it ended."""
    code = f" ({one_line(summary.error_code)})" if summary.error_code else ""
    rest = ", the rest isn't kept" if summary.truncated else ""
    return f"{summary.outcome}{code}{rest}"


def rig_facts(summary: Summary) -> list[Fact]:
    """Which rig answered, with what, and how it was asked."""
    rig = summary.rig
    named = [one_line(rig.name)] if rig.name else []
    return [
        ("rig", "  ".join([*named, rig.node_id])),
        ("hardware", hardware(rig)),
        ("model", ", ".join(model_facts(rig))),
        ("tracker", one_line(summary.tracker or NONE)),
        ("asked", ", ".join([summary.endpoint, *_manner(summary)])),
    ]


def hardware(rig: Rig) -> str:
    """The GPU and its memory."""
    gpu = one_line(rig.gpu or NONE)
    return gpu if rig.vram_bytes is None else f"{gpu}, {gib(rig.vram_bytes)}"


def model_facts(rig: Rig) -> list[str]:
    """Model, quantisation, context, engine: what is known."""
    facts = [one_line(rig.model)]
    if rig.quantization:
        facts.append(one_line(rig.quantization))
    if rig.context_length is not None:
        facts.append(f"{context(rig.context_length)} context")
    if rig.engine:
        facts.append(one_line(rig.engine))
    return facts


def figure_facts(figures: Figures) -> list[Fact]:
    """What was seen here, and below it what the rig says, in columns."""
    seen = [
        f"first token {milliseconds(figures.ttft_ms)}",
        f"{rate(figures)} tok/s",
        f"{tokens(figures)} tokens",
        f"{milliseconds(figures.total_ms)} in all",
    ]
    claimed_rate = figures.rig_tokens_per_second
    claimed = [
        f"first token {milliseconds(figures.rig_ttft_ms)}",
        f"{NONE if claimed_rate is None else _digits(claimed_rate)} tok/s",
        f"{NONE if figures.prompt_tokens is None else f'{figures.prompt_tokens:,}'} of prompt",
        f"{milliseconds(figures.rig_queue_ms)} queued",
    ]
    return [("seen here", _aligned(seen, claimed)), ("rig says", _aligned(claimed, seen))]


def _aligned(row: Sequence[str], other: Sequence[str]) -> str:
    widths = [max(len(a), len(b)) for a, b in zip(row, other, strict=True)]
    cells = zip(row, widths, strict=True)
    return "  ".join(text.ljust(width) for text, width in cells).rstrip()


def _manner(summary: Summary) -> list[str]:
    sealed = ["sealed"] if summary.mode == "subtext" else []
    return ["streamed" if summary.streamed else "in one piece", *sealed]


def _digits(number: float) -> str:
    return f"{number:,.1f}" if number < 1000 else f"{number:,.0f}"
