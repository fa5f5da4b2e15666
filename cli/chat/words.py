"""What `luckrig chat` and `luckrig race` say, in short words. Pure, and safe to print."""

from typing import Final

from luckrig.cli.replay.words import hardware, milliseconds, model_facts, one_line, rate, tokens
from luckrig.client.history.replay import Replay, Rig
from luckrig.protocol.receipts import Measured

SHORT_ID_CHARS: Final = 10

_WHO_READS: Final = {
    False: "The rig that answers can read what you send, and so can a tracker that relays.",
    True: "Sealed to the rig: the rig that answers can read what you send.",
}
_ENDINGS: Final = {
    "length": "cut at its limit",
    "content_filter": "ended by the rig's rules",
}


def who_reads(*, subtext: bool) -> str:
    """What belongs wherever a prompt is typed."""
    return _WHO_READS[subtext]


def rig_name(rig: Rig) -> str:
    """Its name, or the start of its id."""
    return one_line(rig.name) if rig.name else rig.node_id[:SHORT_ID_CHARS]


def rig_facts(rig: Rig, *, subtext: bool) -> list[str]:
    """Hardware; model, quantisation and context; its id: what stands beside its name."""
    sealed = ["sealed"] if subtext else []
    known = [hardware(rig)] if rig.gpu else []
    return [*known, ", ".join(model_facts(rig)), rig.node_id[:SHORT_ID_CHARS], *sealed]


def place(position: int, eta_seconds: float | None) -> str:
    """A place in the queue. position: 1 for the next."""
    when = "" if eta_seconds is None else f", about {_rough(eta_seconds)}"
    return "next in the queue" + when if position == 1 else f"place {position} in the queue{when}"


def _rough(seconds: float) -> str:
    """Nobody knows it to the millisecond."""
    whole = max(1, round(seconds))
    return f"{whole} s" if whole < 100 else milliseconds(whole * 1000)


def so_far(pieces: int, first_ms: float, last_ms: float) -> str:
    """Speed and length of a reply that is under way. A piece is a token with most engines, and
    never less than one."""
    seconds = (last_ms - first_ms) / 1000
    speed = f"{(pieces - 1) / seconds:,.1f} tok/s  " if seconds > 0 else ""
    return f"{speed}≥{pieces:,} token{'s' * (pieces != 1)}"


def summary(replay: Replay, finish_reason: str | None) -> str:
    """What a reply took: as it was seen here, and as the rig says."""
    figures = replay.figures
    count = tokens(figures)
    parts = [f"{count} token{'s' * (count != '1')}", f"{rate(figures)} tok/s"]
    parts.append(f"first after {milliseconds(figures.ttft_ms)}{_claimed(replay)}")
    parts.append(rig_name(replay.rig))
    if replay.outcome == "cut":
        parts.append("stopped")
    elif finish_reason in _ENDINGS:
        parts.append(_ENDINGS[finish_reason])
    return "  ".join(parts)


def _claimed(replay: Replay) -> str:
    figures = replay.figures
    claims: list[str] = []
    if figures.rig_ttft_ms is not None:
        claims.append(f"rig {milliseconds(figures.rig_ttft_ms)}")
    if figures.rig_queue_ms is not None and figures.rig_queue_ms >= 1:
        claims.append(f"queue {milliseconds(figures.rig_queue_ms)}")
    return f" ({', '.join(claims)})" if claims else ""


def shared(measured: Measured) -> str:
    """What leaves when timing is shared."""
    return (
        f"ttft_ms={measured.ttft_ms:.3f} generation_ms={measured.generation_ms:.3f}"
        " go to the tracker with the reply's receipt: numbers, no text."
    )
