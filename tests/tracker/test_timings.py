"""Shared timings, boiled down: one vote a user, outliers aside, by length of prompt."""

import pytest

from luckrig.tracker.domain.receipts import TimingRecord
from luckrig.tracker.domain.timings import bucket_of, summarise


def timing(user: str, tps: float, *, prompt_tokens: int = 10, model: str = "m") -> TimingRecord:
    """One stream."""
    return TimingRecord(
        node_id="n1",
        request_id="r",
        account=user,
        model=model,
        prompt_tokens=prompt_tokens,
        completion_tokens=100,
        ttft_ms=1000 / tps,
        tokens_per_second=tps,
        shared_at=0,
    )


@pytest.mark.parametrize(
    ("tokens", "bucket"), [(0, 0), (255, 0), (256, 256), (4095, 1024), (10**6, 65_536)]
)
def test_buckets_begin_where_they_say(tokens: int, bucket: int) -> None:
    assert bucket_of(tokens) == bucket


def test_a_user_has_one_vote() -> None:
    """Ninety-nine streams of one user weigh as much as one of another."""
    many = [timing("loud", 1000.0) for _ in range(99)]
    (view,) = summarise([*many, timing("a", 10.0), timing("b", 10.0)])
    assert (view.users, view.streams) == (3, 101)
    assert view.tokens_per_second.p50 == 10.0


def test_the_outer_tenths_are_set_aside() -> None:
    """One liar in ten moves nothing."""
    honest = [timing(f"user {number}", 50.0 + number) for number in range(19)]
    (view,) = summarise([*honest, timing("liar", 1e6)])
    assert view.tokens_per_second.p90 < 70
    assert view.tokens_per_second.p10 >= 52


def test_lengths_of_prompt_and_models_are_kept_apart() -> None:
    views = summarise(
        [timing("a", 10.0), timing("a", 5.0, prompt_tokens=5000), timing("a", 7.0, model="n")]
    )
    assert [(view.model, view.prompt_tokens_from) for view in views] == [
        ("m", 0), ("m", 4096), ("n", 0),
    ]  # fmt: skip
