"""The queue: bounded, fair, and leaving it never loses a turn."""

from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luckrig.nodeproxy.queue import AGEING_SECONDS, MAX_REMEMBERED, RequestQueue, Ticket
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.tokens import OWNER_PRIORITY


@dataclass
class Scene:
    """A queue, its clock, and who got a turn in which order."""

    max_active: int = 1
    max_waiting: int = 32
    now: float = 1000.0
    started: list[str] = field(default_factory=list[str])
    _ids: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        self.queue = RequestQueue(
            max_active=self.max_active,
            max_waiting=self.max_waiting,
            monotonic=lambda: self.now,
            new_id=self._new_id,
        )

    def _new_id(self) -> str:
        self._ids.append(f"ticket-{len(self._ids)}")
        return self._ids[-1]

    def join(self, name: str, *, sub: str | None = None, priority: int = 0) -> Ticket:
        """A request of that name; of a user of its own unless sub says whose."""
        ticket = self.queue.join(
            sub=sub or name,
            priority=priority,
            cancel=lambda: None,
        )
        ticket.on_turn = lambda: self.started.append(name)
        if ticket.started_at is not None:
            self.started.append(name)
        return ticket

    def run_out(self) -> list[str]:
        """End each turn as soon as it is given; the order of all turns."""
        while running := [t for t in self.tickets if t.started_at is not None]:
            self.leave(running[0])
        return self.started

    @property
    def tickets(self) -> list[Ticket]:
        """All that wait or run."""
        found = map(self.queue.find, self._ids)
        return [ticket for ticket in found if ticket is not None]

    def leave(self, ticket: Ticket) -> None:
        """It is over."""
        self.queue.leave(ticket)


def test_requests_run_up_to_the_limit_and_wait_behind_it() -> None:
    scene = Scene(max_active=2)
    first, _, third = (scene.join(name) for name in "abc")
    assert (scene.queue.active, scene.queue.waiting) == (2, 1)
    assert (third.started_at, scene.queue.position(third)) == (None, 1)
    scene.leave(first)
    assert (scene.queue.active, scene.queue.waiting) == (2, 0)
    assert (third.started_at, scene.queue.position(third)) == (scene.now, 0)


def test_full_queue_refuses_at_once_and_says_when_to_try_again() -> None:
    scene = Scene(max_waiting=1)
    running = scene.join("a")
    waiting = scene.join("b")
    with pytest.raises(LuckrigError) as refused:
        scene.join("c", priority=OWNER_PRIORITY)
    assert (refused.value.code, refused.value.retry_after_seconds) == ("queue_full", 5)
    scene.now += 20
    scene.leave(running)
    scene.join("d")
    with pytest.raises(LuckrigError) as refused:
        scene.join("e")
    assert refused.value.retry_after_seconds == 20
    scene.leave(waiting)


def test_first_come_first_served_among_equals() -> None:
    scene = Scene()
    for name in "abcd":
        scene.join(name)
    assert scene.run_out() == list("abcd")


def test_better_tier_goes_first() -> None:
    scene = Scene()
    for name, priority in (("a", 0), ("b", 0), ("high", 5), ("c", 0)):
        scene.join(name, priority=priority)
    assert scene.run_out() == ["a", "high", "b", "c"]


def test_waiting_makes_up_for_a_tier() -> None:
    """Without this, a rig that contributors keep busy would never answer anybody else."""
    scene = Scene()
    scene.join("running")
    scene.join("low", priority=0)
    scene.now += 5 * AGEING_SECONDS
    scene.join("high", priority=5)
    scene.join("late", priority=0)
    assert scene.run_out() == ["running", "low", "high", "late"]


def test_owner_goes_before_everybody_however_long_they_waited() -> None:
    scene = Scene()
    scene.join("running")
    scene.join("old", priority=8)
    scene.now += 100 * AGEING_SECONDS
    scene.join("owner 1", sub="owner", priority=OWNER_PRIORITY)
    scene.join("owner 2", sub="owner", priority=OWNER_PRIORITY)
    assert scene.run_out() == ["running", "owner 1", "owner 2", "old"]


