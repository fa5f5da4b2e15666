"""Several replays side by side, best of one prompt. Pure."""

from collections.abc import Sequence

import msgspec

from luckrig.client.history.asking import messages_of
from luckrig.client.history.replay import Figures, Outcome, Replay, Rig


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One replay's facts."""

    replay_id: str
    created_at: float
    rig: Rig
    streamed: bool
    outcome: Outcome
    reply_chars: int
    figures: Figures


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """same_prompt: whether all were asked the same; else their figures say little.

    fastest: of those complete, the ids with the best ttft_ms, tokens_per_second and total_ms;
    None where fewer than two have the figure.
    """

    same_prompt: bool
    replays: list[Compared]
    fastest: dict[str, str | None]


def compare(replays: Sequence[Replay]) -> Comparison:
    """In the order given."""
    compared = [_facts(replay) for replay in replays]
    prompts = {tuple(messages_of(bytes(replay.request))) for replay in replays}
    return Comparison(
        same_prompt=len(prompts) <= 1,
        replays=compared,
        fastest={
            "ttft_ms": _best([(each.figures.ttft_ms, each) for each in compared]),
            "tokens_per_second": _best(
                [(_negative(each.figures.tokens_per_second), each) for each in compared]
            ),
            "total_ms": _best([(each.figures.total_ms, each) for each in compared]),
        },
    )


def _facts(replay: Replay) -> Compared:
    return Compared(
        replay_id=replay.replay_id,
        created_at=replay.created_at,
        rig=replay.rig,
        streamed=replay.streamed,
        outcome=replay.outcome,
        reply_chars=len(replay.text("text")),
        figures=replay.figures,
    )


def _best(figures: Sequence[tuple[float | None, Compared]]) -> str | None:
    """The id with the least figure; a reply that broke off early has won nothing."""
    known = [
        (figure, each.replay_id)
        for figure, each in figures
        if figure is not None and each.outcome == "complete"
    ]
    return min(known)[1] if len(known) > 1 else None


def _negative(figure: float | None) -> float | None:
    return None if figure is None else -figure
