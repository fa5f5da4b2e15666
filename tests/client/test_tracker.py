"""TrackerClient against a tracker on a real socket."""

import gzip
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager

import httpx2
import msgspec
import pytest
import pytest_asyncio

from luckrig.client.tracker import (
    MAX_PAGES,
    TrackerClient,
    open_tracker,
)
from luckrig.client.transport import MAX_ANSWER_BYTES, TrackerUnreachable
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import KeysetReply, NodeDetail, NodePage, PublishReply, RevocationsReply
from tests.client.fake_tracker import (
    NOW,
    TOKEN,
    FakeTracker,
    Reply,
    Rig,
    make_rig,
    serving,
    token_reply,
)

USER = PrivateKey(bytes([9]) * 32)


@pytest.fixture(scope="module")
def served() -> Iterator[FakeTracker]:
    with serving(FakeTracker()) as app:
        yield app


@pytest.fixture
def tracker(served: FakeTracker) -> FakeTracker:
    served.reset(make_rig(1, name="attic"), make_rig(2, name="cellar"))
    return served


@pytest_asyncio.fixture
async def client(tracker: FakeTracker) -> AsyncIterator[TrackerClient]:
    async with open_client(tracker.address) as opened:
        yield opened


def open_client(address: TrackerAddress) -> AbstractAsyncContextManager[TrackerClient]:
    return open_tracker(address, clock=lambda: NOW, new_jti=lambda: secrets.token_urlsafe(16))


