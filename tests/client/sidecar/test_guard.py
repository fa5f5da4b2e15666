"""No web page, no other user and no odd request gets through the sidecar: on real sockets."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.cli.local_server import LocalProtocol
from luckrig.client.sidecar.asgi import MAX_BODY_BYTES
from luckrig.client.sidecar.guard import Guard
from luckrig.protocol.errors import CODES, LuckrigError
from tests.client.sidecar.twin import KEY, Running, running_sidecar

CHAT: Final = b'{"model":"m","messages":[{"role":"user","content":"x"}]}'


@pytest.fixture
async def sidecar() -> AsyncIterator[Running]:
    async with running_sidecar() as running:
        yield running


async def exchange(port: int, raw: bytes) -> tuple[int, bytes]:
    """Status (0 for none) and everything that came, for bytes sent as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    answer = await reader.read()
    writer.close()
    return (int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0), answer


def request(
    port: int,
    *changed: str,
    method: str = "POST",
    target: str = "/v1/chat/completions",
    body: bytes = CHAT,
) -> bytes:
    """A good request, changed: "name: value" replaces that header, "-name" drops it, "+name: value"
    adds a second one."""
    headers = {
        "host": f"127.0.0.1:{port}",
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
    }
    added: list[str] = []
    for each in changed:
        if each.startswith("+"):
            added.append(each[1:])
        elif each.startswith("-"):
            headers.pop(each[1:])
        else:
            name, _, value = each.partition(": ")
            headers[name] = value
    lines = [f"{name}: {value}" for name, value in headers.items()] + added
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])
    return head.replace("{port}", str(port)).encode("latin-1") + body


HOSTS: Final = (
    "evil.example", "evil.example:{port}", "127.0.0.1", "localhost", "127.0.0.1:1",
    "127.0.0.1:{port}0", "127.0.0.1.evil.example:{port}", "localhost.evil.example:{port}",
    "evil.localhost:{port}", "127.1:{port}", "2130706433:{port}", "0.0.0.0:{port}",
    "[::]:{port}", "::1:{port}", "192.168.1.10:{port}", "10.0.0.1:{port}", "host.docker.internal",
    "localhost:{port}@evil.example", "evil.example#127.0.0.1:{port}", "127.0.0.1:{port}.", "",
    "127.0.0.2:{port}", "[::ffff:127.0.0.1]:{port}", "127.0.0.1:0{port}",
)  # fmt: skip
ORIGINS: Final = (
    "null", "http://evil.example", "https://evil.example", "http://127.0.0.1:{port}",
    "http://localhost:{port}", "http://localhost:3000", "file://", "app://obsidian.md",
    "chrome-extension://abcdefghijklmnop", "moz-extension://abcdefgh", "", "vscode-webview://x",
)  # fmt: skip
SITES: Final = ("cross-site", "same-site", "same-origin", "Cross-Site", "", "none, none")
KEYS: Final = (
    "Bearer", "Bearer ", "Bearer lk-", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", f"Basic {KEY}",
    KEY, f"Bearer {KEY.upper()}", f"DPoP {KEY}", "Bearer sk-1234", f"Bearer {KEY},{KEY}",
    f"Bearer \xff{KEY}",
)  # fmt: skip
TYPES: Final = (
    "text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x", "application/json; charset=utf-16", "text/json", "",
    "application/json, text/plain", "application/jsonx", "application/octet-stream",
)  # fmt: skip
TARGETS: Final = (
    "http://127.0.0.1:{port}/v1/chat/completions", "http://evil.example/v1/chat/completions",
    "//evil.example/v1/chat/completions", "https://127.0.0.1/v1/chat/completions",
)  # fmt: skip
TWICE: Final = (
    "host: 127.0.0.1:{port}", "host: evil.example", f"authorization: Bearer {KEY}",
    "authorization: Bearer x", "content-type: application/json", "content-type: text/plain",
    "sec-fetch-site: none\r\nsec-fetch-site: none", "origin: null", "content-encoding: gzip",
    "transfer-encoding: chunked", "content-length: 1",
)  # fmt: skip
CHANGES: Final = [
    *(("POST", f"host: {each}") for each in HOSTS),
    *(("POST", f"+origin: {each}") for each in ORIGINS),
    *(("POST", f"+sec-fetch-site: {each}") for each in SITES),
    *(("POST", f"authorization: {each}") for each in KEYS),
    *(("POST", f"content-type: {each}") for each in TYPES),
    *(("POST", f"+{each}") for each in TWICE),
    *(("POST", f"-{each}") for each in ("host", "authorization", "content-type")),
    *((each, "") for each in ("OPTIONS", "PUT", "PATCH", "DELETE", "HEAD", "TRACE")),
    ("GET", "+upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n"
     "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="),
    ("GET", "+upgrade: h2c\r\nconnection: Upgrade, HTTP2-Settings\r\nhttp2-settings: x"),
    ("POST", "+upgrade: websocket"),
]  # fmt: skip