def test_user_with_many_requests_delays_nobody_else() -> None:
    """1,000 requests of one user, then one each of three others: theirs are next."""
    scene = Scene(max_waiting=2000)
    for number in range(1000):
        scene.join(f"many {number}", sub="many")
    for name in ("a", "b", "c"):
        scene.join(name)
    assert scene.run_out()[:5] == ["many 0", "many 1", "a", "b", "c"]


def test_shares_are_fair_over_time() -> None:
    scene = Scene(max_waiting=200)
    for number in range(50):
        scene.join(f"a{number}", sub="a")
    for number in range(50):
        scene.join(f"b{number}", sub="b")
    order = scene.run_out()
    for length in range(10, 100, 10):
        assert abs(sum(name[0] == "a" for name in order[:length]) - length / 2) <= 1


def test_rest_earns_nothing() -> None:
    """Whoever was away doesn't get all turns at once for it."""
    scene = Scene(max_waiting=200)
    for number in range(20):
        scene.leave(scene.join(f"busy {number}", sub="busy"))
    scene.join("running", sub="busy")
    for number in range(4):
        scene.join(f"busy {20 + number}", sub="busy")
        scene.join(f"rested {number}", sub="rested")
    order = scene.run_out()[21:]
    assert sum(name.startswith("busy") for name in order[:4]) == 2


def test_estimate_follows_how_long_turns_take() -> None:
    scene = Scene(max_active=2)
    running = [scene.join("a"), scene.join("b")]
    waiting = [scene.join(name) for name in "cdef"]
    assert [scene.queue.eta_seconds(ticket) for ticket in waiting] == [None] * 4
    scene.now += 10
    scene.leave(running[0])
    assert [scene.queue.eta_seconds(ticket) for ticket in waiting] == [0, 5, 10, 15]


def test_more_slots_are_used_at_once_and_fewer_as_turns_end() -> None:
    scene = Scene()
    tickets = [scene.join(name) for name in "abcd"]
    scene.queue.resize(3)
    assert (scene.started, scene.queue.active) == (["a", "b", "c"], 3)
    scene.queue.resize(1)
    scene.leave(tickets[0])
    assert (scene.queue.active, scene.queue.waiting) == (2, 1)
    scene.leave(tickets[1])
    scene.leave(tickets[2])
    assert scene.started == ["a", "b", "c", "d"]


def test_memory_of_shares_is_bounded() -> None:
    scene = Scene()
    for number in range(3 * MAX_REMEMBERED):
        scene.leave(scene.join(f"user {number}"))
    assert len(vars(scene.queue)["_shares"]) <= MAX_REMEMBERED


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["join", "leave", "resize", "wait"]),
            st.integers(0, 20),
            st.integers(0, 9),
        ),
        max_size=60,
    )
)
def test_no_turn_is_lost_or_given_twice(actions: list[tuple[str, int, int]]) -> None:
    scene = Scene(max_active=2, max_waiting=3)
    names = count()
    for action, number, priority in actions:
        if action == "join":
            try:
                scene.join(str(next(names)), sub=f"user {number % 4}", priority=priority)
            except LuckrigError:
                assert scene.queue.waiting == 3
        elif action == "leave" and scene.tickets:
            scene.leave(scene.tickets[number % len(scene.tickets)])
        elif action == "resize":
            scene.queue.resize(1 + number % 4)
        else:
            scene.now += number
        running = [ticket for ticket in scene.tickets if ticket.started_at is not None]
        waiting = [ticket for ticket in scene.tickets if ticket.started_at is None]
        assert (scene.queue.active, scene.queue.waiting) == (len(running), len(waiting))
        assert not waiting or scene.queue.active >= scene.queue.max_active
        places = sorted(scene.queue.position(ticket) for ticket in waiting)
        assert places == list(range(1, len(waiting) + 1))
    scene.run_out()
    assert (scene.queue.active, scene.queue.waiting) == (0, 0)
    assert len(set(scene.started)) == len(scene.started)