async def test_nodes_sends_the_filters_and_returns_the_page(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    page = await client.nodes(gpu="4090 & more", min_vram=24, limit=1)
    assert [node.name for node in page.nodes] == ["attic"]
    assert (page.total, page.next) == (2, "1")
    assert tracker.seen[0].query == {
        "gpu": "4090 & more",
        "min_vram": "24",
        "limit": "1",
    }


async def test_each_node_follows_the_pages(tracker: FakeTracker, client: TrackerClient) -> None:
    tracker.page_nodes = 1
    assert [node.name async for node in client.each_node()] == ["attic", "cellar"]


async def test_pages_without_end_are_not_followed_for_ever(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    page = NodePage(nodes=[tracker.rigs[0].view], total=1, next="again")
    tracker.lies(Reply([msgspec.json.encode(page)]))
    assert len([node async for node in client.each_node()]) == MAX_PAGES


async def test_keyset_comes_unchecked(tracker: FakeTracker, client: TrackerClient) -> None:
    """Whoever uses it checks it with verify_keyset, against the root id that is pinned."""
    reply = KeysetReply(root_id=tracker.root_id, keyset="a.b.c")
    tracker.lies(Reply([msgspec.json.encode(reply)]), path="/api/v1/keyset")
    assert await client.keyset() == reply


async def test_list_of_banned_users_comes_unchecked(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    """Whoever uses it checks it with verify_revocations."""
    reply = RevocationsReply(revocations="a.b.c")
    node_id = tracker.rigs[0].view.id
    tracker.lies(Reply([msgspec.json.encode(reply)]), path=f"/api/v1/revocations/{node_id}")
    assert await client.revocations(node_id) == reply
    with pytest.raises(LuckrigError, match="node id"):
        await client.revocations("../keyset")


async def test_publish_sends_the_very_bytes(tracker: FakeTracker, client: TrackerClient) -> None:
    rig = tracker.rigs[0]
    reply = PublishReply(node_id=rig.view.id, seq=1, page="http://x.example/nodes/n1")
    tracker.lies(Reply([msgspec.json.encode(reply)]), path="/api/v1/nodes")
    assert await client.publish(rig.signed) == reply
    request = tracker.seen[0]
    assert (request.method, request.body) == ("POST", rig.signed)
    assert request.headers["content-type"] == "application/json"


async def test_node_returns_what_the_rig_signed(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    rig = tracker.rigs[0]
    detail = await client.node(rig.view.id)
    assert detail.node == rig.view
    assert bytes(detail.descriptor) == rig.signed


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "palace"},
        {"note": "free money"},
        {"base_url": "http://evil.example/v1"},
        {"base_url": "http://127.0.0.1:9001/v1?x=1"},
        {"base_url": "http://127.0.0.1:9001@evil.example/v1"},
        {"base_url": "http://127.0.0.1:9001"},
        {"hardware": {"gpu": "H100", "vram_bytes": None, "cpu": None, "ram_bytes": None}},
        {"offers": []},
        {"owner_id": "u1" + "a" * 32},
        {"seq": 2},
        {"policy": {"max_active": 9, "max_queue": 9}},
        {"engine": {"kind": "ollama", "version": None}},
        {"id": "n1" + "a" * 32},
    ],
)
async def test_a_view_that_was_altered_is_refused(
    tracker: FakeTracker, client: TrackerClient, changes: dict[str, object]
) -> None:
    """SECURITY: a tracker can list or hide a rig, but it can't alter one."""
    rig = tracker.rigs[0]
    view = {**msgspec.to_builtins(rig.view), **changes}
    body = msgspec.json.encode({"node": view, "descriptor": msgspec.Raw(rig.signed)})
    tracker.lies(Reply([body]))
    with pytest.raises(PeerError) as caught:
        await client.node(rig.view.id)
    assert caught.value.code == "signature_invalid"


async def test_another_rigs_descriptor_is_refused(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    wanted, other = tracker.rigs
    tracker.lies(Reply([other.detail]))
    with pytest.raises(PeerError) as caught:
        await client.node(wanted.view.id)
    assert caught.value.code == "signature_invalid"
    tracker.lies(Reply([Rig(wanted.view, other.signed).detail]))
    with pytest.raises(PeerError):
        await client.node(wanted.view.id)


async def test_every_tampered_descriptor_is_refused(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    """100 of 100: one changed character anywhere in what was signed."""
    rig = tracker.rigs[0]
    start = rig.signed.index(b'"payload":"') + len(b'"payload":"')
    for place in range(start, start + 100):
        other = b"A" if rig.signed[place : place + 1] != b"A" else b"B"
        signed = rig.signed[:place] + other + rig.signed[place + 1 :]
        tracker.lies(Reply([Rig(rig.view, signed).detail]))
        with pytest.raises(PeerError):
            await client.node(rig.view.id)


async def test_a_tracker_puts_itself_in_front_of_no_rig_that_did_not_sign_so(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    """It could read what goes through it."""
    rig = tracker.rigs[0]
    url = f"{tracker.origin}/n/{rig.view.id}/v1"
    view = msgspec.structs.replace(rig.view, base_url=url)
    tracker.lies(Reply([Rig(view, rig.signed).detail]))
    with pytest.raises(PeerError, match="base_url"):
        await client.node(rig.view.id)


@pytest.mark.parametrize("node_id", ["", "n1abc", "../health", "n1" + "A" * 32])
async def test_what_is_no_node_id_never_reaches_the_tracker(
    tracker: FakeTracker, client: TrackerClient, node_id: str
) -> None:
    with pytest.raises(LuckrigError) as caught:
        await client.node(node_id)
    with pytest.raises(LuckrigError):
        await client.token(node_id, user_key=USER)
    assert (caught.value.code, caught.value.param) == ("invalid_request", "node_id")
    assert tracker.seen == []


async def test_token_request_is_proved_with_the_users_key(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    """The fake tracker verifies the proof over exactly this method, URL and body."""
    rig = tracker.rigs[0]
    reply = await client.token(rig.view.id, user_key=USER, ttl_seconds=60)
    assert (reply.token, reply.expires_at) == (TOKEN, NOW + 60)
    assert (reply.base_url, reply.models) == (rig.view.base_url, ["llama3.1:8b"])
    assert msgspec.json.decode(tracker.seen[0].body) == {
        "node_id": rig.view.id,
        "ttl_seconds": 60,
    }


async def test_a_wrong_clock_is_the_trackers_to_explain(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    tracker.clock = lambda: NOW + 3600
    with pytest.raises(LuckrigError) as caught:
        await client.token(tracker.rigs[0].view.id, user_key=USER)
    assert caught.value.code == "proof_invalid"
    assert "clock" in caught.value.message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"node_id": "n1" + "a" * 32}, "token_invalid"),
        ({"token": "a.b.c\x1b]52;c;cHduZWQ=\x07"}, "tracker_unreachable"),
        ({"token": "a.b.c\nrm -rf ~"}, "tracker_unreachable"),
        ({"token": "not a token"}, "tracker_unreachable"),
        ({"token": f"a.b.{'c' * 5000}"}, "tracker_unreachable"),
        ({"base_url": "javascript:alert(1)"}, "tracker_unreachable"),
        ({"base_url": "http://host/v1\n"}, "tracker_unreachable"),
        ({"models": ["good", "\x1b[2Jbad"]}, "unsafe_text"),
        ({"models": ["\u202egnp"]}, "unsafe_text"),
    ],
)
async def test_a_token_reply_that_could_do_harm_is_refused(
    tracker: FakeTracker, client: TrackerClient, changes: dict[str, object], code: str
) -> None:
    view = tracker.rigs[0].view
    reply = {**msgspec.to_builtins(token_reply(view)), **changes}
    tracker.lies(Reply([msgspec.json.encode(reply)]))
    with pytest.raises(LuckrigError) as caught:
        await client.token(view.id, user_key=USER)
    assert caught.value.code == code


async def test_the_trackers_own_refusal_passes_through(client: TrackerClient) -> None:
    with pytest.raises(LuckrigError) as caught:
        await client.node("n1" + "a" * 32)
    assert caught.value.code == "node_not_found"
    assert caught.value.message == "No rig with that id is on this tracker's map."


async def test_a_refusal_is_made_fit_to_print(tracker: FakeTracker, client: TrackerClient) -> None:
    message = "slow\x1b[2J down\r\n\u202eplease" + "!" * 9999
    error = {"message": message, "type": "x", "param": "a\x9bb", "code": "rate_limited"}
    tracker.lies(
        Reply([msgspec.json.encode({"error": error})], status=429, headers={"retry-after": "60"})
    )
    with pytest.raises(LuckrigError) as caught:
        await client.health()
    assert caught.value.message.startswith("slow [2J down   please!!")
    assert len(caught.value.message) == 500
    assert caught.value.message.isprintable()
    assert (caught.value.code, caught.value.param) == ("rate_limited", "a b")
    assert caught.value.retry_after_seconds == 60


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "invalid_request"), (401, "proof_invalid"), (404, "not_found"), (418, "invalid_request"),
     (429, "rate_limited"), (500, "internal_error"), (503, "internal_error")],
)  # fmt: skip
async def test_a_code_from_the_future_becomes_the_nearest_of_ours(
    tracker: FakeTracker, client: TrackerClient, status: int, code: str
) -> None:
    error = {"message": "New here.", "type": "x", "param": None, "code": "from_the_future"}
    tracker.lies(Reply([msgspec.json.encode({"error": error})], status=status))
    with pytest.raises(LuckrigError) as caught:
        await client.health()
    assert (caught.value.code, caught.value.message) == (code, "New here.")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(
    tracker: FakeTracker, client: TrackerClient, status: int
) -> None:
    target = f"{tracker.origin}/elsewhere"
    tracker.lies(Reply(status=status, headers={"location": target}))
    with pytest.raises(TrackerUnreachable, match="redirect"):
        await client.health()
    assert [request.path for request in tracker.seen] == ["/health"]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>It works!</html>", b"\xff\xfe", b"[]", b"null", b"{", b'{"status":"no"}',
     b'{"x":' * 100_000, b"[" * 100_000],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 204, 404, 500])
