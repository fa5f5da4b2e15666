"""GET /metrics: who may read it, and what never stands in it."""

import json
from typing import Any

import pytest

from luckrig.nodeproxy.server import is_loopback
from luckrig.nodeproxy.server.connection import RequestHead
from luckrig.nodeproxy.settings import metrics_token
from tests.fake_engines.engine import Fault
from tests.fake_engines.knobs import FakeModel
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.prometheus import parse, values
from tests.nodeproxy.rigs import Rig, make_token, running_rig

TOKEN = "metrics-token-4711-sentinel"
MARKER = "xyzzy-secret-marker"


@pytest.fixture
def rig_settings() -> dict[str, Any]:
    """Its owner may read them."""
    return {"metrics_token": TOKEN}


class Caller:
    """A peer at an address of the test's. Implements exchange.Connection."""

    is_congested = False

    def __init__(self, address: str) -> None:
        self.address = address
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def read_body(self) -> bytes:
        return b""

    def start(self, status: int, headers: bytes, *, length: int | None) -> None:
        self.status = status
        lines = headers.decode().strip().split("\r\n")
        self.headers = dict(line.split(": ", 1) for line in lines)

    def write(self, data: bytes, *, more: bool) -> None:
        self.body += data

    async def drain(self) -> None:
        raise AssertionError

    def abort(self) -> None:
        raise AssertionError


async def call(
    rig: Rig, address: str, path: str = "/metrics", method: str = "GET", **headers: str
) -> Caller:
    caller = Caller(address)
    sent = {"host": rig.origin.removeprefix("http://"), **headers}
    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    await rig.node.app(caller, RequestHead(method, path, lines))
    return caller


async def test_it_is_prometheus_text_of_the_right_version(rig: Rig) -> None:
    await rig.chat()
    response = await rig.http.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    metrics = parse(response.text)
    assert all(name.startswith("luckrig_") for name in metrics)
    assert metrics["luckrig_first_token_seconds"].kind == "histogram"
    assert len(metrics) >= 20


# Who may read it


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1"])
async def test_this_machine_may_read(address: str, rig: Rig) -> None:
    assert (await call(rig, address)).status == 200


@pytest.mark.parametrize(
    "address", ["", "192.168.1.5", "203.0.113.5", "2001:db8::1", "::", "localhost", "127.0.0"]
)
async def test_other_addresses_and_tunnels_may_not(address: str, rig: Rig) -> None:
    assert not is_loopback(address)
    await _is_no_route(rig, await call(rig, address))


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via", "CF-Connecting-IP"],
)
@pytest.mark.parametrize("value", ["127.0.0.1", ""])
async def test_what_a_proxy_handed_on_is_not_from_here(header: str, value: str, rig: Rig) -> None:
    response = await rig.http.get("/metrics", headers={header: value})
    assert response.status_code == 404
    with_token = {header: value, "authorization": f"Bearer {TOKEN}"}
    assert (await rig.http.get("/metrics", headers=with_token)).status_code == 200


async def test_where_strangers_come_from_loopback_too_only_the_token_counts(
    engine: FakeOpenAi,
) -> None:
    async with running_rig(engine.url, metrics_token=TOKEN, trust_loopback=False) as rig:
        assert (await rig.http.get("/metrics")).status_code == 404
        headers = {"authorization": f"bearer  {TOKEN}"}
        assert (await rig.http.get("/metrics", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        f"Basic {TOKEN}",
        f"DPoP {TOKEN}",
        TOKEN,
        "Bearer é",
    ],
)
async def test_wrong_tokens_open_nothing(authorization: str, rig: Rig) -> None:
    await _is_no_route(rig, await call(rig, "203.0.113.5", authorization=authorization))


async def test_the_right_token_opens_it_from_everywhere(rig: Rig) -> None:
    for address in ("203.0.113.5", ""):
        caller = await call(rig, address, authorization=f"Bearer {TOKEN}")
        assert caller.status == 200
        values(caller.body.decode())


