"""Signing keys come and go, and no token that was good becomes bad."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.keyset import Keyset, verify_keyset
from luckrig.protocol.tokens import verify
from luckrig.tracker.domain.rotation import (
    KEPT_SECONDS,
    LIFETIME_SECONDS,
    PUBLISHED_EARLY_SECONDS,
    next_start,
    published,
    signing,
)
from luckrig.tracker.service.keyset import SigningKeys, TrackerKeys
from tests.tracker.factories import NOW, make_node
from tests.tracker.trackers import KEYS, Tracker, running_tracker

DAY = 86_400
HOUR = 3600
USER = PrivateKey(b"a user who wants to try this rig"[:32])
RIG = make_node(1)


@pytest.mark.parametrize(
    ("starts", "now", "signs", "shown", "following"),
    [
        ([0], 0, 0, [0], None),
        ([0], 29 * DAY - 1, 0, [0], None),
        ([0], 29 * DAY, 0, [0], 30 * DAY + 1),
        ([0], 29 * DAY + HOUR, 0, [0], 30 * DAY + HOUR + 1),
        ([0], 400 * DAY, 0, [0], 401 * DAY + 1),  # it was off for a year
        ([0, 30 * DAY], 29 * DAY, 0, [0, 30 * DAY], None),
        ([0, 30 * DAY], 30 * DAY - 1, 0, [0, 30 * DAY], None),
        ([0, 30 * DAY], 30 * DAY, 30 * DAY, [0, 30 * DAY], None),
        ([0, 30 * DAY], 31 * DAY + HOUR - 1, 30 * DAY, [0, 30 * DAY], None),
        ([0, 30 * DAY], 31 * DAY + HOUR, 30 * DAY, [30 * DAY], None),
        ([0, 30 * DAY], 59 * DAY, 30 * DAY, [30 * DAY], 60 * DAY + 1),
        ([0, 900 * DAY], 10 * DAY, 0, [0], None),  # made while the clock was wrong
        ([0, 900 * DAY], 29 * DAY, 0, [0], 30 * DAY + 1),
        ([50 * DAY], 40 * DAY, 50 * DAY, [50 * DAY], None),  # the clock went back
        ([900 * DAY], 40 * DAY, 900 * DAY, [900 * DAY], None),
    ],
)
def test_schedule(
    starts: list[int], now: int, signs: int, shown: list[int], following: int | None
) -> None:
    assert signing(starts, now=now) == signs
    assert published(starts, now=now) == shown
    assert next_start(starts, now=now) == following


@given(st.lists(st.integers(1, 40 * DAY), min_size=1, max_size=60))
def test_whatever_the_tracker_sleeps_keys_are_shown_early_and_kept_long(steps: list[int]) -> None:
    """At any sequence of looks: few keys, the signer among them, none shown late or lost early."""
    starts, now = [NOW], NOW
    shown_at: dict[int, int] = {NOW: NOW - PUBLISHED_EARLY_SECONDS}
    for step in steps:
        now += step
        start = next_start(starts, now=now)
        if start is not None:
            starts = sorted([*starts, start])
            shown_at[start] = now
        shown, signs = published(starts, now=now), signing(starts, now=now)
        assert signs in shown
        assert len(shown) <= 8
        assert signs - shown_at[signs] >= PUBLISHED_EARLY_SECONDS
        for key, stop in pairwise(starts):
            assert (key in shown) == (now < stop + KEPT_SECONDS)
        assert next_start(starts, now=now) is None
        assert now < signs + LIFETIME_SECONDS or starts[-1] > now or step > DAY


def rotating_keys(made: dict[int, PrivateKey]) -> TrackerKeys:
    """Keys that are kept in `made`, as files would."""

    def make(start: int) -> PrivateKey:
        made[start] = PrivateKey(start.to_bytes(32))
        return made[start]

    return TrackerKeys(
        root=KEYS.root, signing=SigningKeys({NOW: make(NOW)}, make=make), pairwise=KEYS.pairwise
    )


async def keyset_of(tracker: Tracker, *, min_seq: int) -> Keyset:
    reply = (await tracker.http.get("/api/v1/keyset")).json()
    return verify_keyset(
        reply["keyset"], root_id=KEYS.root_id, min_seq=min_seq, now=tracker.clock.now
    )


async def token_of(tracker: Tracker) -> str:
    reply = await tracker.ask_token(json.dumps({"node_id": RIG.node_id}).encode(), key=USER)
    token: str = reply.json()["token"]
    return token


async def test_every_token_is_good_at_a_rig_whose_keyset_is_a_day_old() -> None:
    """65 days in steps of 3 hours: each token verifies, also by the keyset of 21 hours before."""
    made: dict[int, PrivateKey] = {}
    keys = rotating_keys(made)
    async with running_tracker(keys=keys, tokens_per_hour=10) as tracker:
        await tracker.publish(RIG)
        kept: list[Keyset] = []
        signers: set[str] = set()
        for _ in range(65 * 8):
            keys.signing.rotate(now=tracker.clock.now)
            kept = [*kept, await keyset_of(tracker, min_seq=kept[-1].seq if kept else 0)][-8:]
            token = await token_of(tracker)
            for keyset in (kept[0], kept[-1]):
                verify(
                    token,
                    keys=keyset.by_kid(),
                    issuer=KEYS.root_id,
                    audience=RIG.node_id,
                    now=tracker.clock.now,
                )
            signers.add(token.partition(".")[0])
            tracker.clock.now += 3 * HOUR
        assert len(signers) == len(made) == 3


async def test_a_token_from_before_a_rotation_is_good_after_it() -> None:
    keys = rotating_keys({})
    async with running_tracker(keys=keys) as tracker:
        await tracker.publish(RIG)
        tracker.clock.now = NOW + LIFETIME_SECONDS - PUBLISHED_EARLY_SECONDS
        assert keys.signing.rotate(now=tracker.clock.now)
        assert not keys.signing.rotate(now=tracker.clock.now)
        tracker.clock.now += PUBLISHED_EARLY_SECONDS
        before = await token_of(tracker)
        tracker.clock.now += 60
        after = await token_of(tracker)
        assert before.partition(".")[0] != after.partition(".")[0]
        trusted = (await keyset_of(tracker, min_seq=0)).by_kid()
        for token in (before, after):
            verify(
                token,
                keys=trusted,
                issuer=KEYS.root_id,
                audience=RIG.node_id,
                now=tracker.clock.now,
            )


async def test_a_keyset_with_another_key_has_a_higher_seq() -> None:
    """Also within one second."""
    keys = rotating_keys({})
    async with running_tracker(keys=keys) as tracker:
        tracker.clock.now = NOW + LIFETIME_SECONDS - PUBLISHED_EARLY_SECONDS
        first = await keyset_of(tracker, min_seq=0)
        keys.signing.rotate(now=tracker.clock.now)
        second = await keyset_of(tracker, min_seq=first.seq + 1)
        assert (len(first.keys), len(second.keys)) == (1, 2)
        assert await keyset_of(tracker, min_seq=0) == second
