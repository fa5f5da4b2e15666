"""Who may have tokens, how many, and what becomes of a changed key, over HTTP."""

import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest

from luckrig.protocol import work
from luckrig.protocol.errors import CODES
from luckrig.protocol.handover import sign_handover
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.revocations import verify_revocations
from luckrig.protocol.tokens import OWNER_PRIORITY
from luckrig.tracker.domain.accounts import ledger_account
from luckrig.tracker.domain.quotas import network_prefix
from luckrig.tracker.settings import TrackerSettings
from tests.tracker.factories import NOW, make_node, owner_key
from tests.tracker.trackers import KEYS, Tracker, running_tracker

OPERATOR, USER, OTHER, NEXT = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3, 4))
OPERATOR_ID, USER_ID, OTHER_ID, NEXT_ID = (
    derive_id("u1", key.public) for key in (OPERATOR, USER, OTHER, NEXT)
)
RIG = make_node(1)
ASK = json.dumps({"node_id": RIG.node_id}).encode()
BEHIND_PROXY: dict[str, Any] = {"trusted_proxies": (ip_network("127.0.0.0/8"),)}


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    async with running_tracker(operators=frozenset({OPERATOR_ID})) as running:
        await running.publish(RIG)
        yield running


def error_of(response: httpx2.Response) -> tuple[int, str]:
    code = response.json()["error"]["code"]
    assert CODES[code].status == response.status_code
    return response.status_code, code


async def token(
    tracker: Tracker, key: PrivateKey = USER, *, forwarded: str | None = None
) -> httpx2.Response:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return await tracker.ask_token(ASK, key=key, proof=None, **headers)


async def register(tracker: Tracker, key: PrivateKey = USER, **fields: Any) -> httpx2.Response:
    return await tracker.ask("/api/v1/registration", json.dumps(fields).encode(), key=key)


async def hand_over(
    tracker: Tracker, old: PrivateKey = USER, new: PrivateKey = NEXT, *, at: float = NOW
) -> httpx2.Response:
    body = sign_handover(root_id=KEYS.root_id, old=old, new=new, now=at)
    headers = {"content-type": "application/json"}
    return await tracker.http.post("/api/v1/handover", content=body, headers=headers)


# Quotas


async def test_hour_ends_when_the_answer_says() -> None:
    async with running_tracker(tokens_per_hour=1) as tracker:
        await tracker.publish(RIG)
        tracker.clock.now = NOW + 100.5
        assert (await token(tracker)).status_code == 200
        refused = await token(tracker)
        assert error_of(refused) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "3500"
        assert "contributors get more" in refused.json()["error"]["message"]
        assert (await token(tracker, OTHER)).status_code == 200
        tracker.clock.now += 3500
        assert (await token(tracker)).status_code == 200


async def test_network_has_its_own_limit() -> None:
    async with running_tracker(tokens_per_hour_prefix=2, **BEHIND_PROXY) as tracker:
        await tracker.publish(RIG)
        for key, last in ((USER, 1), (OTHER, 2)):
            forwarded = f"9.9.9.9, 203.0.113.{last}"
            assert (await token(tracker, key, forwarded=forwarded)).status_code == 200
        refused = await token(tracker, NEXT, forwarded="203.0.113.77")
        assert error_of(refused) == (429, "rate_limited")
        assert "network" in refused.json()["error"]["message"]
        elsewhere = await token(tracker, NEXT, forwarded="203.0.114.1")
        assert elsewhere.status_code == 200


async def test_forwarded_address_of_a_stranger_is_not_believed() -> None:
    """This machine has no limit; whoever believed the header would refuse the second one."""
    async with running_tracker(tokens_per_hour_prefix=1) as tracker:
        await tracker.publish(RIG)
        for _ in range(3):
            assert (await token(tracker, forwarded="203.0.113.1")).status_code == 200


