"""A rig's sealing keys: new each day, signed, forgotten in time."""

import itertools
from collections.abc import Callable

import msgspec
import pytest

from luckrig.nodeproxy.pipeline import Pipeline
from luckrig.nodeproxy.sealing.keys import MAX_KEPT, SealingKeys
from luckrig.nodeproxy.settings import SubtextPace, subtext_pace
from luckrig.nodeproxy.steps.read import SEALED_ENDPOINTS
from luckrig.protocol.subtext.keyring import (
    SEALING_PATH,
    PublishedKey,
    SealingReply,
    verify_sealing_keys,
)
from luckrig.protocol.surface import ROUTES, methods_of
from tests.nodeproxy.rigs import NODE_ID, NODE_KEY, Rig

NOW = 1_790_000_000.0
HOUR = 3600.0


def counted_bytes() -> Callable[[int], bytes]:
    """Other bytes each time, the same in each run."""
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(2, "big") * (size // 2)


class Scene:
    """Keys and their clock."""

    def __init__(self) -> None:
        self.now = NOW
        self.keys = SealingKeys(
            node_key=NODE_KEY, clock=lambda: self.now, random_bytes=counted_bytes()
        )

    def published(self) -> list[PublishedKey]:
        """As a client reads them now."""
        reply = msgspec.json.decode(self.keys.answer, type=SealingReply)
        return verify_sealing_keys(reply.sealing, node_id=NODE_ID, now=self.now)

    @property
    def key_id(self) -> bytes:
        return self.published()[0].key.key_id


def test_both_kinds_are_published_the_hybrid_one_first() -> None:
    scene = Scene()
    first, second = scene.published()
    assert (first.key.kem, second.key.kem) == ("mlkem768-x25519", "x25519")
    assert first.expires_at == second.expires_at == NOW + 26 * HOUR
    for each in (first, second):
        found = scene.keys.find(each.key.key_id)
        assert found is not None
        assert found.public == each.key


def test_answer_is_the_same_until_the_keys_change() -> None:
    scene = Scene()
    answer = scene.keys.answer
    scene.now += 24 * HOUR - 1
    assert scene.keys.answer is answer
    scene.now += 1
    assert scene.keys.answer != answer


def test_key_is_published_a_day_and_opens_for_two() -> None:
    scene = Scene()
    key_id = scene.key_id
    scene.now += 24 * HOUR
    assert scene.key_id != key_id
    scene.now += 24 * HOUR - 1
    assert scene.keys.find(key_id) is not None
    scene.now += 1
    assert scene.keys.find(key_id) is None


def test_keys_are_forgotten_though_nobody_asks() -> None:
    """After a week in which the rig only looked, nothing of the first day is in memory."""
    scene = Scene()
    for _ in range(7 * 24):
        scene.now += HOUR
        scene.keys.look()
    held = scene.keys._days  # pyright: ignore[reportPrivateUsage]
    assert all(scene.now - day.made_at < 48 * HOUR for day in held)
    assert len(held) <= 3


def test_clock_that_is_set_right_makes_keys_that_clients_take() -> None:
    """A machine without a battery wakes up in another year."""
    for wrong in (NOW + 1e8, 0.0):
        scene = Scene()
        scene.now = wrong
        scene.keys.look()
        scene.now = NOW + 2e6
        assert len(scene.published()) == 2


def test_clock_that_is_corrected_a_little_keeps_the_keys() -> None:
    scene = Scene()
    key_id = scene.key_id
    scene.now -= 30.0
    assert scene.key_id == key_id


def test_clock_that_jumps_to_and_fro_fills_no_memory() -> None:
    scene = Scene()
    for number in range(100):
        scene.now = NOW - (number % 2) * 5 * HOUR - number
        scene.keys.look()
    assert len(scene.keys._days) <= MAX_KEPT  # pyright: ignore[reportPrivateUsage]


async def test_anybody_may_ask(rig: Rig) -> None:
    responses = [await rig.http.get(SEALING_PATH) for _ in range(200)]
    assert {each.status_code for each in responses} == {200}
    assert len({each.content for each in responses}) == 1
    assert responses[0].headers["cache-control"] == "no-store"
    assert (await rig.http.post(SEALING_PATH)).status_code == 405


def test_relay_lets_it_through() -> None:
    assert methods_of(SEALING_PATH) == ("GET",)


def test_what_can_be_sealed_is_what_a_rig_generates(rig: Rig) -> None:
    """Path by path, under the pipeline's own names."""
    pipeline: Pipeline = rig.node.app._pipeline  # pyright: ignore[reportPrivateUsage]
    posts = {path for path, method in ROUTES.items() if method == "POST"}
    assert SEALED_ENDPOINTS == {path: pipeline.route("POST", path).endpoint for path in posts}


def test_pace_is_read_and_bounded() -> None:
    assert subtext_pace({}) == SubtextPace(tick_seconds=0.1, events=8)
    environ = {"LUCKRIG_SUBTEXT_TICK_MS": "10", "LUCKRIG_SUBTEXT_EVENTS": "64"}
    assert subtext_pace(environ) == SubtextPace(tick_seconds=0.01, events=64)


@pytest.mark.parametrize(
    ("tick_ms", "events"),
    [("9", "0"), ("1001", "65"), ("-1", "-1"), ("1.5", "x"), ("１０", "１"), ("9" * 30, "9" * 30)],
)
def test_wrong_paces_are_all_named(tick_ms: str, events: str) -> None:
    wrong = {"LUCKRIG_SUBTEXT_TICK_MS": tick_ms, "LUCKRIG_SUBTEXT_EVENTS": events}
    with pytest.raises(ValueError, match=r"TICK_MS must be .* 10 to 1000; .*EVENTS must be .* 64"):
        subtext_pace(wrong)
