"""`python -m bench`: measure the proxies. `python -m bench micro`: measure single operations."""

import argparse
import signal
import sys
import time
from types import FrameType

from rich.console import Console

from bench import micro
from bench.report import table
from bench.scenarios import SCENARIOS, Figures, Laboratory, Scenario
from bench.servers import SERVERS


def main() -> int:
    """Exit status 1 when any reply was wrong: then no figure means anything."""
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, _leave)  # so that the children end too
    console = Console(width=None if sys.stdout.isatty() else 200)
    if options.what == "micro":
        console.print(micro.table())
        return 0
    scenarios = [SCENARIOS[name] for name in options.scenario or SCENARIOS]
    began = time.monotonic()
    with Laboratory(options.server or SERVERS) as laboratory:
        figures = _rounds(laboratory, scenarios, options.rounds, options.seconds)
    console.print(table(figures))
    for note in laboratory.notes:
        console.print(note)
    console.print(f"{options.rounds} rounds, {time.monotonic() - began:.0f} s")
    errors = [w.error for windows in figures.values() for w in windows if w.error]
    for error in errors[:3]:
        console.print(f"[red]error:[/] {error!r}")
    return 1 if errors else 0


def _rounds(
    laboratory: Laboratory, scenarios: list[Scenario], rounds: int, seconds: float
) -> Figures:
    """Servers take turns within each round, so that what else the machine does hits them alike."""
    figures: Figures = {
        (scenario.name, server.name): [] for scenario in scenarios for server in laboratory.servers
    }
    for number in range(rounds):
        for scenario in scenarios:
            turn = number % len(laboratory.servers)
            for server in laboratory.servers[turn:] + laboratory.servers[:turn]:
                window = laboratory.measure(scenario, server, seconds)
                figures[scenario.name, server.name].append(window)
    return figures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("proxy", "micro"), default="proxy")
    parser.add_argument("--rounds", type=int, default=5, help="windows of each (default 5)")
    parser.add_argument("--seconds", type=float, default=0.6, help="of a window (default 0.6)")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="may be repeated")
    parser.add_argument("--server", action="append", choices=SERVERS, help="may be repeated")
    return parser


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
