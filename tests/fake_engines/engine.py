"""The part that all stand-ins share: a server, what was asked of it, its knobs."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import cycle
from typing import Any, ClassVar

from tests.fake_engines.knobs import (
    REPLY,
    AtOnce,
    FakeModel,
    Fault,
    OnDemand,
    Pace,
    PerSecond,
    vector_of,
)
from tests.fake_engines.server import StandIn
from tests.fake_engines.wire import (
    Exchange,
    Over,
    Refusal,
    Request,
    next_byte,
    read_request,
    spoil,
)

__all__ = [
    "AtOnce", "Exchange", "FakeEngine", "FakeModel", "Fault", "OnDemand", "Pace", "PerSecond",
    "Refusal", "Request", "vector_of",
]  # fmt: skip

_BYTES_PER_TOKEN = 4


class FakeEngine(StandIn):
    """A server on 127.0.0.1. Sub-classes speak a dialect in answer().

    The knobs, which may be changed between requests: models; reply, its tokens; pace; fault, and
    fault_after, the tokens before one in the middle of a reply; everywhere, whether faults strike
    every route or only those that generate; context, beyond which a prompt is refused; api_key, to
    be asked for; calls_tools, whether it calls the first tool that is on offer. slots: how many
    requests it runs at once, the others wait.

    requests: all that reached it, in order. left: released for each client that went away in the
    middle of a reply. answering: how many requests to generate are under way.
    """

    default_model: ClassVar[str] = "stand-in"
    lines: ClassVar[str] = ""
    """Header lines of every answer."""
    open_paths: ClassVar[frozenset[str]] = frozenset()
    """What needs no API key."""
    garbage: ClassVar[bytes]
    broken: ClassVar[bytes]
    error: ClassVar[bytes]
    """Pieces of a stream: one that isn't JSON, one to be cut in the middle, an error."""

    def __init__(
        self,
        *,
        models: Sequence[FakeModel] = (),
        reply: Sequence[str] = REPLY,
        pace: Pace | None = None,
        fault: Fault | None = None,
        fault_after: int = 2,
        everywhere: bool = False,
        slots: int | None = None,
        context: int | None = None,
        api_key: str | None = None,
        calls_tools: bool = False,
    ) -> None:
        super().__init__()
        self.models = list(models) or [FakeModel(self.default_model)]
        self.reply = list(reply)
        self.pace: Pace = pace or AtOnce()
        self.fault: Fault | None = fault
        self.fault_after = fault_after
        self.everywhere = everywhere
        self.slots = slots
        self.context = context
        self.api_key = api_key
        self.calls_tools = calls_tools
        self.requests: list[Request] = []
        self.left = asyncio.Semaphore(0)
        self.answering = 0
        self._turns = asyncio.Semaphore(slots or 1_000_000)

    @property
    def asked(self) -> Any:
        """The body of the last request to generate: looks at its health may come after it."""
        return next(each for each in reversed(self.requests) if self.generates(each)).json

    # For a dialect

    @abstractmethod
    async def answer(self, exchange: Exchange) -> None:
        """Answer one request in this engine's dialect. May raise Refusal."""

    @abstractmethod
    def refusals(self) -> Mapping[Fault, Refusal]:
        """How this engine says busy, loading, locked, too-long."""

    def generates(self, request: Request) -> bool:
        """Whether a request is one for text or vectors."""
        return request.method == "POST"

    async def tokens(self, exchange: Exchange, limit: int | None) -> AsyncIterator[str]:
        """The reply's tokens, at its pace, until the limit or the fault."""
        texts = cycle(self.reply) if self.fault == "endless" else self.reply[:limit]
        for number, text in enumerate(texts):
            await self.pace.token(number)
            if number == self.fault_after:
                await self._strike(exchange)
            yield text

    def wanted_tool(self, asked: dict[str, Any]) -> str | None:
        """The function to call, if tools are used and this isn't the answer to a call."""
        if not self.calls_tools or not asked.get("tools"):
            return None
        is_result = asked["messages"][-1]["role"] == "tool"
        return None if is_result else str(asked["tools"][0]["function"]["name"])

    # For StandIn

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See StandIn."""
        early = b""
        while True:
            request = await read_request(reader, early)
            self.requests.append(request)
            exchange = Exchange(request, writer, self.lines)
            early = await self._answer_or_notice_leaving(exchange, reader)

    # Inside

    async def _strike(self, exchange: Exchange) -> None:
        match self.fault:
            case "stall":
                await asyncio.Event().wait()
            case "reset":
                exchange.reset()
                raise ConnectionResetError
            case "half":
                await exchange.half(self.broken)
                raise ConnectionResetError
            case "garbage":
                await exchange.piece(self.garbage)
            case "error":
                await exchange.piece(self.error)
                await exchange.piece(b"")
                raise Over
            case _:
                pass

    async def _answer_or_notice_leaving(
        self, exchange: Exchange, reader: asyncio.StreamReader
    ) -> bytes:
        """Answer. Returns what has already come of the next request, one byte at most."""
        answering = asyncio.create_task(self._answer(exchange))
        reading = asyncio.create_task(next_byte(reader))
        try:
            await asyncio.wait({answering, reading}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done() and not reading.result():
                self.left.release()
                raise ConnectionResetError
            await answering
            return reading.result() if reading.done() else b""
        finally:
            for task in (answering, reading):
                task.cancel()
            await asyncio.gather(answering, reading, return_exceptions=True)

    async def _answer(self, exchange: Exchange) -> None:
        generates = self.generates(exchange.request)
        self.answering += generates
        try:
            if await self._goes_wrong(exchange, generates):
                return
            if not generates:
                await self.answer(exchange)
                return
            async with self._turns:
                await self.answer(exchange)
        except Refusal as refusal:
            await exchange.send_json(refusal.body, status=refusal.status)
        except Over:
            pass
        finally:
            self.answering -= generates

    async def _goes_wrong(self, exchange: Exchange, generates: bool) -> bool:
        request, refusals = exchange.request, self.refusals()
        if self.api_key is not None and request.path not in self.open_paths:
            if request.headers.get("authorization") != f"Bearer {self.api_key}":
                raise refusals["locked"]
        if generates and self.context is not None:
            if len(request.body) // _BYTES_PER_TOKEN > self.context:
                raise refusals["too-long"]
        fault: Fault | None = self.fault
        if fault is None or not (generates or self.everywhere):
            return False
        refusal = refusals.get(fault)
        if refusal is not None:
            raise refusal
        return await spoil(exchange, fault)