async def test_a_users_token_and_no_token_at_all_open_nothing(engine: FakeOpenAi) -> None:
    async with running_rig(engine.url) as rig:
        for authorization in ("", "Bearer ", "Bearer None", f"Bearer {rig.token}"):
            await _is_no_route(rig, await call(rig, "203.0.113.5", authorization=authorization))


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_no_other_method_exists(method: str, rig: Rig) -> None:
    for authorization in ("", f"Bearer {TOKEN}"):
        for address in ("127.0.0.1", "203.0.113.5"):
            caller = await call(rig, address, method=method, authorization=authorization)
            await _is_no_route(rig, caller, method)
    assert (await rig.http.request(method, "/metrics")).status_code == 404


async def _is_no_route(rig: Rig, caller: Caller, method: str = "GET") -> None:
    """What a path gets that isn't there: to the byte, its request's number aside."""
    unknown = await call(rig, caller.address, "/metricz", method)
    assert (caller.status, caller.body) == (unknown.status, unknown.body)
    assert caller.status == 404
    assert set(caller.headers) == set(unknown.headers)
    number = "luckrig-request"
    assert caller.headers | {number: ""} == unknown.headers | {number: ""}
    assert not any("metrics" in str(key) for key in rig.node.instruments.counters.requests)


# The setting


@pytest.mark.parametrize("token", ["x" * 15, "x" * 1025, "x" * 20 + " ", "x" * 20 + "\n", "é" * 20])
def test_a_token_that_is_no_good_is_refused_and_not_quoted(token: str) -> None:
    with pytest.raises(ValueError, match="LUCKRIG_METRICS_TOKEN") as refused:
        metrics_token({"LUCKRIG_METRICS_TOKEN": token})
    assert token.strip() not in str(refused.value)


def test_a_token_may_be_missing_or_good() -> None:
    assert metrics_token({}) is None
    assert metrics_token({"LUCKRIG_METRICS_TOKEN": ""}) is None
    assert metrics_token({"LUCKRIG_METRICS_TOKEN": "x" * 16}) == "x" * 16


def test_the_token_is_in_no_representation_of_the_settings(rig: Rig) -> None:
    assert TOKEN not in repr(rig.node)


# What never stands in it


async def test_no_text_of_a_request_or_a_reply_is_ever_in_it(engine: FakeOpenAi, rig: Rig) -> None:
    engine.reply = [MARKER]
    await rig.chat(MARKER)
    await rig.chat(MARKER, stream=True, user=MARKER, metadata={"a": MARKER})
    await rig.chat(MARKER, token=make_token(sub=MARKER))
    await rig.chat(token=MARKER)
    await rig.chat(MARKER + " nude 12 year old")
    await rig.chat(model=MARKER)
    await rig.chat(**{MARKER: MARKER})
    await rig.post("/v1/chat/completions", MARKER.encode())
    await rig.post(f"/v1/{MARKER}", {"model": MARKER}, x_marker=MARKER)
    await rig.http.request(MARKER.replace("-", "").upper(), "/metrics")
    await rig.http.get(f"/luckrig/queue/{MARKER}?{MARKER}")
    await rig.http.get("/metrics", headers={"host": MARKER, "x-marker": MARKER})
    faults: tuple[Fault, ...] = ("reset", "garbage", "error")
    for fault in faults:
        engine.fault = fault
        await rig.chat(MARKER, stream=True)
    page = await rig.http.get("/metrics", headers={"x-marker": MARKER, "user-agent": MARKER})
    assert page.status_code == 200
    parse(page.text)
    assert MARKER not in page.text.lower()
    for secret in (rig.token, TOKEN, "pseudonym-of-a-user"):
        assert secret not in page.text
    assert MARKER not in repr(rig.node.recent_errors) + repr(rig.node.telemetry())


async def test_a_models_name_is_escaped(engine: FakeOpenAi) -> None:
    name = 'a"b\\c} 1'
    engine.models = [FakeModel(name)]
    async with running_rig(engine.url) as rig:
        assert rig.models == [name]
        page = (await rig.http.get("/metrics")).text
    models = parse(page)["luckrig_model_offered"].samples
    assert models == {("luckrig_model_offered", (("model", name),)): 1.0}


async def test_health_stays_as_small_as_it_was(rig: Rig) -> None:
    health: dict[str, Any] = json.loads((await rig.http.get("/health")).text)
    assert set(health) == {"node_id", "status", "queue"}
    assert set(health["queue"]) == {"active", "waiting", "max_active"}
