"""A ban reaches a rig: new requests are refused, running ones end, the engine is free again."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from luckrig.nodeproxy.server.connection import RequestHead
from luckrig.protocol.errors import LuckrigError
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.conditions import until
from tests.nodeproxy.rigs import Rig, StandInTracker, make_token, running_rig

USER = "pseudonym-of-a-user"
OTHER = "pseudonym-of-another"


@pytest.fixture
def rig_settings() -> dict[str, Any]:
    """Room for one request."""
    return {"max_active": 1}


async def ban(rig: Rig, *subs: str) -> None:
    """The tracker bans these users, and the rig hears of it."""
    rig.tracker.banned = set(subs)
    await rig.node.revocations.refresh()


def error_of(response: httpx2.Response) -> tuple[int, str, str]:
    """Status, type and code."""
    error = response.json()["error"]
    return response.status_code, error["type"], error["code"]


REFUSED = (403, "permission_error", "banned")


async def test_banned_user_is_refused_and_nobody_else(rig: Rig) -> None:
    assert (await rig.chat()).status_code == 200
    await ban(rig, USER)
    assert error_of(await rig.chat()) == REFUSED
    models = await rig.http.get("/v1/models", headers={"authorization": f"Bearer {rig.token}"})
    assert error_of(models) == REFUSED
    assert (await rig.chat(token=make_token(sub=OTHER))).status_code == 200
    assert (await rig.http.get("/health")).status_code == 200
    await ban(rig)
    assert (await rig.chat()).status_code == 200


async def test_running_stream_ends_with_an_error_and_frees_the_engine(
    engine: FakeOpenAi, rig: Rig
) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(2)
    body = {"model": rig.models[0], "messages": [{"role": "user", "content": "x"}], "stream": True}
    headers = {"authorization": f"Bearer {rig.token}"}
    async with rig.http.stream(
        "POST", "/v1/chat/completions", json=body, headers=headers
    ) as response:
        parts = response.aiter_text()
        seen = await anext(parts)
        while '"!"' not in seen:
            seen += await anext(parts)
        await ban(rig, USER)
        await engine.left.acquire()
        seen += "".join([part async for part in parts])
    assert response.status_code == 200
    events = [line.removeprefix("data: ") for line in seen.split("\n\n") if line]
    assert json.loads(events[-1])["error"]["code"] == "banned"
    assert "[DONE]" not in seen
    assert rig.node.queue.active == 0
    pace.allow(100)
    assert (await rig.chat(token=make_token(sub=OTHER))).status_code == 200


async def test_reply_in_one_piece_becomes_a_403_and_frees_the_engine(
    engine: FakeOpenAi, rig: Rig
) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(2)
    request = asyncio.create_task(rig.chat())
    await until(lambda: len(engine.requests) == 1)
    await ban(rig, USER)
    assert error_of(await request) == REFUSED
    await engine.left.acquire()
    assert rig.node.queue.active == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_request_that_waits_for_its_turn_leaves_the_queue(
    stream: bool, engine: FakeOpenAi, rig: Rig
) -> None:
    engine.pace = pace = OnDemand()
    running = asyncio.create_task(rig.chat(token=make_token(sub=OTHER)))
    await until(lambda: len(engine.requests) == 1)
    waiting = asyncio.create_task(rig.chat(stream=stream))
    await until(lambda: rig.node.queue.waiting == 1)
    await ban(rig, USER)
    assert error_of(await waiting) == REFUSED
    assert rig.node.queue.waiting == 0
    pace.allow(100)
    assert (await running).status_code == 200
    assert len(engine.requests) == 1


async def test_body_that_is_still_coming_is_not_waited_for(engine: FakeOpenAi, rig: Rig) -> None:
    """A banned user can't hold a connection by sending its body slowly."""
    host = rig.origin.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {rig.token}\r\n\r\n{{".encode()
    )
    await until(lambda: rig.node.bans.running)
    await ban(rig, USER)
    assert b" 403 " in await reader.readline()
    writer.close()
    assert engine.requests == []


async def test_client_that_leaves_and_is_banned_at_once_does_no_harm(
    engine: FakeOpenAi, rig: Rig
) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(2)
    request = asyncio.create_task(rig.chat(stream=True))
    await until(lambda: len(engine.requests) == 1)
    request.cancel()
    await ban(rig, USER)
    await engine.left.acquire()
    await until(lambda: not rig.node.bans.running)
    assert rig.node.queue.active == 0
    pace.allow(100)
    assert (await rig.chat(token=make_token(sub=OTHER))).status_code == 200


async def test_client_that_takes_nothing_holds_no_engine_once_banned(
    engine: FakeOpenAi, rig: Rig
) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(2)
    client = _Unwilling(rig)
    serving = asyncio.create_task(rig.node.app(client, client.head))
    await until(lambda: client.taken)
    await ban(rig, USER)
    await serving
    assert rig.node.queue.active == 0
    assert b'"banned"' in client.taken[-1]


async def test_rig_without_its_tracker_keeps_serving_and_keeps_its_list(
    engine: FakeOpenAi, rig: Rig
) -> None:
    await ban(rig, USER)
    rig.tracker.away = True
    rig.tracker.banned = {OTHER}
    with pytest.raises(LuckrigError):
        await rig.node.revocations.refresh()
    assert error_of(await rig.chat()) == REFUSED
    assert (await rig.chat(token=make_token(sub=OTHER))).status_code == 200


async def test_rig_follows_by_itself_from_its_start(engine: FakeOpenAi) -> None:
    async with running_rig(engine.url, tracker=StandInTracker(banned={USER})) as rig:
        response = await rig.chat()
        while response.status_code == 200:  # at most until the loop's first turn
            response = await rig.chat()
        assert error_of(response) == REFUSED


async def test_nothing_is_kept_of_exchanges_that_are_over(rig: Rig) -> None:
    for token in (None, make_token(sub=OTHER)):
        await rig.chat(token=token)
        await rig.chat(token=token, stream=True)
        await rig.chat(token=token, model="other")
    await until(lambda: not rig.node.bans.running)


class _Unwilling:
    """A client that reads nothing of its stream. Implements exchange.Connection."""

    address = "127.0.0.1"
    is_congested = True

    def __init__(self, rig: Rig) -> None:
        headers = {
            b"host": rig.origin.removeprefix("http://").encode(),
            b"content-type": b"application/json",
            b"authorization": f"Bearer {rig.token}".encode(),
        }
        self.head = RequestHead("POST", "/v1/chat/completions", list(headers.items()))
        messages = [{"role": "user", "content": "x"}]
        self._body = {"model": rig.models[0], "messages": messages, "stream": True}
        self.taken: list[bytes] = []

    async def read_body(self) -> bytes:
        """The request."""
        return json.dumps(self._body).encode()

    def start(self, status: int, headers: bytes, *, length: int | None) -> None:
        """The head."""

    def write(self, data: bytes, *, more: bool) -> None:
        """What was sent, and not read."""
        self.taken.append(data)

    async def drain(self) -> None:
        """It never catches up."""
        await asyncio.Event().wait()

    def abort(self) -> None:
        """Nothing to close."""
