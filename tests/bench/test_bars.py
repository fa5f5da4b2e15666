"""When a bar holds, when it doesn't, and when nobody can say."""

import pytest

from bench.bars import Bar, Finding, compared
from bench.idle import STREAMS, possible_streams
from bench.load import Result
from bench.prompts import PROMPT_BYTES, texts
from bench.report import bars_markdown
from bench.spread import Estimate

AT_MOST = Bar(scenario="paced", what="CPU time", limit=2.5)
AT_LEAST = Bar(scenario="short", what="requests", limit=0.7, at_least=True)


def between(low: float, high: float) -> Estimate:
    return Estimate(value=(low + high) / 2, low=low, high=high)


@pytest.mark.parametrize(
    ("bar", "measured", "verdict"),
    [
        (AT_MOST, between(1.0, 2.5), "holds"),
        (AT_MOST, between(2.6, 3.0), "doesn't hold"),
        (AT_MOST, between(2.4, 2.6), "too noisy"),
        (AT_LEAST, between(0.7, 0.9), "holds"),
        (AT_LEAST, between(0.1, 0.69), "doesn't hold"),
        (AT_LEAST, between(0.6, 0.8), "too noisy"),
    ],
)
def test_a_verdict_needs_the_whole_interval(bar: Bar, measured: Estimate, verdict: str) -> None:
    assert bar.judge(measured) == verdict


def test_a_noisy_machine_judges_nothing() -> None:
    assert AT_MOST.judge(between(1.0, 1.1), is_noisy=True) == "too noisy"
    assert AT_MOST.judge(between(9.0, 9.1), is_noisy=True) == "too noisy"


def windows(cost_us: list[float]) -> list[Result]:
    return [Result(requests=100, cpu_seconds=cost * 100 / 1e6) for cost in cost_us]


def test_servers_are_compared_within_their_round() -> None:
    """The machine was three times as slow in one round: the ratio is the same."""
    nginx, luckrig = [80.0, 80.0, 240.0, 80.0, 80.0], [100.0, 100.0, 300.0, 100.0, 100.0]
    found = compared(
        "short", {"nginx": windows(nginx), "luckrig": windows(luckrig)}, is_noisy=False
    )
    first = found[0].measured
    assert first is not None
    assert first.low == pytest.approx(0.8)
    assert first.high == pytest.approx(0.8)
    assert found[0].verdict == "holds"


def test_a_server_that_is_missing_is_named() -> None:
    found = compared("short", {"luckrig": windows([100.0] * 5)}, is_noisy=False)
    assert [each.verdict for each in found] == ["not measured", "not measured"]
    assert [each.note for each in found] == ["no nginx", "no litellm"]


def test_added_times_are_those_above_the_engine_alone() -> None:
    def first_bytes(us: int) -> list[Result]:
        return [Result(requests=1, ttft_us=[us]) for _ in range(5)]

    found = compared(
        "one",
        {
            name: first_bytes(us)
            for name, us in {"direct": 100, "nginx": 200, "luckrig": 250, "litellm": 9_100}.items()
        },
        is_noisy=False,
    )
    values = [each.measured.value for each in found if each.measured is not None]
    assert values == pytest.approx([1.5, 1.5, 60.0])


def test_markdown_has_a_row_for_each_finding() -> None:
    findings = [
        Finding(bar=AT_MOST, measured=between(1.0, 2.0)),
        Finding(bar=AT_LEAST, measured=None, note="no nginx"),
    ]
    lines = bars_markdown(findings).splitlines()
    assert len(lines) == 4
    assert "≤ 2.5 ×" in lines[2]
    assert "| holds |" in lines[2]
    assert "not measured | no nginx" in lines[3]


def test_streams_stay_within_the_open_files() -> None:
    assert possible_streams(1_000_000) == STREAMS
    assert 2 * possible_streams(1_024) < 1_024


def test_prompts_have_the_promised_size() -> None:
    for text in texts().values():
        assert 0.99 * PROMPT_BYTES <= len(text.encode()) <= PROMPT_BYTES
