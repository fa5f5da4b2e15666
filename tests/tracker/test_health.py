"""The health state machine: every transition."""

from dataclasses import replace
from typing import get_args

import pytest

from luckrig.protocol.wire import NodeHealth, NodeStatus, QueueView
from luckrig.tracker.domain.health import next_health
from luckrig.tracker.domain.records import UNSEEN, Health
from tests.tracker.factories import make_node

STATUSES: tuple[NodeStatus, ...] = get_args(NodeStatus)
QUEUE = QueueView(active=1, waiting=0, max_active=2)
LONG_QUEUE = QueueView(active=2, waiting=7, max_active=2)


def answer(status: NodeStatus) -> NodeHealth:
    return NodeHealth(node_id=make_node().node_id, status=status, queue=LONG_QUEUE)


def seen(status: NodeStatus, *, misses: int = 0) -> Health:
    return Health(status=status, queue=QUEUE, checked_at=100, last_seen_at=90, misses=misses)


def never_seen(*, misses: int) -> Health:
    return Health(
        status="unavailable", queue=None, checked_at=100, last_seen_at=None, misses=misses
    )


ANSWERS = [status for status in STATUSES if status != "unknown"]


@pytest.mark.parametrize("reported", ANSWERS)
@pytest.mark.parametrize(
    "previous",
    [UNSEEN, never_seen(misses=5)]
    + [seen(status, misses=n) for status in STATUSES for n in (0, 1, 9)],
)
def test_a_good_answer_replaces_whatever_was_known(previous: Health, reported: NodeStatus) -> None:
    assert next_health(previous, answer(reported), now=130) == Health(
        status=reported, queue=LONG_QUEUE, checked_at=130, last_seen_at=130, misses=0
    )


@pytest.mark.parametrize("status", STATUSES)
def test_one_miss_is_late_and_shows_what_it_was(status: NodeStatus) -> None:
    assert next_health(seen(status), None, now=130) == Health(
        status=status, queue=QUEUE, checked_at=130, last_seen_at=90, misses=1
    )


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("misses", [1, 2, 50])
def test_from_the_second_miss_in_a_row_a_rig_is_unavailable(
    status: NodeStatus, misses: int
) -> None:
    assert next_health(seen(status, misses=misses), None, now=130) == Health(
        status="unavailable", queue=None, checked_at=130, last_seen_at=90, misses=misses + 1
    )


@pytest.mark.parametrize("previous", [UNSEEN, never_seen(misses=1), never_seen(misses=7)])
def test_a_rig_that_never_answered_is_unavailable_at_once(previous: Health) -> None:
    assert next_health(previous, None, now=130) == replace(
        never_seen(misses=previous.misses + 1),
        checked_at=130,
    )


@pytest.mark.parametrize(
    "previous", [UNSEEN, never_seen(misses=3), *(seen(status, misses=1) for status in STATUSES)]
)
def test_a_rig_that_has_proven_nothing_is_unknown_and_asked_less(previous: Health) -> None:
    assert next_health(previous, answer("unknown"), now=130) == replace(
        previous, status="unknown", queue=None, checked_at=130, misses=previous.misses + 1
    )


def test_an_answer_between_two_misses_keeps_a_rig_up() -> None:
    health = seen("busy")
    for outcome in (None, answer("busy"), None):
        health = next_health(health, outcome, now=130)
    assert health.status == "busy"
