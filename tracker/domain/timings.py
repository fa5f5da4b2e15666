"""How fast a rig really is for the people who use it: shared timings, boiled down.

For each rig, model and length of prompt, every user has one vote, the median of what they shared,
so that somebody who measures all day counts no more than somebody who did once. Of ten votes or
more the highest and the lowest tenth are set aside. What is left gives three quantiles.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

from luckrig.protocol.wire import Quantiles, TimingView
from luckrig.tracker.domain.receipts import TimingRecord

PROMPT_BUCKETS: Final = (256, 1024, 4096, 16_384, 65_536)
"""Tokens at which the next bucket begins; reading a prompt takes time in proportion to it."""
TRIM_FROM: Final = 10
"""Votes from which outliers are set aside."""

_Votes = dict[str, list[tuple[float, float]]]


def bucket_of(prompt_tokens: int) -> int:
    """Where the bucket of a prompt begins, in tokens: 0 or one of PROMPT_BUCKETS."""
    return max((start for start in PROMPT_BUCKETS if start <= prompt_tokens), default=0)


def summarise(timings: Iterable[TimingRecord]) -> list[TimingView]:
    """One view for each rig, model and bucket, in that order."""
    groups: dict[tuple[str, str, int], _Votes] = defaultdict(lambda: defaultdict(list))
    for timing in timings:
        key = (timing.node_id, timing.model, bucket_of(timing.prompt_tokens))
        groups[key][timing.account].append((timing.ttft_ms, timing.tokens_per_second))
    return [_view(*key, votes) for key, votes in sorted(groups.items())]


def best_known(views: Iterable[TimingView]) -> TimingView | None:
    """The one that most users measured: the figure of a rig where there is room for one only.

    Of those alike, the one with the most streams, then the one for the shortest prompts.
    """
    return max(
        views,
        key=lambda view: (view.users, view.streams, -view.prompt_tokens_from, view.model),
        default=None,
    )


def _view(node_id: str, model: str, bucket: int, votes: _Votes) -> TimingView:
    return TimingView(
        node_id=node_id,
        model=model,
        prompt_tokens_from=bucket,
        users=len(votes),
        streams=sum(map(len, votes.values())),
        ttft_ms=_quantiles([median(ttft for ttft, _ in each) for each in votes.values()]),
        tokens_per_second=_quantiles([median(tps for _, tps in each) for each in votes.values()]),
    )


def _quantiles(votes: Sequence[float]) -> Quantiles:
    kept = sorted(votes)
    if len(kept) >= TRIM_FROM:
        cut = len(kept) // 10
        kept = kept[cut : len(kept) - cut]

    def at(fraction: float) -> float:
        return round(kept[round(fraction * (len(kept) - 1))], 2)

    return Quantiles(p10=at(0.1), p50=at(0.5), p90=at(0.9))