async def test_new_keys_of_a_network_are_limited() -> None:
    async with running_tracker(registrations_per_day_prefix=1, **BEHIND_PROXY) as tracker:
        await tracker.publish(RIG)
        forwarded = "2001:db8:0:aa00::1"
        assert (await token(tracker, forwarded=forwarded)).status_code == 200
        refused = await token(tracker, OTHER, forwarded="2001:db8:0:aaff::2")
        assert error_of(refused) == (429, "rate_limited")
        assert "new keys" in refused.json()["error"]["message"]
        assert (await token(tracker, forwarded=forwarded)).status_code == 200


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:0:aaff::9", "2001:db8:0:aa00::/56"),
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.1", None),
        ("not an address", "unknown"),
        ("203.0.113.9:80", "unknown"),
    ],
)
def test_network_of_an_address(address: str, prefix: str | None) -> None:
    assert network_prefix(address) == prefix


# Tiers


async def test_contributor_gets_more(tracker: Tracker) -> None:
    assert (await token(tracker)).json()["tier"] == "limited"
    account = ledger_account(USER_ID, secret=KEYS.pairwise)
    await tracker.store.users.promote([account], now=NOW)
    reply = (await token(tracker)).json()
    assert reply["tier"] == "contributor"
    assert reply["limits"] == {
        "requests": 600, "output_tokens": 8192, "concurrency": 4, "priority": 5,
    }  # fmt: skip


async def test_owner_goes_first_at_their_own_rig_and_only_there(tracker: Tracker) -> None:
    for rig in (1, 2):
        await tracker.publish(make_node(rig))
        body = json.dumps({"node_id": make_node(rig).node_id}).encode()
        reply = (await tracker.ask_token(body, key=owner_key(1))).json()
        assert reply["tier"] == "limited"
        owns = make_node(rig).descriptor.owner_id == derive_id("u1", owner_key(1).public)
        assert reply["limits"]["priority"] == (OWNER_PRIORITY if owns else 0)
        assert reply["limits"]["output_tokens"] == (8192 if owns else 1024)


# Registration


async def test_open_tracker_registers_by_itself(tracker: Tracker) -> None:
    info = (await tracker.http.get("/api/v1/registration")).json()
    assert info == {"mode": "open", "work_bits": 0}
    assert (await token(tracker)).status_code == 200
    assert (await register(tracker)).json() == {"user_id": USER_ID, "tier": "limited"}


async def test_work_is_asked_of_new_keys_only() -> None:
    async with running_tracker(registration_work=8) as tracker:
        await tracker.publish(RIG)
        assert error_of(await token(tracker)) == (403, "registration_required")
        for wrong in (None, "", "é", work.solve(root_id=KEYS.root_id, user_id=OTHER_ID, bits=12)):
            refused = await register(tracker, work=wrong)
            assert error_of(refused) == (403, "registration_required")
        nonce = work.solve(root_id=KEYS.root_id, user_id=USER_ID, bits=8)
        assert (await register(tracker, work=nonce)).status_code == 200
        assert (await token(tracker)).status_code == 200


async def test_invite_lets_in_as_many_as_it_says() -> None:
    operators = frozenset({OPERATOR_ID})
    async with running_tracker(registration="invite", operators=operators) as tracker:
        await tracker.publish(RIG)
        path, body = "/api/v1/admin/invites", b'{"uses": 1}'
        assert error_of(await tracker.ask(path, body, key=USER)) == (403, "operators_only")
        code = (await tracker.ask(path, body, key=OPERATOR)).json()["code"]
        assert error_of(await token(tracker)) == (403, "registration_required")
        wrong = await register(tracker, invite="wrong")
        assert (await register(tracker, invite=code)).status_code == 200
        used_up = await register(tracker, OTHER, invite=code)
        assert wrong.json() == used_up.json()
        assert error_of(used_up) == (403, "registration_required")
        assert (await token(tracker)).status_code == 200


async def test_closed_tracker_takes_nobody() -> None:
    async with running_tracker(registration="closed") as tracker:
        await tracker.publish(RIG)
        assert error_of(await token(tracker)) == (403, "registration_required")
        assert error_of(await register(tracker)) == (403, "registration_required")


