"""`python -m bench prompts`: what a prompt of 400 KB costs, and whom it holds up.

Its own process, on one CPU: the steps of the pipeline that read a prompt, on a running event loop
in which a ticker asks for a turn each millisecond. How late it gets one is how long every other
client's stream stood still.
"""

import asyncio
import base64
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from bench.bars import Bar, Finding
from bench.machine import NOISE_LIMIT, NoiseMeter
from bench.processes import Child, cpu_pair, say
from bench.rig import make_unsealer
from bench.spread import estimate
from luckrig.cli.loop import run
from luckrig.nodeproxy.exchange import JSON, Exchange
from luckrig.nodeproxy.steps.obey_rules import ObeyRules
from luckrig.nodeproxy.steps.read import ReadRequest

PROMPT_BYTES: Final = 400_000
ROUNDS: Final = 8
TICK_SECONDS: Final = 0.001
SETTLE_SECONDS: Final = 5 * TICK_SECONDS
"""Before a prompt the ticker gets going; after it, the turn that the prompt delayed is noted."""
RULES: Final = Bar(scenario="prompts", what="400 KB through all rule packs", limit=60, unit="ms")
BLOCK: Final = Bar(
    scenario="prompts", what="event loop blocked by 400 KB, longest", limit=10, unit="ms"
)


class Timed(msgspec.Struct, kw_only=True):
    """One prompt, read and checked once, milliseconds. rules_ms: of the rules alone, from their
    start to their end. block_ms: the longest that the event loop stood still."""

    text: str
    rules_ms: float
    block_ms: float


class Measured(msgspec.Struct):
    """Of all texts and rounds."""

    timed: list[Timed]


def measure() -> list[Finding]:
    """The worst of the texts counts."""
    cpu, _ = cpu_pair()
    meter = NoiseMeter((cpu,))
    child = Child.module("prompts", cpu=cpu)
    try:
        timed = child.read(Measured).timed
        is_noisy = meter.lap() > NOISE_LIMIT
    finally:
        child.stop()
    findings = [
        _finding(RULES, timed, lambda each: each.rules_ms),
        _finding(BLOCK, timed, lambda each: each.block_ms),
    ]
    return [replace(finding, is_noisy=is_noisy) for finding in findings]


def _finding(bar: Bar, timed: list[Timed], figure: Callable[[Timed], float]) -> Finding:
    found = {
        text: estimate([figure(each) for each in timed if each.text == text])
        for text in dict.fromkeys(each.text for each in timed)
    }
    note = ", ".join(f"{text} {each.value:.1f}" for text, each in found.items())
    return Finding(bar=bar, measured=max(found.values(), key=lambda each: each.value), note=note)


def texts() -> Mapping[str, str]:
    """Name → harmless text of PROMPT_BYTES bytes in UTF-8, nearly."""
    english = "The harbour bell rings twice while the quick brown fox sleeps under the old bridge. "
    japanese = "港の鐘が二度鳴り、古い橋の下で狐が静かに眠っている。"
    code = "    for index in range(len(rows)):\n        total += rows[index].price * 3\n"
    noise = random.Random(1).randbytes(PROMPT_BYTES * 3 // 4)  # noqa: S311 -- the same each time
    return {
        "English": _repeated(english),
        "Japanese": _repeated(japanese),
        "code": _repeated(code),
        "base64": base64.b64encode(noise).decode("ascii"),
    }


def _repeated(text: str) -> str:
    return text * (PROMPT_BYTES // len(text.encode()))


class _Body:
    """A connection that has a body and nothing else. Implements exchange.Connection as far as
    reading goes."""

    address = ""
    is_congested = False

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read_body(self) -> bytes:
        """All of it is here already."""
        return self._body

    def start(self, status: int, headers: bytes, *, length: int | None) -> None:
        """Nobody answers here."""

    def write(self, data: bytes, *, more: bool) -> None:
        """Nobody answers here."""

    async def drain(self) -> None:
        """Nobody answers here."""

    def abort(self) -> None:
        """Nobody answers here."""


async def _measure() -> None:
    read, obey = ReadRequest(lambda model: True, make_unsealer()), ObeyRules()
    bodies = {name: _encode(text) for name, text in texts().items()}
    timed: list[Timed] = []
    for number in range(ROUNDS + 1):
        for name, body in bodies.items():
            one = await _time(name, body, read, obey)
            if number > 0:  # the first round compiles and fills caches
                timed.append(one)
    say(Measured(timed))


async def _time(name: str, body: bytes, read: ReadRequest, obey: ObeyRules) -> Timed:
    exchange = Exchange(
        connection=_Body(body),
        headers={b"content-type": JSON},
        request_id="bench",
        method="POST",
        path="/v1/chat/completions",
        endpoint="chat",
        rig_headers=b"",
    )
    late: list[float] = [0.0]
    ticker = asyncio.create_task(_tick(late))
    await asyncio.sleep(SETTLE_SECONDS)
    await read(exchange)
    began = time.perf_counter()
    await obey(exchange)
    rules_seconds = time.perf_counter() - began
    await asyncio.sleep(SETTLE_SECONDS)
    ticker.cancel()
    return Timed(text=name, rules_ms=rules_seconds * 1e3, block_ms=max(late) * 1e3)


async def _tick(late: list[float]) -> None:
    """Note how late each turn comes."""
    while True:
        asked_at = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        late.append(time.perf_counter() - asked_at - TICK_SECONDS)


def _encode(text: str) -> bytes:
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return msgspec.json.encode(body)


if __name__ == "__main__":
    run(_measure())
    sys.stdin.buffer.read()
