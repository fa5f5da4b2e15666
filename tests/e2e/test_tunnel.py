"""A rig behind a tunnel: real tracker, real sockets, the stock client."""

import asyncio
import http.client
import json
import logging
import select
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from luckrig.client.me import erase
from luckrig.client.operators import ban
from luckrig.protocol.ids import derive_id
from luckrig.protocol.proofs import make_proof
from tests.e2e.tunnel_peers import Streamer, tunnel_to
from tests.e2e.tunnels import NODE_ID, OPERATOR, OTHER, OWNER, USER, Scene, tunnelled
from tests.fake_engines.engine import OnDemand


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """One rig behind a tunnel."""
    async with tunnelled(tmp_path) as running:
        yield running


async def test_stock_client_streams_through_the_tunnel(scene: Scene) -> None:
    reply = await scene.token()
    assert reply.base_url == scene.base_url
    client = scene.openai(reply.token)
    stream = await client.chat.completions.create(
        model=scene.rig.models[0],
        messages=[{"role": "user", "content": "Hello"}],
        stream=True,
    )
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    whole = await client.chat.completions.create(
        model=scene.rig.models[0], messages=[{"role": "user", "content": "Hello"}]
    )
    assert text == whole.choices[0].message.content != ""
    assert [model.id async for model in client.models.list()] == scene.rig.models


async def test_what_passes_is_on_the_lists(scene: Scene) -> None:
    """Neither side learns the other's address; the answer names the rig and nothing else."""
    request = scene.chat((await scene.token()).token, stream=False)
    request.headers["x-forwarded-for"] = "198.51.100.7"
    request.headers["cookie"] = "a=b"
    answer = await scene.http.send(request)
    assert answer.status_code == 200
    assert answer.headers["luckrig-node"] == NODE_ID
    assert answer.json()["id"]
    assert len(answer.headers.get_list("date")) == 1
    assert "server" not in answer.headers
    # The rig's own number, which its receipts name, not the tracker's.
    assert len(answer.headers.get_list("luckrig-request")) == 1
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


async def test_nothing_that_passes_is_logged(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the log's level: no prompt, reply, token, query or address of a client."""
    caplog.set_level(logging.DEBUG)
    async with tunnel_to(scene.process.address, Streamer(size_of=lambda _: 2)):
        token = (await scene.token()).token
        request = scene.chat(token, text="SENTINEL-PROMPT")
        request.url = request.url.copy_merge_params({"q": "SENTINEL-QUERY"})
        request.headers["x-forwarded-for"] = "SENTINEL-ADDRESS"
        answer = await scene.http.send(request)
        assert answer.text.count("x" * 1000) > 0
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    assert any("connected" in line for line in ours), "the log isn't silent"
    for secret in ("SENTINEL", token, "x" * 100, "78 78 78"):
        assert not [line for line in ours if secret in line]


async def test_errors_of_the_rig_come_through(scene: Scene) -> None:
    refused = await scene.http.send(scene.chat("no-token"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "token_invalid")
    health = await scene.http.get(f"{scene.process.address.origin}/n/{NODE_ID}/health")
    assert health.json()["node_id"] == NODE_ID


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/n/{NODE_ID}/v1/chat/completions", 405),
        ("POST", f"/n/{NODE_ID}/api/create", 404),
        ("POST", f"/n/{NODE_ID}//v1/chat/completions", 404),
        ("GET", f"/n/{NODE_ID}/v1/%6dodels", 404),
        ("GET", f"/n/{NODE_ID}/v1/models/..", 404),
        ("GET", f"/n/{NODE_ID}", 404),
        ("GET", "/n/n1short/v1/models", 404),
        ("GET", f"/n/{NODE_ID[:-1]}a/v1/models", 503),
        ("GET", f"/n/{NODE_ID}/luckrig/queue/a/b", 404),
        ("GET", f"/n/{NODE_ID}/metrics", 404),
    ],
)
async def test_only_a_rigs_routes_reach_it(
    scene: Scene, method: str, path: str, status: int
) -> None:
    sent = await asyncio.to_thread(_raw, scene, method, path)
    assert sent == status


