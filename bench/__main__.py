"""`python -m bench`: the node proxy against its bars; `… micro`: single operations."""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final

from rich.console import Console

from bench import idle, machine, memory, micro, prompts
from bench.bars import Finding
from bench.processes import raise_file_limit
from bench.proxies import Comparison, compare
from bench.report import bars_markdown, bars_table, spread_line, table
from bench.scenarios import SCENARIOS
from bench.servers import SERVERS

ALONE: Final[Mapping[str, Callable[[], list[Finding]]]] = {
    "prompts": prompts.measure,
    "idle": idle.measure,
    "memory": memory.measure,
}
"""Measurements that need no other server."""


def main() -> int:
    """Exit status 1 when any reply was wrong: then no figure means anything."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, _leave)  # so that the children end too
    raise_file_limit()
    console = Console(width=None if sys.stdout.isatty() else 240)
    if options.what == "micro":
        console.print(micro.table())
        return 0
    if options.trace:
        for line in idle.breakdown():
            console.print(line, markup=False)
        return 0
    return _judge(options, console)


def _judge(options: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    findings: list[Finding] = []
    errors: list[str] = []
    versions: list[str] = []
    if options.what in ("all", "proxies"):
        console.print("servers, in turns …")
        comparison = compare(
            options.server or list(SERVERS),
            options.scenario or list(SCENARIOS),
            rounds=options.rounds,
            seconds=options.seconds,
        )
        findings, versions, errors = comparison.findings, comparison.versions, comparison.errors
        _show(comparison, console)
    try:
        for name, measure in ALONE.items():
            if options.what in ("all", name):
                console.print(f"{name} …")
                findings += measure()
    except memory.WrongReply as error:
        errors.append(str(error))
    console.print(f"{machine.describe(versions)}; {time.monotonic() - began:.0f} s", markup=False)
    if options.markdown:
        sys.stdout.write(bars_markdown(findings) + "\n")
    else:
        console.print(bars_table(findings))
    for text in errors[:3]:
        console.print(f"[red]error:[/] {text!r}")
    return 1 if errors else 0


def _show(comparison: Comparison, console: Console) -> None:
    console.print(table(comparison.figures))
    console.print(spread_line(comparison.figures))
    for scenario, noise in comparison.noise.items():
        if noise > machine.NOISE_LIMIT:
            console.print(
                f"[yellow]{scenario}: the machine was too noisy to judge:[/] others took"
                f" {noise:.2f} CPUs, {machine.NOISE_LIMIT} is the most."
            )
    for note in comparison.notes:
        console.print(f"[yellow]{note}[/]")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    what = ("all", "proxies", *ALONE, "micro")
    parser.add_argument("what", nargs="?", choices=what, default="all")
    parser.add_argument("--rounds", type=int, default=5, help="windows of each (default 5)")
    parser.add_argument("--seconds", type=float, default=0.6, help="of a window (default 0.6)")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="may be repeated")
    parser.add_argument("--server", action="append", choices=SERVERS, help="may be repeated")
    parser.add_argument("--markdown", action="store_true", help="the bars as README.md has them")
    parser.add_argument("--trace", action="store_true", help="idle: which lines hold the memory")
    return parser


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
