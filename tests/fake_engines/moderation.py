"""A stand-in for a moderation service, with the faults that such a service can have.

python -m tests.fake_engines.moderation [--port 8001] [--flag WORD]
"""

import argparse
import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from tests.fake_engines.scripted import Peer
from tests.fake_engines.server import StandIn, serve_by_hand

CATEGORIES: Final = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")
ANSWER_SECONDS: Final = 0.2
"""For a hook under test: how long to wait for faults that never answer."""

Results = list[dict[str, Any]]


class FakeModeration(StandIn):
    """A server on 127.0.0.1 that flags texts with certain words.

    flagged: word to category. fault: a key of FAULTS. closed: when set, answers wait for allow().
    inputs: every text that it was asked about and answered for properly, in order; approved: those
    that it didn't flag. heads: the requests' heads. connections: how many there were.
    """

    line_bytes = 1 << 22

    def __init__(self, *, flagged: dict[str, str] | None = None, fault: str | None = None) -> None:
        super().__init__()
        self.flagged = flagged or {}
        self.fault = fault
        self.fault_after = 0
        self.inputs: list[str] = []
        self.approved: list[str] = []
        self.heads: list[str] = []
        self.models: list[str | None] = []
        self.connections = 0
        self._allowed: asyncio.Semaphore | None = None

    def hold(self) -> None:
        """From now on answers wait for allow()."""
        self._allowed = asyncio.Semaphore(0)

    def allow(self, count: int = 1) -> None:
        """Let so many answers go."""
        assert self._allowed is not None
        for _ in range(count):
            self._allowed.release()

    def judge(self, text: str) -> dict[str, Any]:
        """One result, as OpenAI writes it."""
        found = {category for word, category in self.flagged.items() if word in text}
        names = sorted({*CATEGORIES, *found})
        return {
            "flagged": bool(found),
            "categories": {name: name in found for name in names},
            "category_scores": {name: 0.9 if name in found else 0.01 for name in names},
            "category_applied_input_types": {name: ["text"] for name in names},
        }

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See StandIn."""
        self.connections += 1
        peer = Peer(self.connections, reader, writer)
        while True:
            await self._answer(peer)

    async def _answer(self, peer: Peer) -> None:
        head, _, body = (await peer.request()).partition(b"\r\n\r\n")
        self.heads.append(head.decode("latin-1"))
        asked = msgspec.json.decode(body)
        assert asked.keys() <= {"model", "input"}
        self.models.append(asked.get("model"))
        if self._allowed is not None:
            await self._allowed.acquire()
        results = [self.judge(text) for text in asked["input"]]
        if self.fault is not None and len(self.heads) > self.fault_after:
            await FAULTS[self.fault](peer, results)
            raise ConnectionResetError
        self.inputs += asked["input"]
        for text, result in zip(asked["input"], results, strict=True):
            if not result["flagged"]:
                self.approved.append(text)
        await peer.send(answer(document(results)))


def document(results: object) -> bytes:
    """A whole answer's JSON."""
    return msgspec.json.encode({"id": "modr-1", "model": "stand-in", "results": results})


def answer(body: bytes, *headers: str, status: int = 200, kind: str = "application/json") -> bytes:
    """A whole answer."""
    lines = [
        f"HTTP/1.1 {status} X",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


Fault = Callable[[Peer, Results], Awaitable[None]]


def _sends(make: Callable[[Results], bytes]) -> Fault:
    async def fault(peer: Peer, results: Results) -> None:
        await peer.send(make(results))

    return fault


def _body(make: Callable[[Results], object]) -> Fault:
    return _sends(lambda results: answer(document(make(results))))


async def _silence(peer: Peer, results: Results) -> None:
    await peer.gone()


async def _drip(peer: Peer, results: Results) -> None:
    await peer.send(answer(document(results))[:-1])
    await peer.gone()


async def _reset(peer: Peer, results: Results) -> None:
    peer.reset()


async def _close(peer: Peer, results: Results) -> None:
    """The connection is closed without a byte."""


def _changed(**changes: object) -> Fault:
    """The last result with other fields."""
    return _body(lambda results: [*results[:-1], results[-1] | changes])


FAULTS: Final[dict[str, Fault]] = {
    "silence": _silence,
    "all but the last byte": _drip,
    "reset": _reset,
    "closed": _close,
    "status 500": _sends(lambda results: answer(document(results), status=500)),
    "status 429": _sends(lambda results: answer(document(results), "Retry-After: 1", status=429)),
    "status 401": _sends(lambda results: answer(document(results), status=401)),
    "status 201": _sends(lambda results: answer(document(results), status=201)),
    "redirect": _sends(lambda results: answer(b"", "Location: /v1/moderations", status=307)),
    "not http": _sends(lambda results: b"what?\r\n\r\n"),
    "not json": _sends(lambda results: answer(document(results)[:-2])),
    "not utf-8": _sends(lambda results: answer(document(results).replace(b"modr", b"\xff"))),
    "html": _sends(lambda results: answer(document(results), kind="text/html")),
    "no body": _sends(lambda results: answer(b"")),
    "gzip": _sends(
        lambda results: answer(gzip.compress(document(results)), "Content-Encoding: gzip")
    ),
    "named gzip": _sends(lambda results: answer(document(results), "Content-Encoding: gzip")),
    "truncated": _sends(lambda results: answer(document(results) + b" " * 9)[:-9]),
    "oversized": _sends(lambda results: answer(document(results) + b" " * (1 << 20))),
    "endless": _sends(
        lambda results: (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (3 << 20)
        )
    ),
    "no results": _sends(lambda results: answer(b'{"id":"modr-1"}')),
    "results twice": _sends(
        lambda results: answer(document(results)[:-1] + b',"results":' + b"[]}")
    ),
    "empty results": _body(lambda results: []),
    "a result too few": _body(lambda results: results[:-1]),
    "a result too many": _body(lambda results: [*results, results[-1]]),
    "results an object": _body(lambda results: results[-1]),
    "null result": _body(lambda results: [*results[:-1], None]),
    "flagged missing": _body(lambda results: [*results[:-1], {"categories": {"hate": False}}]),
    "flagged a text": _changed(flagged="false"),
    "flagged a number": _changed(flagged=0),
    "flagged null": _changed(flagged=None),
    "categories a list": _changed(categories=["hate"]),
    "category a number": _changed(categories={"hate": 0.5}),
    "category a text": _changed(categories={"hate": "no"}),
    "too many categories": _changed(categories={f"c{number}": False for number in range(300)}),
    "a list": _sends(lambda results: answer(b"[]")),
}


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=FakeModeration.__doc__)
    parser.add_argument("--port", type=int, default=8001, help="0 takes a free one")
    parser.add_argument("--flag", action="append", default=[], metavar="WORD")
    options = parser.parse_args()

    flagged = dict.fromkeys(options.flag, "violence")
    serve_by_hand(lambda: FakeModeration(flagged=flagged), options.port)


if __name__ == "__main__":
    main()
