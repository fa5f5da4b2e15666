"""Which web pages may read a rig's answers: its tracker's, on the console's routes, no others."""

from typing import Any, Final

import httpx2
import pytest

from luckrig.nodeproxy.cors import PageRules
from luckrig.protocol.address import browser_origin
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import Rig
from tests.nodeproxy.sealed import carried, seal, sealing_key

TRACKER: Final = "https://luckrig.example"
TICKET: Final = "/luckrig/queue/kD1oVn0eSh2uJvX0gq3mBw"
FOR_PAGES: Final = {
    "/v1/chat/completions": ["POST"],
    "/v1/models": ["GET"],
    "/luckrig/sealing": ["GET"],
    TICKET: ["GET", "DELETE"],
}
NOT_FOR_PAGES: Final = (
    "/v1/completions", "/v1/responses", "/v1/embeddings", "/health", "/metrics",
    "/luckrig/proof/abcdefghijklmnopqrstuv", "/", "/nope", "/v1/chat/completions/", "*",
)  # fmt: skip
METHODS: Final = ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "*", "get", "")
FOREIGN: Final = (
    "null", "", "*", "http://luckrig.example", "https://luckrig.example:8443",
    "https://luckrig.example:443", "https://luckrig.example:80", "https://luckrig.example.",
    "https://luckrig.example/", "https://luckrig.example.evil.test", "https://evil.luckrig.example",
    "https://notluckrig.example", "https://luckrig.exampl", "https://Luckrig.example",
    "https://luckrig.example@evil.test", "https://evil.test/luckrig.example",
    "https://luckrig.example https://evil.test", "https://evil.test, https://luckrig.example",
    "https://luckrig\u202e.example", "https://127.0.0.1", "http://localhost", "https://luckrig_example",
    "file://", "chrome-extension://abcdefgh", "https://luckrig.example\t#",
)  # fmt: skip


@pytest.fixture
def rig_settings() -> dict[str, Any]:
    return {"page_origins": frozenset({"https://LUCKRIG.example:443"})}


def permissions(response: httpx2.Response) -> dict[str, str]:
    """What the answer permits to a page."""
    return {
        name: value
        for name, value in response.headers.items()
        if name.startswith("access-control-")
    }


async def ask(rig: Rig, path: str, origin: str, method: str, **more: str) -> httpx2.Response:
    """A preflight."""
    headers = {
        b"origin": origin.encode("latin-1", "replace"),
        b"access-control-request-method": method.encode(),
        b"access-control-request-headers": b"authorization,content-type,dpop",
        **{name.replace("_", "-").encode(): value.encode() for name, value in more.items()},
    }
    return await rig.http.request("OPTIONS", path, headers=list(headers.items()))


async def test_trackers_pages_get_permission_for_the_consoles_routes_only(rig: Rig) -> None:
    for path in (*FOR_PAGES, *NOT_FOR_PAGES):
        allowed = FOR_PAGES.get(path, [])
        for method in METHODS:
            response = await ask(rig, path, TRACKER, method)
            if method not in allowed:
                assert response.status_code in (404, 405), (path, method)
                assert permissions(response) == {}, (path, method)
                continue
            assert response.status_code == 200
            assert response.content == b""
            assert response.headers["vary"] == "origin"
            assert permissions(response) == {
                "access-control-allow-origin": TRACKER,
                "access-control-allow-methods": ", ".join(allowed),
                "access-control-allow-headers": "authorization, content-type, dpop",
                "access-control-max-age": "600",
            }


@pytest.mark.parametrize("origin", FOREIGN)
async def test_nobody_elses_pages_get_any(rig: Rig, origin: str) -> None:
    """Not even one header, and the same answer as without any origin."""
    for path, methods in FOR_PAGES.items():
        refused = await ask(
            rig, path, origin, methods[0], access_control_request_private_network="true"
        )
        plain = await rig.http.request("OPTIONS", path)
        assert (refused.status_code, refused.content) == (plain.status_code, plain.content)
        assert refused.status_code in (404, 405)
        assert permissions(refused) == {}
        for method in methods:
            headers = [(b"origin", origin.encode("latin-1", "replace"))]
            answer = await rig.http.request(method, path, headers=headers)
            assert permissions(answer) == {}
            assert answer.headers["vary"] == "origin"