def _raw(scene: Scene, method: str, path: str) -> int:
    """The status of a request whose path no client tidies up."""
    connection = http.client.HTTPConnection("127.0.0.1", scene.process.port)
    connection.request(method, path, headers={"content-length": "0"})
    try:
        return connection.getresponse().status
    finally:
        connection.close()


async def test_bound_token_through_the_relay(scene: Scene) -> None:
    reply = await scene.tracker.token(NODE_ID, user_key=USER, bound=True)
    request = scene.chat(reply.token, stream=False)
    proof = make_proof(
        key=USER,
        method="POST",
        url=f"{scene.base_url}/chat/completions",
        body=request.content,
        now=time.time(),
        jti="j" * 22,
        access_token=reply.token,
    )
    request.headers["authorization"] = f"DPoP {reply.token}"
    request.headers["dpop"] = proof
    assert (await scene.http.send(request)).status_code == 200
    again = await scene.http.send(request)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "proof_invalid")


async def test_ban_cuts_a_stream_at_once(scene: Scene) -> None:
    """The rig is told through the tunnel; it needn't wait until it asks again."""
    scene.engine.pace = pace = OnDemand()
    token = (await scene.token(OTHER)).token
    pace.allow(2)
    response = await scene.http.send(scene.chat(token), stream=True)
    parts = response.aiter_text()
    seen = await anext(parts)
    await ban(scene.tracker, derive_id("u1", OTHER.public), reason="Spam.", operator_key=OPERATOR)
    seen += "".join([part async for part in parts])
    last = seen.strip().split("\n\n")[-1].removeprefix("data: ")
    assert json.loads(last)["error"]["code"] == "banned"
    await scene.engine.left.acquire()
    assert scene.rig.node.queue.active == 0


async def test_banned_rig_loses_its_tunnel(scene: Scene) -> None:
    await ban(scene.tracker, NODE_ID, reason="Fake.", operator_key=OPERATOR)
    assert scene.rig.tunnel is not None
    state = await scene.rig.tunnel.until(lambda state: state.phase != "up")
    assert (state.phase, state.reason) == ("refused", "banned")
    assert "Fake." in state.message


async def test_a_deleted_accounts_rig_loses_its_tunnel(scene: Scene) -> None:
    assert scene.rig.tunnel is not None
    await erase(scene.tracker, user_key=OWNER)
    state = await scene.rig.tunnel.until(lambda state: state.phase != "up")
    assert state.reason == "not_listed"
    assert await scene.process.store.node(NODE_ID) is None


async def test_client_that_leaves_frees_the_engine(scene: Scene) -> None:
    scene.engine.pace = pace = OnDemand()
    pace.allow(1)
    response = await scene.http.send(scene.chat((await scene.token()).token), stream=True)
    await anext(response.aiter_text())
    assert scene.rig.node.queue.active == 1
    await response.aclose()
    await scene.engine.left.acquire()
    assert scene.rig.node.queue.active == 0


async def test_body_over_the_limit_is_refused(scene: Scene) -> None:
    token = (await scene.token()).token
    told = await scene.http.send(scene.chat(token, text="x" * (1 << 20)))
    assert (told.status_code, told.json()["error"]["code"]) == (413, "body_too_large")
    # Who goes on sending may get the reset before the answer; what counts is that it ends.
    ended = await asyncio.to_thread(_endless_body, scene, token)
    assert ended in (b"HTTP/1.1 413", b"reset")


def _endless_body(scene: Scene, token: str) -> bytes:
    """What is answered to a body without an end, by a client that reads as soon as it can."""
    with socket.create_connection(("127.0.0.1", scene.process.port), timeout=10) as sock:
        sock.sendall(
            f"POST /n/{NODE_ID}/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:"
            f"{scene.process.port}\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
        try:
            while not select.select([sock], [], [], 0)[0]:
                sock.sendall(chunk)
            return sock.recv(12)
        except ConnectionError:
            return b"reset"


async def test_map_shows_what_the_heartbeats_say(scene: Scene) -> None:
    """Nothing is probed: the tracker in this scene has a prober that never gets an answer."""
    view = (await scene.tracker.node(NODE_ID)).node
    assert view.status == "available"
    assert view.base_url == scene.base_url
    assert view.queue is not None
    assert view.queue.max_active == 1
