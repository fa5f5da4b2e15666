"""Does what the owner asks of a running rig: the other end of nodeproxy/control.py."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, assert_never

from luckrig.nodeproxy.control import (
    AnyCommand,
    Drain,
    Pause,
    Resume,
    RigStatus,
    SetNote,
    ShowStatus,
    TunnelView,
)
from luckrig.nodeproxy.node import Node
from luckrig.nodeproxy.opening import Reading, Wishes
from luckrig.nodeproxy.tunnel.client import TunnelClient
from luckrig.protocol.errors import LuckrigError

MAX_ERRORS: Final = 10


@dataclass(kw_only=True)
class Desk:
    """Implements control.Handler.

    publish: signs and publishes a descriptor with that note. started_at: Unix seconds. tracker: its
    full address. tunnel: None where the rig listens.
    """

    node: Node
    name: str
    note: str
    base_url: str
    page: str
    max_queue: int
    started_at: int
    publish: Callable[[str], Awaitable[None]]
    tracker: str
    engine_url: str
    tunnel: TunnelClient | None

    async def __call__(self, command: AnyCommand) -> RigStatus:
        """Do it, and say how the rig is then. Raises LuckrigError when it can't be done."""
        gate = self.node.gate
        try:
            match command:
                case ShowStatus():
                    pass
                case Pause():
                    await gate.pause(command.seconds)
                case Resume():
                    await gate.resume()
                case Drain():
                    gate.drain(stop=command.stop)
                case SetNote():
                    await self.publish(command.text)
                    self.note = command.text
                case _:
                    assert_never(command)
        except OSError as error:
            raise LuckrigError(
                "internal_error", f"It is so now, but a restart will forget it: {error}."
            ) from error
        return self.status()

    def status(self) -> RigStatus:
        """How the rig is now."""
        node, gate = self.node, self.node.gate
        queue, opening, wishes = node.queue, gate.opening(), gate.wishes
        return RigStatus(
            name=self.name,
            note=self.note,
            base_url=self.base_url,
            page=self.page,
            models=[offer.model for offer in node.watch.state.offers],
            engine=node.watch.state.status,
            reason=opening.reason,
            opens_at=_whole(opening.opens_at),
            changes_at=_whole(opening.look_again_at),
            active=queue.active,
            waiting=queue.waiting,
            max_active=queue.max_active,
            max_queue=self.max_queue,
            served=node.receipts.signed,
            tokens_today=gate.tokens_today,
            tokens_per_day=wishes.tokens_per_day,
            schedule=wishes.schedule,
            celsius=gate.reading.celsius,
            watts=gate.reading.watts,
            busy_share=gate.reading.busy_share,
            blind=_blind(wishes, gate.reading),
            errors=list(reversed(node.recent_errors))[:MAX_ERRORS],
            tokens_per_second=node.telemetry().tokens_per_second,
            started_at=self.started_at,
            stops_when_drained=gate.ends_when_drained,
            tracker=self.tracker,
            engine_url=self.engine_url,
            tunnel=_view(self.tunnel),
            from_tracker=gate.from_tracker,
        )


async def until_told_to_stop(stop: asyncio.Event, drained: asyncio.Event) -> None:
    """Until a signal comes, or the owner's wish to end has been met."""
    waits = [asyncio.create_task(event.wait()) for event in (stop, drained)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _blind(wishes: Wishes, reading: Reading) -> list[str]:
    """Wishes that have no effect, because nothing here can be read for them."""
    needs = {
        "idle.only": wishes.idle_only and reading.busy_share is None,
        "limits.max_celsius": wishes.max_celsius is not None and reading.celsius is None,
        "limits.max_watts": wishes.max_watts is not None and reading.watts is None,
    }
    return [name for name, is_blind in needs.items() if is_blind]


def _view(tunnel: TunnelClient | None) -> TunnelView | None:
    if tunnel is None:
        return None
    state = tunnel.state
    return TunnelView(phase=state.phase, reason=state.reason, message=state.message)


def _whole(at: float | None) -> int | None:
    return None if at is None else math.ceil(at)