async def test_garbage_is_not_taken_for_a_tracker(
    tracker: FakeTracker, client: TrackerClient, body: bytes, status: int
) -> None:
    tracker.lies(Reply([body] if status != 204 else [], status=status))
    with pytest.raises(TrackerUnreachable) as caught:
        await client.health()
    assert tracker.origin in caught.value.message
    assert "--tracker" in caught.value.message


async def test_an_answer_without_end_is_cut_off(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    piece = b" " * 65_536
    tracker.lies(Reply(piece for _ in range(MAX_ANSWER_BYTES // len(piece) + 1)))
    with pytest.raises(TrackerUnreachable, match=str(MAX_ANSWER_BYTES)):
        await client.nodes()


async def test_the_largest_answer_is_read(tracker: FakeTracker, client: TrackerClient) -> None:
    page = msgspec.json.encode(NodePage(nodes=[], total=0, next=None))
    tracker.lies(Reply([page, b" " * (MAX_ANSWER_BYTES - len(page))]))
    assert (await client.nodes()).total == 0


async def test_compressed_answers_are_refused(tracker: FakeTracker, client: TrackerClient) -> None:
    """A bomb of 1,000 : 1 needs a client that unpacks what it never asked for."""
    tracker.lies(Reply([gzip.compress(b"{}")], headers={"content-encoding": "gzip"}))
    with pytest.raises(TrackerUnreachable, match="compresses"):
        await client.health()
    assert tracker.seen[0].headers["accept-encoding"] == "identity"


async def test_a_silent_tracker_is_given_up(tracker: FakeTracker) -> None:
    tracker.lies(Reply(hangs=True))
    async with httpx2.AsyncClient(trust_env=False) as http:
        impatient = TrackerClient(
            tracker.address, http, clock=lambda: NOW, new_jti=str, timeout_seconds=0.05
        )
        with pytest.raises(TrackerUnreachable, match=r"within 0\.05 seconds"):
            await impatient.health()


async def test_no_listener_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with open_client(TrackerAddress(origin, None)) as client:
        with pytest.raises(TrackerUnreachable) as caught:
            await client.health()
    assert caught.value.status == 503
    assert caught.value.message == (
        f"The tracker at {origin} can't be reached: nothing answers there."
        " Check its address (--tracker or LUCKRIG_TRACKER)."
    )


async def test_https_to_a_plain_port_is_said_so(tracker: FakeTracker) -> None:
    address = TrackerAddress(tracker.origin.replace("http:", "https:"), None)
    async with open_client(address) as client:
        with pytest.raises(TrackerUnreachable, match="TLS"):
            await client.health()


async def test_a_pinned_root_is_compared(tracker: FakeTracker) -> None:
    async with open_client(TrackerAddress(tracker.origin, tracker.root_id)) as client:
        assert (await client.health()).nodes == 2
    async with open_client(TrackerAddress(tracker.origin, "r1" + "b" * 32)) as client:
        with pytest.raises(PeerError) as caught:
            await client.health()
    assert caught.value.code == "signature_invalid"


async def test_a_newer_trackers_extra_fields_are_fine(
    tracker: FakeTracker, client: TrackerClient
) -> None:
    rig = tracker.rigs[0]
    view = {**msgspec.to_builtins(rig.view), "from_the_future": 1}
    body = msgspec.json.encode({"node": view, "descriptor": msgspec.Raw(rig.signed), "more": []})
    tracker.lies(Reply([body]))
    assert isinstance(await client.node(rig.view.id), NodeDetail)


async def test_proxy_variables_are_ignored(
    tracker: FakeTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with open_client(tracker.address) as client:
        assert (await client.health()).status == "ok"


async def test_a_log_without_end_is_not_followed_for_ever(
    tracker: FakeTracker, client: TrackerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("luckrig.client.tracker.MAX_LOG_PAGES", 3)
    tracker.log.grow(9)
    assert (await client.log()).tip == tracker.log.tip
    tracker.log.grow(1)
    with pytest.raises(TrackerUnreachable, match="more than 3 pages"):
        await client.log()


async def test_log_is_checked_against_the_pinned_root(tracker: FakeTracker) -> None:
    tracker.log.grow(4)
    for root_id, good in ((tracker.log.root_id, True), ("r1" + "a" * 32, False)):
        async with open_client(TrackerAddress(tracker.origin, root_id)) as pinned:
            if good:
                assert (await pinned.log()).size == 4
                continue
            with pytest.raises(PeerError) as caught:
                await pinned.log()
            assert caught.value.code == "signature_invalid"
