"""A rig's own condition, put together from the parts that know it."""

import asyncio
from dataclasses import dataclass
from typing import NoReturn

from luckrig.nodeproxy.counters import MARK_SECONDS, Counters
from luckrig.nodeproxy.engine_watch import EngineWatch
from luckrig.nodeproxy.gate import Gate
from luckrig.nodeproxy.moderation.flags import FlagLog
from luckrig.nodeproxy.moderation.output import OutputRecorder
from luckrig.nodeproxy.queue import RequestQueue
from luckrig.nodeproxy.receipts import ReceiptBook
from luckrig.nodeproxy.sensors import Sensors
from luckrig.nodeproxy.server.counts import ConnectionCounts
from luckrig.protocol.telemetry import Telemetry

MOST_TOKENS_PER_SECOND = 1e6
"""What protocol/telemetry.py allows."""


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """All that knows something. flags, recorder: None without moderation that has them."""

    counters: Counters
    sensors: Sensors
    queue: RequestQueue
    watch: EngineWatch
    gate: Gate
    receipts: ReceiptBook
    connections: ConnectionCounts
    flags: FlagLog | None
    recorder: OutputRecorder | None

    def telemetry(self) -> Telemetry:
        """How the rig is now, for a heartbeat. Asks nobody, so it is quick."""
        counters, queue, condition = self.counters, self.queue, self.sensors.latest()
        rate = counters.tokens_per_second
        return Telemetry(
            status=self.gate.status(self.watch.status(queue)),
            opens_at=self.gate.opens_at,
            wish_at=self.gate.wish_at,
            active=queue.active,
            waiting=queue.waiting,
            max_active=queue.max_active,
            max_waiting=queue.max_waiting,
            served=counters.served,
            failed=counters.failed,
            error_share=round(counters.error_share, 4),
            tokens_per_second=None if rate is None else min(round(rate, 2), MOST_TOKENS_PER_SECOND),
            memory_used_bytes=condition.memory_used_bytes,
            memory_total_bytes=condition.memory_total_bytes,
            gpus=list(condition.gpus),
        )

    async def run(self) -> NoReturn:
        """Take note of the tokens until cancelled, and let the sensors read."""
        with self.sensors.running():
            while True:
                await asyncio.sleep(MARK_SECONDS)
                self.counters.mark()
