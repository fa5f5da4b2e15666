"""The queue: bounded, in order, and leaving it never loses a turn."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luckrig.nodeproxy.queue import RequestQueue
from luckrig.protocol.errors import LuckrigError


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_requests_run_up_to_the_limit_and_wait_behind_it() -> None:
    queue = RequestQueue(max_active=2, max_waiting=8)
    await queue.enter(priority=0)
    await queue.enter(priority=0)
    third = asyncio.create_task(queue.enter(priority=0))
    await settle()
    assert (queue.active, queue.waiting, third.done()) == (2, 1, False)
    queue.leave()
    await third
    assert (queue.active, queue.waiting) == (2, 0)
    queue.leave()
    queue.leave()
    assert queue.active == 0


async def test_full_queue_refuses_at_once() -> None:
    queue = RequestQueue(max_active=1, max_waiting=1)
    await queue.enter(priority=0)
    waiting = asyncio.create_task(queue.enter(priority=0))
    await settle()
    with pytest.raises(LuckrigError) as refused:
        await queue.enter(priority=9)
    assert refused.value.code == "queue_full"
    assert refused.value.retry_after_seconds is not None
    queue.leave()
    await waiting


async def test_first_come_first_served_within_a_priority() -> None:
    queue = RequestQueue(max_active=1, max_waiting=8)
    await queue.enter(priority=0)
    order: list[str] = []

    async def request(name: str, priority: int) -> None:
        await queue.enter(priority=priority)
        order.append(name)
        queue.leave()

    names = [("a", 0), ("b", 0), ("high", 5), ("c", 0)]
    tasks: list[asyncio.Task[None]] = []
    for name, priority in names:
        tasks.append(asyncio.create_task(request(name, priority)))
        await settle()
    queue.leave()
    await asyncio.gather(*tasks)
    assert order == ["high", "a", "b", "c"]


async def test_leaving_while_waiting_gives_the_place_up() -> None:
    queue = RequestQueue(max_active=1, max_waiting=1)
    await queue.enter(priority=0)
    waiting = asyncio.create_task(queue.enter(priority=0))
    await settle()
    waiting.cancel()
    await settle()
    assert queue.waiting == 0
    queue.leave()
    assert queue.active == 0
    await queue.enter(priority=0)


async def test_turn_given_to_one_who_just_left_goes_to_the_next() -> None:
    queue = RequestQueue(max_active=1, max_waiting=8)
    await queue.enter(priority=0)
    leaver = asyncio.create_task(queue.enter(priority=0))
    next_one = asyncio.create_task(queue.enter(priority=0))
    await settle()
    queue.leave()
    leaver.cancel()  # in the same turn of the loop: it has the turn and doesn't know yet
    await next_one
    assert queue.active == 1
    queue.leave()
    assert (queue.active, queue.waiting) == (0, 0)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from("enter leave cancel settle".split()), st.integers(0, 9))))
def test_no_order_of_events_loses_or_invents_a_turn(events: list[tuple[str, int]]) -> None:
    async def play() -> None:
        queue = RequestQueue(max_active=2, max_waiting=3)
        tasks: list[asyncio.Task[None]] = []
        left = 0
        for event, number in events:
            if event == "enter":
                tasks.append(asyncio.create_task(queue.enter(priority=number)))
            elif event == "cancel" and tasks:
                tasks[number % len(tasks)].cancel()
            elif event == "leave" and _holders(tasks) > left:
                queue.leave()
                left += 1
            else:
                await settle()
            assert 0 <= queue.active <= 2
            assert queue.waiting <= 3
        await settle()
        assert queue.active == _holders(tasks) - left
        while queue.active:
            queue.leave()
            await settle()
        assert queue.waiting == 0
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(play())


def _holders(tasks: "list[asyncio.Task[None]]") -> int:
    """How many have been given a turn and know it."""
    return sum(task.done() and not task.cancelled() and task.exception() is None for task in tasks)
