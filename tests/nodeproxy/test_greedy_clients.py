"""Clients that want more than their share: of memory, of turns, of a pattern's time, of a slot."""

import asyncio
import gzip
import socket
from collections import Counter
from typing import Final

import msgspec
import pytest

from luckrig.nodeproxy.filters.pack import Rule, RulePack
from luckrig.nodeproxy.filters.rules import RuleSet
from luckrig.nodeproxy.server import ServerLimits
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.conditions import until
from tests.nodeproxy.rigs import make_token, running_rig

NEVER: Final = 3600.0
PATHS: Final = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings")
MIB: Final = 1 << 20

HOSTILE: Final[dict[str, bytes]] = {
    "100,000 arrays": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
    "a megabyte of arrays": b"[" * (MIB - 1),
    "a megabyte of commas": b"[" + b"," * (MIB - 2),
    "a megabyte of quotes": b'"' * (MIB - 1),
    "a megabyte of backslashes": b'{"' + b"\\" * (MIB - 7) + b'":1}',
    "a megabyte of digits": b'{"seed":' + b"9" * (MIB - 10) + b"}",
    "an exponent of a megabyte": b'{"seed":1e' + b"9" * (MIB - 12) + b"}",
    "a fraction of a megabyte": b'{"seed":0.' + b"1" * (MIB - 12) + b"}",
    "100,000 keys": b"{" + b",".join(b'"%d":0' % n for n in range(100_000)) + b"}",
    "100,000 equal keys": b"{" + b'"a":0,' * 100_000 + b'"a":0}',
    "200,000 values": b"[" + b"0," * 200_000 + b"0]",
    "a megabyte of spaces": b" " * (MIB - 1),
    "a megabyte of NULs": bytes(MIB - 1),
    "a megabyte of 0xff": b"\xff" * (MIB - 1),
    "NaN": b'{"model":NaN}',
    "5,000 digits": b'{"seed":' + b"9" * 5000 + b"}",
    "nothing": b"",
}


async def test_hostile_bodies_are_refused_on_every_route() -> None:
    async with (
        FakeOpenAi() as engine,
        running_rig(engine.url, health_interval_seconds=NEVER) as rig,
    ):
        engine.requests.clear()
        for path in PATHS:
            for name, body in HOSTILE.items():
                response = await rig.post(path, body)
                assert response.status_code == 400, (path, name)
                assert len(response.content) < 1000, (path, name)
            assert (await rig.post(path, b" " * (MIB + 1))).status_code == 413
            packed = gzip.compress(bytes(50 * MIB))
            refused = await rig.post(path, packed, content_encoding="gzip")
            assert refused.status_code == 415
            for media_type in ("multipart/form-data; boundary=x", "text/plain", ""):
                assert (await rig.post(path, b"{}", content_type=media_type)).status_code == 415
        assert engine.requests == []
        assert rig.node.queue.active == 0


@pytest.mark.timeout(60)  # a thousand connections
async def test_user_with_a_thousand_requests_delays_another_by_one_turn() -> None:
    """Order of turns at the engine, not times: the first one runs, one more, then the other's."""
    async with (
        FakeOpenAi(pace=OnDemand()) as engine,
        running_rig(engine.url, max_active=1, max_queue=32, health_interval_seconds=NEVER) as rig,
    ):
        engine.requests.clear()
        rig.http.timeout = None
        pace = engine.pace
        assert isinstance(pace, OnDemand)
        greedy = make_token(sub="greedy-user-pseudonym", requests=5_000, concurrency=4)
        flood = [asyncio.create_task(rig.chat("greedy", token=greedy)) for _ in range(1_000)]
        await until(lambda: sum(task.done() for task in flood) >= 996)
        queue = rig.node.queue
        assert (queue.active, queue.waiting) == (1, 3)
        assert len(vars(queue)["_tickets"]) == 4
        modest_token = make_token(sub="modest-user-pseudonym")
        modest = asyncio.create_task(rig.chat("modest", token=modest_token))
        await until(lambda: queue.waiting == 4)
        pace.allow(100_000)
        assert (await modest).status_code == 200
        answers = Counter([task.status_code for task in await asyncio.gather(*flood)])
        assert answers == {200: 4, 429: 996}
        order = [request.json["messages"][0]["content"] for request in engine.requests]
        assert len(order) == 5
        assert order.index("modest") <= 2


async def test_queue_is_bounded_however_many_come() -> None:
    async with (
        FakeOpenAi(pace=OnDemand()) as engine,
        running_rig(engine.url, max_active=1, max_queue=8, health_interval_seconds=NEVER) as rig,
    ):
        rig.http.timeout = None
        pace = engine.pace
        assert isinstance(pace, OnDemand)
        tasks = [
            asyncio.create_task(rig.chat(token=make_token(sub=f"pseudonym-of-user-{number:04}")))
            for number in range(300)
        ]
        await until(lambda: sum(task.done() for task in tasks) >= 291)
        assert rig.node.queue.waiting == 8
        refused = [task.result() for task in tasks if task.done()]
        assert {answer.status_code for answer in refused} == {429}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        pace.allow(100_000)
        answers = Counter([answer.status_code for answer in await asyncio.gather(*tasks)])
        assert answers == {200: 9, 429: 291}


@pytest.mark.parametrize("pattern", ["(a|aa)+$", "(a+)+$", "(a|a?)+$", "(.*a){25}$"])
def test_runaway_pattern_is_stopped_and_counts_as_a_match(pattern: str) -> None:
    """Lint refuses such a pack; without it the time limit of a match is what is left."""
    rule = Rule(id="runaway", category="test/pair", language="en", all=[pattern, "b"])
    runaway = RuleSet([RulePack("test", 1, (rule,))])
    assert runaway.first_hit(["a" * 5_000 + "!b"]) is not None


async def test_client_that_reads_nothing_loses_its_slot_and_the_engines() -> None:
    """Through the whole rig, with a short deadline; bench/slow_sockets.py has the shipped one."""
    limits = ServerLimits(write_seconds=0.05)
    pace = OnDemand()
    pace.allow(900)  # more than all buffers hold; the last hundred never come
    async with (
        FakeOpenAi(reply=["long " * 200] * 1000, pace=pace) as engine,
        running_rig(engine.url, limits=limits, health_interval_seconds=NEVER) as rig,
    ):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            host, _, port = rig.origin.removeprefix("http://").partition(":")
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (host, int(port)))
            body = msgspec.json.encode(
                {
                    "model": rig.models[0],
                    "messages": [{"role": "user", "content": "x"}],
                    "stream": True,
                }
            )
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\n"
                f"Authorization: Bearer {rig.token}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            await loop.sock_sendall(sock, head.encode() + body)
            await until(lambda: rig.node.queue.active == 1)
            await engine.left.acquire()  # the engine saw its client go in the middle of the reply
            await until(lambda: rig.node.queue.active == 0)
        assert (await rig.http.get("/health")).status_code == 200
