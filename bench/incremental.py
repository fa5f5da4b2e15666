"""What one change costs on maps of different sizes: it mustn't depend on the size.

`python -m bench.incremental`: a rig that comes or goes, and a receipt that counts.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle, islice

import msgspec

from luckrig.tracker.domain.dealings import LedgerReader
from luckrig.tracker.domain.ledger import SECONDS_PER_DAY, Anchored, Entry, NodeListed, Receipt
from luckrig.tracker.domain.records import NodeRecord
from luckrig.tracker.domain.scarcity import ScarcityIndex
from tests.tracker.factories import make_hardware, make_health, make_node, make_offer
from tests.tracker.population import rig, user

SIZES = (1_000, 10_000, 100_000)
CHANGES = 2_000
RECEIPTS = 2_000
FIRST_DAY = 20_000
GPUS = ("RTX 4090", "RTX 3090", "Tesla P40", "Radeon RX 7900 XTX", None)
MODELS = ("qwen3:8b", "qwen3:30b", "llama3.1:8b", "gemma3:27b")


def main() -> None:
    """Print a table."""
    say("| rigs | a rig goes and comes back, µs | a receipt, µs |")
    say("|------|-------------------------------|---------------|")
    for size in SIZES:
        say(f"| {size:,} | {_change_us(size):.1f} | {_receipt_us(size):.1f} |")


def _change_us(size: int) -> float:
    index, kinds = ScarcityIndex(), list(islice(_kinds(), 40))
    for number in range(size):
        kind = kinds[number % len(kinds)]
        # Nobody signed it, and nobody checks here.
        descriptor = msgspec.structs.replace(kind.descriptor, node_id=f"n1{number:032}")
        index.put(replace(kind, descriptor=descriptor))
    node = replace(kinds[0], health=make_health("unavailable"))
    states = cycle([node, kinds[0]])
    index.put(kinds[0])

    def change() -> None:
        index.put(next(states))
        index.scarcity(node.node_id)

    return _best(change, CHANGES)


def _kinds() -> Iterator[NodeRecord]:
    for seed in range(1, 1000):
        yield make_node(
            seed,
            hardware=make_hardware(GPUS[seed % len(GPUS)]),
            offers=[make_offer(MODELS[seed % len(MODELS)])],
            health=make_health(),
        )


def _receipt_us(size: int) -> float:
    reader = LedgerReader()
    at = FIRST_DAY * SECONDS_PER_DAY
    names = [f"owner {number}" for number in range(size)]
    first: list[Entry] = [Anchored(user_id=user("bob"), trusted=True, at=at)]
    first += [NodeListed(node_id=rig(name), owner_id=user(name), at=at) for name in names]
    reader.read_day(FIRST_DAY, first)
    days = iter(range(FIRST_DAY + 1, FIRST_DAY + 100))

    def receipts() -> None:
        day = next(days)
        reader.read_day(day, [_receipt(names[number], number, day) for number in range(RECEIPTS)])

    names = names[:RECEIPTS] * (RECEIPTS // min(size, RECEIPTS))
    return _best(receipts, 1) / RECEIPTS


def _receipt(owner: str, number: int, day: int) -> Receipt:
    return Receipt(
        request_id=f"{day}-{number}",
        node_id=rig(owner),
        owner_id=user(owner),
        user_id=user("bob"),
        gpu_key="p40",
        model_key="qwen3:8b",
        tokens=1000,
        two_sided=True,
        at=day * SECONDS_PER_DAY,
    )


def _best(work: Callable[[], None], times: int) -> float:
    """Microseconds of one call, the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(times):
            work()
        best = min(best, time.perf_counter() - began)
    return best / times * 1e6


def say(line: str) -> None:
    """A line of the table."""
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
