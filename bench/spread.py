"""What a handful of noisy figures allow to say. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal, TypeAlias

CONFIDENCE: Final = 0.9
"""That the true median lies between low and high. Five samples reach it, fewer never do."""

Verdict: TypeAlias = Literal["holds", "doesn't hold", "too noisy"]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, and between what it may lie."""

    value: float
    low: float
    high: float


def estimate(samples: Sequence[float]) -> Estimate:
    """The median, and the tightest pair of samples around it that has CONFIDENCE.

    Nothing is assumed of how the samples are spread: each is above the true median as often as
    below. Without such a pair low and high are infinite. Raises ValueError without samples.
    """
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    count, cut, outside = len(ordered), 0, 0.0
    # outside: how likely it is that at most `cut` samples lie on one side of the median, times two
    while True:
        outside += 2 * math.comb(count, cut) / 2**count
        if outside > 1 - CONFIDENCE or 2 * cut + 1 > count:
            break
        cut += 1
    if cut == 0:
        return Estimate(value=median(ordered), low=-math.inf, high=math.inf)
    return Estimate(value=median(ordered), low=ordered[cut - 1], high=ordered[-cut])


def slope(points: Sequence[tuple[float, float]]) -> Estimate:
    """Growth of y for one x by least squares, ± two standard errors. Raises ValueError below three
    points, or when all have the same x."""
    count = len(points)
    if count < 3 or len({x for x, _ in points}) < 2:
        raise ValueError("too few points for a line")
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    width = sum((x - mean_x) ** 2 for x, _ in points)
    growth = sum((x - mean_x) * (y - mean_y) for x, y in points) / width
    left = sum((y - mean_y - growth * (x - mean_x)) ** 2 for x, y in points)
    error = 2 * math.sqrt(left / (count - 2) / width)
    return Estimate(value=growth, low=growth - error, high=growth + error)


def quotient(over: float, under: float) -> float:
    """over / under; infinite where `under` is nothing at all, or less: noise ate the difference."""
    return over / under if under > 0 else math.inf


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not below `percent` of all; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def relative_range(values: Sequence[float]) -> float:
    """(longest - shortest) / median; 0 of none."""
    middle = median(values) if values else 0.0
    return (max(values) - min(values)) / middle if middle else 0.0
