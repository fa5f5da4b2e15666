"""What the steps that ask the engine share: the parts to ask it with, the asking, its faults."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from luckrig.nodeproxy.counters import Counters
from luckrig.nodeproxy.engines.base import Dialect
from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.receipts import ReceiptBook, Served
from luckrig.nodeproxy.timing import Meter
from luckrig.nodeproxy.upstream import Upstream, UpstreamResponse
from luckrig.protocol.errors import LuckrigError, UpstreamError

MAX_FAULT_BYTES: Final = 65_536
"""Of an answer that says what is wrong, no more is read."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The engine, as the last step of a request sees it.

    quantization_of: a model's, as the engine says, or None. on_fault: called when the engine
    doesn't answer as it should. monotonic: seconds from any origin.
    """

    upstream: Upstream
    dialect: Dialect
    quantization_of: Callable[[str], str | None]
    on_fault: Callable[[], None]
    receipts: ReceiptBook
    counters: Counters
    monotonic: Callable[[], float]

    def note(self, error: LuckrigError) -> None:
        """How a step ended that asked the engine: on_fault is told of an UpstreamError."""
        if isinstance(error, UpstreamError):
            self.on_fault()

    async def ask(
        self,
        exchange: Exchange,
        path: str,
        body: bytes,
        fault: Callable[[int, bytes], LuckrigError],
    ) -> tuple[UpstreamResponse, Meter]:
        """The engine's answer, of status 200, and the meter that runs since the request left.

        fault: what another status and its body mean. Raises that, and UpstreamError.
        """
        meter = Meter(queue_seconds=exchange.queue_seconds, monotonic=self.monotonic)
        self.counters.reach_engine(exchange, meter)
        response = await self.upstream.request("POST", path, body)
        exchange.on_close(response.close)
        if response.status != 200:
            raise fault(response.status, await response.read_up_to(MAX_FAULT_BYTES))
        return response, meter

    def served(self, exchange: Exchange, meter: Meter) -> Served:
        """The exchange's receipt, to be completed."""
        return Served(self.receipts, exchange, meter, streamed=exchange.is_streamed)

    def reply_headers(self, exchange: Exchange) -> bytes:
        """What the head of every reply says of the model and the wait."""
        quantization = self.quantization_of(exchange.known_call.model) or "unknown"
        return b"luckrig-quant: %b\r\nluckrig-queue-ms: %.0f\r\n" % (
            quantization.encode("ascii", "replace"),
            exchange.queue_seconds * 1000,
        )