def test_there_are_enough_ways_to_ask_wrongly() -> None:
    assert len(CHANGES) + len(TARGETS) >= 80


async def test_none_of_them_reaches_a_rig(sidecar: Running) -> None:
    """Nor the map; and no answer lets a page read it."""
    for method, change in CHANGES:
        change = change.replace("{port}", str(sidecar.port))
        changed = (change,) if change else ()
        status, answer = await exchange(
            sidecar.port, request(sidecar.port, *changed, method=method)
        )
        assert 400 <= status < 500, (method, change, answer)
        assert b"access-control-" not in answer.lower(), change
        assert KEY.encode() not in answer
    for target in TARGETS:
        target = target.replace("{port}", str(sidecar.port))
        for method in ("GET", "POST"):
            status, answer = await exchange(
                sidecar.port, request(sidecar.port, method=method, target=target)
            )
            assert 400 <= status < 500, (target, answer)
    assert sidecar.caller.asked == []
    assert sidecar.caller.looks == 0


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/x", "/health"])
async def test_no_look_works_for_a_page_either(sidecar: Running, path: str) -> None:
    """`<img src=http://127.0.0.1:4141/v1/models>`, and a name that resolves to 127.0.0.1."""
    port = sidecar.port
    for changed in (
        ("-authorization",), ("-authorization", "+sec-fetch-site: cross-site"),
        ("+origin: http://evil.example",), (f"host: evil.example:{port}",),
        ("+sec-fetch-site: same-origin",), ("+origin: null",),
    ):  # fmt: skip
        status, answer = await exchange(
            port, request(port, *changed, method="GET", target=path, body=b"")
        )
        assert status in (401, 403), answer
        assert b"llama" not in answer
    assert sidecar.caller.looks == 0


async def test_preflight_gets_no_permission(sidecar: Running) -> None:
    raw = request(
        sidecar.port, "-authorization", "+origin: http://evil.example",
        "+access-control-request-method: POST", "+access-control-request-private-network: true",
        method="OPTIONS", body=b"",
    )  # fmt: skip
    status, answer = await exchange(sidecar.port, raw)
    assert status == 403
    assert b"access-control" not in answer.lower()


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LOCALHOST:{port}"]
)
async def test_its_own_names_are_fine(sidecar: Running, host: str) -> None:
    changed = (f"host: {host}", "+sec-fetch-site: none", "+sec-fetch-mode: cors")
    status, answer = await exchange(sidecar.port, request(sidecar.port, *changed))
    assert status == 200, answer
    assert len(sidecar.caller.asked) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"[]", "invalid_request"),
        (b"null", "invalid_request"),
        (b'"x"', "invalid_request"),
        (b"{" * 100_000, "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "invalid_json"),
        (b'{"model":"a","model":"b"}', "invalid_json"),
        (b'{"model":"a","mod\\u0065l":"b"}', "invalid_json"),
        (b'{"model":"a","x":NaN}', "invalid_json"),
        (b'{"model":"a","x":' + b"9" * 5000 + b"}", "invalid_json"),
        (b'{"model":"\xff"}', "invalid_json"),
        (b'{"model":"a"}{}', "invalid_json"),
        (b'{"messages":[]}', "invalid_request"),
        (b'{"model":7}', "invalid_request"),
        (b'{"model":""}', "invalid_request"),
        (b'{"model":"luckrig/subtext"}', "invalid_request"),
        (b'{"model":"a@n1zz","luckrig":{"node":"n1yy"}}', "invalid_request"),
        (b'{"model":"a","luckrig":7}', "invalid_request"),
        (b'{"model":"a","luckrig":{"gpus":1}}', "invalid_request"),
        (b'{"model":"a","luckrig":{"ctx":"many"}}', "invalid_request"),
        (b'{"model":"' + b"a" * 300 + b'"}', "invalid_request"),
        (b'{"model":"a","x":"' + b"a" * MAX_BODY_BYTES + b'"}', "body_too_large"),
        (b"[" + b"1," * 11_000 + b"1]", "invalid_json"),
    ],
    ids=itertools.count(),
)  # fmt: skip
async def test_bad_bodies_are_refused_here(sidecar: Running, body: bytes, code: str) -> None:
    answer = await sidecar.post(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (CODES[code].status, code)
    assert answer.headers["x-should-retry"] == "false"
    assert sidecar.caller.asked == []


async def test_a_second_request_in_the_same_bytes_is_checked_too(sidecar: Running) -> None:
    good = request(sidecar.port).replace(b"connection: close\r\n", b"")
    bad = request(sidecar.port, f"host: evil.example:{sidecar.port}")
    _, answer = await exchange(sidecar.port, good + bad)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert answer.count(b"HTTP/1.1 403") == 1
    assert len(sidecar.caller.asked) == 1


async def test_errors_have_openais_shape(sidecar: Running) -> None:
    _, answer = await exchange(sidecar.port, request(sidecar.port, "-authorization"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert set(msgspec.json.decode(body)["error"]) == {"message", "type", "param", "code"}
    assert b"cache-control: no-store" in head
    assert b"connection: close" in head.lower()


NAMES: Final = st.sampled_from(
    [b"host", b"origin", b"authorization", b"content-type", b"sec-fetch-site", b"upgrade", b"x"]
)
VALUES: Final = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"127.0.0.1:4141", b"localhost:4141", b"none", b"null", b"application/json",
         f"Bearer {KEY}".encode()]
    ),
)  # fmt: skip