# Hand-over


async def revoked(tracker: Tracker) -> list[str]:
    reply = (await tracker.http.get(f"/api/v1/revocations/{RIG.node_id}")).json()
    key = KEYS.signing.signer(now=NOW).public
    return verify_revocations(
        reply["revocations"], keys={key.thumbprint: key}, issuer=KEYS.root_id,
        audience=RIG.node_id, min_seq=0, now=tracker.clock.now,
    ).subs  # fmt: skip


async def test_replaced_key_is_nobody_and_its_tokens_end(tracker: Tracker) -> None:
    await token(tracker)
    assert await revoked(tracker) == []
    first = await hand_over(tracker)
    assert first.json() == {"old": USER_ID, "new": NEXT_ID, "received_at": NOW}
    assert len(await revoked(tracker)) == 1
    assert error_of(await token(tracker)) == (403, "key_replaced")
    assert error_of(await register(tracker)) == (403, "key_replaced")
    assert (await token(tracker, NEXT)).status_code == 200
    tracker.clock.now += 7200
    again = await tracker.http.post(
        "/api/v1/handover", content=first.request.content,
        headers={"content-type": "application/json"},
    )  # fmt: skip
    assert again.json() == first.json()


async def test_new_key_has_no_new_quota() -> None:
    async with running_tracker(tokens_per_hour=1) as tracker:
        await tracker.publish(RIG)
        await token(tracker)
        await hand_over(tracker)
        assert error_of(await token(tracker, NEXT)) == (429, "rate_limited")


async def test_hand_over_is_no_way_around_an_invite() -> None:
    async with running_tracker(registration="invite") as tracker:
        await tracker.publish(RIG)
        assert (await hand_over(tracker)).status_code == 200
        assert error_of(await token(tracker, NEXT)) == (403, "registration_required")


async def test_ban_stays_on_the_user(tracker: Tracker) -> None:
    await hand_over(tracker)
    decided = await tracker.decide("ban", USER_ID, key=OPERATOR)
    assert decided.json()["notice"]["target_id"] == NEXT_ID
    assert error_of(await token(tracker, NEXT)) == (403, "banned")
    assert error_of(await hand_over(tracker, NEXT, OTHER)) == (403, "banned")


async def test_registered_or_stale_hand_over_is_refused(tracker: Tracker) -> None:
    await token(tracker, NEXT)
    assert error_of(await hand_over(tracker)) == (409, "handover_conflict")
    assert error_of(await hand_over(tracker, at=NOW - 3601)) == (400, "invalid_request")


async def test_rig_goes_over_with_its_owner(tracker: Tracker) -> None:
    from_owner = owner_key(1)
    to_owner = owner_key(2)
    assert (await hand_over(tracker, from_owner, to_owner)).status_code == 200
    assert error_of(await tracker.publish(RIG)) == (403, "key_replaced")


# Settings


def test_settings_for_users() -> None:
    settings = TrackerSettings.from_env(
        {
            "LUCKRIG_TRACKER_REGISTRATION": "invite",
            "LUCKRIG_TRACKER_REGISTRATION_WORK": "20",
            "LUCKRIG_TRACKER_TRUSTED_PROXIES": "10.0.0.1, ::1/128",
            "LUCKRIG_TRACKER_TOKENS_PER_HOUR_PREFIX": "7",
        }
    )
    assert (settings.registration, settings.registration_work) == ("invite", 20)
    assert settings.trusted_proxies == (ip_network("10.0.0.1/32"), ip_network("::1/128"))
    assert settings.tokens_per_hour_prefix == 7
    for name, wrong in (
        ("REGISTRATION", "maybe"),
        ("REGISTRATION_WORK", "33"),
        ("TRUSTED_PROXIES", "all"),
    ):
        with pytest.raises(ValueError, match=name):
            TrackerSettings.from_env({f"LUCKRIG_TRACKER_{name}": wrong})
