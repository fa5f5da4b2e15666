"""Signing a browser in: codes that work once, sessions that end, and who gets neither."""

from collections.abc import AsyncIterator

import pytest

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.tracker.domain.records import HandoverRecord
from luckrig.tracker.service.operators import Operators
from luckrig.tracker.service.sessions import (
    CODE_SECONDS,
    IDLE_SECONDS,
    MAX_CODES,
    MAX_CODES_PER_NETWORK,
    SESSION_SECONDS,
    USED_EVERY_SECONDS,
    SessionService,
)
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.browsers import COOKIE, SAME_ORIGIN, signed_in, text_of, visitor
from tests.tracker.factories import NOW, make_node, owner_key, seeded
from tests.tracker.trackers import Clock, Tracker, running_tracker

OPERATOR = PrivateKey(b"\1" * 32)
OPERATOR_ID = derive_id("u1", OPERATOR.public)
OWNER = owner_key(1)
OWNER_ID = derive_id("u1", OWNER.public)
RIG = make_node(1)


def make_service(clock: Clock, store: MemoryStore | None = None) -> SessionService:
    """Sessions of a tracker with one operator."""
    return SessionService(
        store or MemoryStore(),
        Operators(frozenset({OPERATOR_ID})),
        clock=clock,
        random_bytes=seeded(7).randbytes,
    )