@given(
    st.sampled_from(["GET", "POST", "OPTIONS"]),
    st.one_of(st.binary(max_size=20), st.just(b"/v1/models")),
    st.lists(st.tuples(NAMES, VALUES), max_size=8),
)
def test_what_passes_is_what_a_good_program_sends(
    method: str, target: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    """Any headers: either a refusal of ours, or exactly one good one of each."""
    try:
        Guard(4141, KEY).check(method, target, headers)
    except LuckrigError:
        return
    names = [name for name, _ in headers]
    found = dict(headers)
    assert names.count(b"host") == names.count(b"authorization") == 1
    assert found[b"host"].lower() in (b"127.0.0.1:4141", b"localhost:4141", b"[::1]:4141")
    assert found[b"authorization"].lower().startswith(b"bearer ")
    assert found[b"authorization"][7:].strip() == KEY.encode()
    assert b"origin" not in found
    assert b"upgrade" not in found
    assert target.startswith(b"/")
    assert method == "GET" or (method, found[b"content-type"]) == ("POST", b"application/json")


@pytest.mark.parametrize(
    "begun", [b"", b"POST /v1/chat/comp", b"\r\n", b"GET / HTTP/1.1\r\nhost: "]
)
@pytest.mark.parametrize("is_second", [False, True])
async def test_a_head_that_does_not_come_whole_is_not_waited_for(
    sidecar: Running, monkeypatch: pytest.MonkeyPatch, begun: bytes, is_second: bool
) -> None:
    monkeypatch.setattr(LocalProtocol, "head_seconds", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", sidecar.port)
    if is_second:
        writer.write(request(sidecar.port, "-connection", method="GET", target="/v1/models"))
        assert await reader.readuntil(b"\r\n\r\n")
    writer.write(begun or b"\r\n")
    with suppress(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_connections_are_bounded(sidecar: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    good = request(sidecar.port, method="GET", target="/v1/models")
    monkeypatch.setattr(LocalProtocol, "max_connections", 2)
    two = [await asyncio.open_connection("127.0.0.1", sidecar.port) for _ in range(2)]
    status, answer = await exchange(sidecar.port, good)
    assert (status, b"retry-after: 1" in answer) == (503, True)
    for _, writer in two:
        writer.close()
        await writer.wait_closed()
    while (await exchange(sidecar.port, good))[0] == 503:
        await asyncio.sleep(0)
    assert (await exchange(sidecar.port, good))[0] == 200
