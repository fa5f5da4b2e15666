"""What a handful of noisy figures allow to say."""

import math
import random
from itertools import product

import pytest

from bench.spread import CONFIDENCE, estimate, percentile, quotient, relative_range, slope


def test_five_samples_are_the_fewest_that_say_something() -> None:
    assert math.isinf(estimate([1.0, 1.0, 1.0, 1.0]).high)
    five = estimate([3.0, 1.0, 5.0, 2.0, 4.0])
    assert (five.value, five.low, five.high) == (3.0, 1.0, 5.0)


def test_more_samples_forgive_outliers() -> None:
    nine = estimate([1000.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, -1000.0])
    assert nine.value == 4.0
    assert nine.low > -1000.0
    assert nine.high < 1000.0


@pytest.mark.parametrize("count", [5, 8, 11])
def test_the_interval_has_the_promised_confidence(count: int) -> None:
    """Each sample is above or below the true median, 0, as often: all ways are tried."""
    caught = 0
    for signs in product((-1.0, 1.0), repeat=count):
        found = estimate([sign * (1 + at) for at, sign in enumerate(signs)])
        caught += found.low <= 0.0 <= found.high
    assert caught / 2**count >= CONFIDENCE


def test_no_sample_is_no_figure() -> None:
    with pytest.raises(ValueError, match="no samples"):
        estimate([])


def test_slope_of_a_line_is_exact() -> None:
    found = slope([(0.0, 5.0), (10.0, 25.0), (30.0, 65.0)])
    assert found.value == pytest.approx(2.0)
    assert found.low == pytest.approx(2.0)


def test_slope_of_noise_is_uncertain_around_nothing() -> None:
    rng = random.Random(7)  # noqa: S311 -- the same noise each time
    found = slope([(float(x), rng.gauss(0.0, 1.0)) for x in range(20)])
    assert found.low < 0.0 < found.high


@pytest.mark.parametrize("points", [[], [(1.0, 1.0), (2.0, 2.0)], [(1.0, 1.0)] * 3])
def test_slope_needs_a_line(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="too few points"):
        slope(points)


def test_dividing_by_what_noise_ate_is_infinite() -> None:
    assert quotient(1.0, 4.0) == 0.25
    assert quotient(1.0, 0.0) == math.inf
    assert quotient(1.0, -0.1) == math.inf


def test_percentile_and_range() -> None:
    assert percentile([], 50) == 0.0
    assert percentile(list(range(1, 101)), 99) == 100
    assert relative_range([9.0, 10.0, 12.0]) == pytest.approx(0.3)
    assert relative_range([]) == 0.0
