"""`python -m bench memory`: whether a rig grows with what streams through it."""

from typing import Final

from bench.bars import Bar, Finding
from bench.load import Result
from bench.processes import Child, cpu_pair, own_bytes
from bench.scenarios import CHUNKS, SCENARIOS
from bench.spread import slope
from bench.workshop import Workshop, workshop

STREAMED_CHUNKS: Final = 1_000_000
SAMPLES: Final = 20
WARMUP_SECONDS: Final = 45.0
"""Receipts are handed in every 5 s, up to 10,000 at once: the heap grows by a megabyte until it has
found its shape for that, after some 50,000 requests, and not any more in the next 100,000."""
BAR: Final = Bar(scenario="memory", what="growth for a streamed chunk", limit=1, unit="bytes")
"""No growth at all can't be told from a byte a chunk: a megabyte after a million."""


class WrongReply(Exception):
    """A reply wasn't what it should be."""


def measure() -> list[Finding]:
    """32 clients at once, 20-chunk streams. Raises WrongReply."""
    _, load_cpu = cpu_pair()
    load = Child.module("load", cpu=load_cpu)
    try:
        with workshop() as rig:
            rate = _window(load, rig, WARMUP_SECONDS).requests / WARMUP_SECONDS
            seconds = STREAMED_CHUNKS / CHUNKS / SAMPLES / max(1.0, rate)
            streamed = 0
            points = [(0.0, float(own_bytes(rig.pid)))]
            while streamed < STREAMED_CHUNKS:
                streamed += _window(load, rig, seconds).requests * CHUNKS
                points.append((float(streamed), float(own_bytes(rig.pid))))
    finally:
        load.stop()
    before, after = points[0][1] / 1e6, points[-1][1] / 1e6
    note = f"{before:.1f} MB before, {after:.1f} MB after {streamed:,} chunks"
    return [Finding(bar=BAR, measured=slope(points), note=note)]


def _window(load: Child, rig: Workshop, seconds: float) -> Result:
    load.ask(SCENARIOS["short"].job(rig.server, seconds=seconds, warmup_seconds=0.0))
    result = load.read(Result)
    if result.error:
        raise WrongReply(result.error)
    return result