def some_id(number: int) -> str:
    """Somebody's user id."""
    return derive_id("u1", owner_key(1000 + number).public)


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker with one rig and one operator."""
    async with running_tracker(operators=frozenset({OPERATOR_ID})) as running:
        assert (await running.publish(RIG)).status_code == 200
        yield running


async def test_the_address_signs_in_whoever_asked_for_it(tracker: Tracker) -> None:
    browser = visitor(tracker)
    page = await browser.open(f"/login/{await browser.login_code(OWNER)}")
    assert OWNER_ID in text_of(page)
    await browser.sign_in(OWNER)
    assert OWNER_ID in text_of(await browser.open("/me"))


async def test_looking_at_the_address_uses_nothing_up(tracker: Tracker) -> None:
    browser = visitor(tracker)
    code = await browser.login_code(OWNER)
    for _ in range(3):
        await browser.open(f"/login/{code}")
        assert browser.cookie is None
    reply = await browser.http.post("/login", data={"code": code}, headers=SAME_ORIGIN)
    assert reply.status_code == 303
    assert browser.cookie is not None


async def test_visitors_get_no_cookie(tracker: Tracker) -> None:
    for path in ("/", f"/nodes/{RIG.node_id}", "/me", "/operator", "/nothing"):
        reply = await tracker.http.get(path)
        assert "set-cookie" not in reply.headers


async def test_a_code_is_good_for_five_minutes() -> None:
    clock = Clock()
    service = make_service(clock)
    code, expires_at = await service.invite(OWNER_ID)
    assert expires_at == NOW + CODE_SECONDS
    clock.now += CODE_SECONDS
    with pytest.raises(PeerError, match="five minutes"):
        await service.enter(code)


async def test_no_network_takes_all_codes_and_operators_always_get_one() -> None:
    clock = Clock()
    service = make_service(clock)
    for number in range(MAX_CODES_PER_NETWORK):
        await service.invite(some_id(number), network="203.0.113.0/24")
    with pytest.raises(PeerError) as refused:
        await service.invite(some_id(0), network="203.0.113.0/24")
    assert refused.value.code == "rate_limited"
    await service.invite(OPERATOR_ID, network="203.0.113.0/24")
    await service.invite(some_id(0), network="198.51.100.0/24")


async def test_codes_are_bounded_until_they_expire() -> None:
    """Used ones count too: that bounds how many sessions begin."""
    clock = Clock()
    service = make_service(clock)
    first, _ = await service.invite(OWNER_ID)
    await service.enter(first)
    for _ in range(MAX_CODES - 1):
        await service.invite(OWNER_ID)
    with pytest.raises(PeerError) as refused:
        await service.invite(OWNER_ID)
    assert refused.value.retry_after_seconds == CODE_SECONDS
    code, _ = await service.invite(OPERATOR_ID)
    assert service.whose(code) == OPERATOR_ID
    clock.now += CODE_SECONDS
    await service.invite(OWNER_ID)


async def test_a_banned_user_signs_in_and_reads_why(tracker: Tracker) -> None:
    assert (await tracker.decide("ban", OWNER_ID, key=OPERATOR)).status_code == 200
    browser = await signed_in(tracker, OWNER)
    text = text_of(await browser.open("/me"))
    assert "The user was banned" in text and "spam" in text


async def test_a_replaced_key_neither_signs_in_nor_stays_signed_in() -> None:
    clock, store = Clock(), MemoryStore()
    service = make_service(clock, store)
    early, _ = await service.invite(OWNER_ID)
    cookie, _ = await service.enter(early)
    late, _ = await service.invite(OWNER_ID)
    handover = HandoverRecord(
        old_user_id=OWNER_ID, new_user_id=some_id(1), signed="{}", received_at=NOW
    )
    await store.users.hand_over(handover, uses=[], now=NOW)
    assert await service.user_of(cookie) is None
    for refused in (service.enter(late), service.invite(OWNER_ID)):
        with pytest.raises(PeerError) as error:
            await refused
        assert error.value.code == "key_replaced"


async def test_a_session_ends_after_half_an_hour_without_use() -> None:
    clock = Clock()
    service = make_service(clock)
    cookie, _ = await service.enter((await service.invite(OWNER_ID))[0])
    for _ in range(3):
        clock.now += IDLE_SECONDS - 1
        assert await service.user_of(cookie) is not None
    clock.now += IDLE_SECONDS
    assert await service.user_of(cookie) is None
    clock.now -= IDLE_SECONDS
    assert await service.user_of(cookie) is None, "it was forgotten"


async def test_a_session_ends_after_twelve_hours_whatever_its_use() -> None:
    clock = Clock()
    service = make_service(clock)
    cookie, record = await service.enter((await service.invite(OWNER_ID))[0])
    assert record.expires_at == NOW + SESSION_SECONDS
    while clock.now + 1000 < record.expires_at:
        clock.now += 1000
        assert await service.user_of(cookie) is not None
    clock.now = record.expires_at
    assert await service.user_of(cookie) is None


async def test_use_is_written_once_a_minute() -> None:
    clock, store = Clock(), MemoryStore()
    service = make_service(clock, store)
    cookie, record = await service.enter((await service.invite(OWNER_ID))[0])
    clock.now += USED_EVERY_SECONDS - 1
    await service.user_of(cookie)
    assert await store.sessions.session(record.token_hash) == record
    clock.now += 1
    session = await service.user_of(cookie)
    assert session is not None and session.record.used_at == clock.now
    assert await store.sessions.session(record.token_hash) == session.record


async def test_neither_cookie_nor_code_is_stored_or_printed(tracker: Tracker) -> None:
    browser = await signed_in(tracker, OPERATOR)
    cookie = browser.cookie
    assert cookie is not None
    assert await tracker.store.sessions.session(cookie) is None
    service = make_service(Clock())
    secret, _ = await service.enter((await service.invite(OWNER_ID))[0])
    session = await service.user_of(secret)
    assert secret not in repr(session)


async def test_an_operators_sign_in_is_in_the_audit_log(tracker: Tracker) -> None:
    await signed_in(tracker, OWNER)
    await signed_in(tracker, OPERATOR)
    rows = await tracker.store.cases.audit(after=-1, limit=10)
    entered = [row for row in rows if b'"entered"' in row.entry]
    assert len(entered) == 1
    assert OPERATOR_ID.encode() in entered[0].entry


async def test_signing_out_ends_the_session_and_drops_the_cookie(tracker: Tracker) -> None:
    browser = await signed_in(tracker, OWNER)
    cookie = browser.cookie
    reply = await browser.send("/logout")
    assert reply.status_code == 303
    assert browser.cookie is None
    again = await tracker.http.get("/me", headers={"cookie": f"{COOKIE}={cookie}"})
    assert again.status_code == 401


async def test_signing_in_again_ends_the_earlier_session(tracker: Tracker) -> None:
    browser = await signed_in(tracker, OWNER)
    earlier = browser.cookie
    await browser.sign_in(OPERATOR)
    assert OPERATOR_ID in text_of(await browser.open("/me"))
    again = await tracker.http.get("/me", headers={"cookie": f"{COOKIE}={earlier}"})
    assert again.status_code == 401


async def test_two_cookies_of_our_name_are_none(tracker: Tracker) -> None:
    browser = await signed_in(tracker, OWNER)
    both = f"{COOKIE}=chosen-by-somebody-else; {COOKIE}={browser.cookie}"
    assert (await tracker.http.get("/me", headers={"cookie": both})).status_code == 401


@pytest.mark.parametrize("cookie", ["", "x", "\u00e9" * 43, "a" * 5000, "a b", '"quoted"'])
async def test_a_strange_cookie_is_nobody(tracker: Tracker, cookie: str) -> None:
    header = f"{COOKIE}={cookie}".encode("latin-1")
    reply = await tracker.http.get("/me", headers={b"cookie": header})
    assert reply.status_code == 401


async def test_what_somebody_signed_in_sees_stays_in_no_cache(tracker: Tracker) -> None:
    browser = await signed_in(tracker, OPERATOR)
    for path in ("/me", "/operator", "/operator/audit", "/operator/decide"):
        assert (await browser.http.get(path)).headers["cache-control"] == "no-store"
