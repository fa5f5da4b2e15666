"""Runs a stand-in by hand: python -m tests.fake_engines DIALECT [--help]."""

import argparse
from typing import Final, NamedTuple, cast

from tests.fake_engines.dialects import DIALECTS
from tests.fake_engines.engine import FakeEngine
from tests.fake_engines.knobs import FAULTS, FakeModel, Fault, PerSecond
from tests.fake_engines.server import serve_by_hand

_FAULT_LIST: Final = "faults:\n" + "\n".join(
    f"  {name:14}{meaning}" for name, meaning in FAULTS.items()
)


class FaultAt(NamedTuple):
    """A fault, and how many tokens come before it."""

    fault: Fault
    after: int = 2


def parse_fault(text: str) -> FaultAt:
    """`stall@5`, or only `stall`. Raises ArgumentTypeError for any other text."""
    name, _, number = text.partition("@")
    if name not in FAULTS or (number and not number.isdecimal()):
        raise argparse.ArgumentTypeError(f"NAME or NAME@TOKENS, with NAME of {', '.join(FAULTS)}")
    return FaultAt(cast(Fault, name), int(number)) if number else FaultAt(cast(Fault, name))


def make_parser() -> argparse.ArgumentParser:
    """The command line: the same knobs for every dialect."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fake_engines",
        description="An engine that isn't one: real HTTP, a real dialect, faults on demand.",
        epilog=_FAULT_LIST,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dialect", choices=DIALECTS)
    parser.add_argument("--port", type=int, help="0 takes a free one; default: the engine's own")
    parser.add_argument("--tps", type=float, default=20.0, help="tokens per second")
    parser.add_argument("--ttft", type=float, default=0.2, help="seconds until the first token")
    parser.add_argument("--slots", type=int, help="requests at once; others wait")
    parser.add_argument("--context", type=int, help="tokens of context; longer prompts get a 400")
    parser.add_argument("--model", action="append", metavar="NAME", help="may be given often")
    parser.add_argument("--api-key", help="ask for this bearer token")
    parser.add_argument("--calls-tools", action="store_true", help="call the first tool on offer")
    parser.add_argument("--fault", type=parse_fault, metavar="NAME[@TOKENS]")
    parser.add_argument(
        "--everywhere", action="store_true", help="faults strike every route, not only replies"
    )
    return parser


def make_engine(options: argparse.Namespace) -> FakeEngine:
    """The stand-in that the command line asks for."""
    engine_class = DIALECTS[options.dialect].engine_class
    fault, after = options.fault or (None, 2)
    models = [FakeModel(name) for name in options.model or (engine_class.default_model,)]
    for model in models:
        model.loaded_context = options.context or model.loaded_context
    return engine_class(
        models=models,
        pace=PerSecond(options.tps, ttft_seconds=options.ttft),
        fault=fault,
        fault_after=after,
        everywhere=options.everywhere,
        slots=options.slots,
        context=options.context,
        api_key=options.api_key,
        calls_tools=options.calls_tools,
    )


def main() -> None:
    """Serve until interrupted."""
    options = make_parser().parse_args()
    port = DIALECTS[options.dialect].port if options.port is None else options.port
    serve_by_hand(lambda: make_engine(options), port)


if __name__ == "__main__":
    main()
