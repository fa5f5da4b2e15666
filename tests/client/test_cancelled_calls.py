"""A call that is cancelled, at whichever await: its connections are free for the next one."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from luckrig.client.calling import connections
from luckrig.protocol.errors import LuckrigError
from tests.client.stand_in_network import Rig, Scene, World, ask, scene
from tests.client.wire_server import Request, Wire


class CancelledAt:
    """Awaits the work; at its `step`-th wait, from 0, the task that does so is cancelled."""

    def __init__(self, work: Coroutine[Any, Any, None], step: int) -> None:
        self._work, self._step = work, step
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self._work.__await__()
        error: BaseException | None = None
        while True:
            try:
                waits_for = next(steps) if error is None else steps.throw(error)
            except StopIteration:
                return
            task = asyncio.current_task()
            assert task is not None
            if self.waits == self._step:
                task.cancel()
            self.waits += 1
            error = None
            try:
                yield waits_for
            except BaseException as cancelled:
                error = cancelled


async def hang_up(request: Request, wire: Wire) -> None:
    wire.cut()


async def unavailable(request: Request, wire: Wire) -> None:
    raise LuckrigError("engine_unavailable", "The engine is down.")


@pytest.fixture
async def s(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)  # one for each rig
    world = World()
    async with scene(Rig(1, world), Rig(2, world), world=world) as made:
        yield made


@pytest.mark.parametrize("fault", [None, hang_up, unavailable])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("subtext", [False, True])
async def test_a_call_that_is_cancelled_leaves_nothing_open(
    s: Scene, fault: Any, stream: bool, subtext: bool
) -> None:
    async def whole() -> None:
        async with await s.network.call(ask(stream=stream, subtext=subtext)) as reply:
            assert [piece async for piece in reply]

    async def do(work: CancelledAt) -> None:
        await work

    for step in count():
        s.world.passed += 86_400  # new tokens, sealing keys and map, and nobody rests
        s.rigs[0].script = [] if fault is None else [fault]
        work = CancelledAt(whole(), step)
        with suppress(asyncio.CancelledError):
            await asyncio.create_task(do(work))
        s.rigs[0].script.clear()
        await whole()
        if work.waits <= step:  # it came to its end
            return
