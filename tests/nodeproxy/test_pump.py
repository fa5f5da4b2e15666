"""A body that goes to a sink: the end comes in the same callback, nothing after a cancel."""

import asyncio

import pytest

from luckrig.nodeproxy.upstream import UpstreamResponse
from luckrig.nodeproxy.upstream.response import Timeouts
from tests.nodeproxy.upstream_scenes import CHUNKED, OK, both_loops


class _Wire:
    """A connection that does nothing but remember how its answer ended."""

    reusable: bool | None = None

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def finish(self, *, reusable: bool) -> None:
        self.reusable = reusable


def _answer() -> tuple[UpstreamResponse, _Wire]:
    wire = _Wire()
    return UpstreamResponse(wire, Timeouts(5, 5, 5)), wire


async def _pumping(answer: UpstreamResponse, got: list[bytes]) -> "asyncio.Task[bool]":
    """A task that waits for bytes."""

    def sink(data: bytes) -> bool:
        got.append(data)
        return True

    task = asyncio.create_task(answer.pump(sink))
    await asyncio.sleep(0)
    return task


@both_loops
async def test_the_end_comes_in_the_callback_that_brought_the_last_bytes() -> None:
    answer, wire = _answer()
    got: list[bytes] = []
    task = await _pumping(answer, got)
    answer.feed(CHUNKED)
    assert got == [b"hello world", b""]
    assert wire.reusable
    assert await task


@both_loops
async def test_an_answer_that_was_whole_before_is_pumped_to_its_end() -> None:
    answer, _ = _answer()
    got: list[bytes] = []
    answer.feed(CHUNKED)
    task = await _pumping(answer, got)
    assert await task
    assert got == [b"hello world", b""]


@both_loops
async def test_a_sink_that_lags_gets_the_end_with_the_next_call() -> None:
    answer, _ = _answer()
    got: list[bytes] = []

    def slow(data: bytes) -> bool:
        got.append(data)
        return False

    task = asyncio.create_task(answer.pump(slow))
    await asyncio.sleep(0)
    answer.feed(CHUNKED)
    assert not await task
    assert got == [b"hello world"]
    assert await answer.pump(slow)
    assert got == [b"hello world", b""]


@both_loops
async def test_a_cancelled_pump_gets_nothing_more() -> None:
    answer, _ = _answer()
    got: list[bytes] = []
    task = await _pumping(answer, got)
    task.cancel()
    answer.feed(CHUNKED)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert got == []


@both_loops
async def test_what_the_sink_raises_at_the_end_reaches_the_caller() -> None:
    answer, _ = _answer()

    def sink(data: bytes) -> bool:
        if not data:
            raise LookupError
        return True

    task = asyncio.create_task(answer.pump(sink))
    await asyncio.sleep(0)
    answer.feed(CHUNKED)
    with pytest.raises(LookupError):
        await task


@both_loops
async def test_the_body_of_a_second_message_is_nobodys() -> None:
    answer, wire = _answer()
    got: list[bytes] = []
    task = await _pumping(answer, got)
    answer.feed(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nextra")
    assert await task
    assert got == [b"ok", b""]
    assert wire.reusable is False