async def test_answers_and_refusals_can_be_read_by_the_tracker_only(
    rig: Rig, engine: FakeOpenAi
) -> None:
    body = {"model": rig.models[0], "messages": [{"role": "user", "content": "Hello"}]}
    for stream in (False, True):
        for token, status in ((rig.token, 200), ("no token", 401)):
            answer = await rig.post(
                "/v1/chat/completions", {**body, "stream": stream}, token=token, origin=TRACKER
            )
            assert answer.status_code == status
            read = permissions(answer)
            assert read.pop("access-control-allow-origin") == TRACKER
            exposed = read.pop("access-control-expose-headers").split(", ")
            own = {name for name in answer.headers if name.startswith("luckrig-")}
            assert own <= set(exposed) >= {"retry-after"}
            assert read == {}
    sealed = seal("/v1/completions", {}, key=await sealing_key(rig), token=rig.token)
    for stream in (False, True):
        carrier = carried(sealed, stream=stream)
        answer = await rig.post("/v1/chat/completions", carrier, origin=TRACKER)
        assert permissions(answer)["access-control-allow-origin"] == TRACKER
        assert answer.headers["vary"] == "origin"
    for path in ("/health", "/metrics", "/nope"):
        answer = await rig.http.get(path, headers={"origin": TRACKER})
        assert permissions(answer) == {}
    asked = len(engine.requests)
    # A rebound name, or two opinions: refused before anybody looks at what a page may.
    for headers in (
        [(b"host", b"evil.test"), (b"origin", TRACKER.encode())],
        [(b"origin", TRACKER.encode()), (b"origin", TRACKER.encode())],
        [(b"origin", TRACKER.encode()), (b"origin", b"https://evil.test")],
    ):
        for method in ("GET", "OPTIONS"):
            named = [*headers, (b"access-control-request-method", b"GET")]
            answer = await rig.http.request(method, "/luckrig/sealing", headers=named)
            assert (answer.status_code, permissions(answer)) == (400, {})
    assert len(engine.requests) == asked


async def test_private_networks_are_opened_to_the_tracker_alone(rig: Rig) -> None:
    asked = {"access_control_request_private_network": "true"}
    answer = await ask(rig, "/luckrig/sealing", TRACKER, "GET", **asked)
    assert answer.headers["access-control-allow-private-network"] == "true"
    answer = await ask(
        rig, "/luckrig/sealing", TRACKER, "GET", access_control_request_private_network="1"
    )
    assert "access-control-allow-private-network" not in answer.headers
    answer = await ask(rig, "/health", TRACKER, "GET", **asked)
    assert permissions(answer) == {}


async def test_a_preflight_is_counted_and_nothing_is_made_of_it(
    rig: Rig, engine: FakeOpenAi
) -> None:
    await ask(rig, "/v1/chat/completions", TRACKER, "POST")
    assert rig.node.instruments.counters.requests[("preflight", "ok")] == 1
    assert engine.requests == []
    assert rig.node.queue.active == rig.node.queue.waiting == 0
    # The connection is as good as before.
    assert (await rig.chat()).status_code == 200


def test_rigs_without_pages_say_nothing_of_them() -> None:
    rules = PageRules.of([])
    headers = {b"origin": b"null", b"access-control-request-method": b"GET"}
    assert rules.for_all == rules.readable(headers) == b""
    assert rules.permission(headers, ["GET"]) is None


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://Rig.Example", "https://rig.example"),
        ("https://rig.example:443", "https://rig.example"),
        ("http://rig.example:080", "http://rig.example"),
        ("http://rig.example:443", "http://rig.example:443"),
        ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
        ("http://[0:0::1]:8787", "http://[::1]:8787"),
        ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
        ("https://[::::]", "https://[::::]"),
    ],
)
def test_origins_are_written_as_browsers_write_them(written: str, sent: str) -> None:
    assert browser_origin(written) == sent


@pytest.mark.parametrize(
    "text", ["", "null", "*", "https://a/b", "ftp://a", "https://a b", "https://a\r\nx: y"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        PageRules.of([text])
