"""Every route of the engines, seven methods, spelled in every way servers are known to mix up.

Each request has a good token and a good body, over raw sockets. None may reach the engine.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import pytest

from tests.fake_engines.engine import FakeEngine
from tests.fake_engines.ollama import FakeOllama
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import Rig, running_rig

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NEVER: Final = 3600.0
"""Seconds between the rig's own looks at the engine: none falls into a test."""

OLLAMA: Final = (  # server/routes.go as excerpts of it show it, and what newer ones are known for
    "/", "/api/version", "/api/status", "/api/pull", "/api/push", "/api/tags", "/api/show",
    "/api/delete", "/api/me", "/api/signout", "/api/user/keys/a2V5", "/api/create",
    "/api/blobs/sha256:0000", "/api/copy", "/api/experimental/web_search",
    "/api/experimental/web_fetch", "/api/experimental/model-recommendations", "/api/ps",
    "/api/generate", "/api/chat", "/api/embed", "/api/embeddings", "/v1/models/llama3",
    "/v1/images/generations", "/v1/images/edits", "/v1/audio/transcriptions", "/v1/messages",
)  # fmt: skip
LLAMA_SERVER: Final = (  # what tools/server/README.md names, from notes; not read line by line
    "/v1/health", "/models", "/props", "/slots", "/slots/0?action=save", "/slots/0?action=restore",
    "/slots/0?action=erase", "/lora-adapters", "/completion", "/completions",
    "/chat/completions", "/infill", "/embedding", "/embeddings", "/rerank", "/reranking",
    "/v1/rerank", "/v1/reranking", "/tokenize", "/detokenize", "/apply-template",
    "/v1/messages/count_tokens", "/v1/chat/completions/control", "/models/load", "/models/unload",
    "/models/sse", "/responses", "/v1/responses/input_tokens", "/cors-proxy", "/tools",
    "/index.html", "/v1/completions/", "/v1/streams",
)  # fmt: skip
OURS: Final = (
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/models",
)  # fmt: skip

TRICKS: Final[dict[str, Callable[[str, str], str]]] = {
    "two slashes first": lambda path, host: "/" + path,
    "two slashes last": lambda path, host: "//".join(path.rsplit("/", 1)),
    "slash at the end": lambda path, host: path + "/",
    "escaped slash": lambda path, host: "/" + path[1:].replace("/", "%2f"),
    "escaped dot segment": lambda path, host: "/v1/models/%2e%2e" + path,
    "dot segment": lambda path, host: "/v1/models/.." + path,
    "dot segments out of a ticket": lambda path, host: "/luckrig/queue/x/../../.." + path,
    "escaped dots out of a ticket": lambda path, host: "/luckrig/queue/..%2f.." + path,
    "single dot": lambda path, host: "/." + path,
    "matrix parameter": lambda path, host: path + ";x=/v1/models",
    "matrix parameter first": lambda path, host: "/v1/models;" + path,
    "upper case": lambda path, host: path.upper() if path.strip("/") else "//",
    "escaped letter": lambda path, host: path[:-1] + f"%{ord(path[-1]):02x}",
    "escaped twice": lambda path, host: path[:-1] + f"%25{ord(path[-1]):02x}",
    "backslashes": lambda path, host: "/" + path[1:].replace("/", "\\") + "\\",
    "escaped NUL": lambda path, host: path + "%00",
    "NUL": lambda path, host: path + "\0",
    "escaped line end": lambda path, host: path + "%0d%0aHost:%20x",
    "fullwidth letters": lambda path, host: path + "\uff0f",
    "overlong UTF-8": lambda path, host: path.replace("/", "%c0%af"),
    "absolute form": lambda path, host: f"http://{host}{path}",
    "absolute form of another host": lambda path, host: f"http://127.0.0.1:11434{path}",
    "no slash": lambda path, host: path[1:] or "x",
    "asterisk": lambda path, host: "*",
    "fragment": lambda path, host: path + "#/v1/models",
}


class RawClient:
    """One connection after the other, each kept as long as the rig keeps it."""

    def __init__(self, rig: Rig) -> None:
        self._host = rig.origin.removeprefix("http://")
        self._rig = rig
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.connections = 0

    @property
    def host(self) -> str:
        return self._host

    async def status(self, method: str, target: str, body: bytes) -> int:
        """The answer's status. Raises IncompleteReadError when there is none."""
        if self._streams is None:
            name, _, port = self._host.partition(":")
            self._streams = await asyncio.open_connection(name, int(port))
            self.connections += 1
        reader, writer = self._streams
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Authorization: Bearer {self._rig.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if b"connection: close" in answer:
            self.close()
        elif method != "HEAD":
            length = int(answer.partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
        return int(answer.split(b" ", 2)[1])

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def targets(host: str) -> Iterator[tuple[str, str]]:
    """(name of the trick, request target): every foreign route as it is, and all routes bent."""
    for path in OLLAMA + LLAMA_SERVER:
        yield "as it is", path
        yield "with a query", path + "?x=/v1/models"
    for path in OLLAMA + LLAMA_SERVER + OURS:
        for name, bend in TRICKS.items():
            yield name, bend(path, host)


def good_body(rig: Rig) -> bytes:
    """A request that the rig would answer on its own route."""
    messages = [{"role": "user", "content": "Hello"}]
    return msgspec.json.encode({"model": rig.models[0], "messages": messages})


@pytest.mark.timeout(60)  # 11,000 requests, one after the other
@pytest.mark.parametrize("engine_class", [FakeOllama, FakeOpenAi])
async def test_no_route_of_an_engine_can_be_reached(engine_class: type[FakeEngine]) -> None:
    async with (
        engine_class() as engine,
        running_rig(engine.url, health_interval_seconds=NEVER) as rig,
    ):
        engine.requests.clear()
        body, client = good_body(rig), RawClient(rig)
        seen: set[str] = set()
        count = 0
        for name, target in targets(client.host):
            if target in seen:
                continue
            seen.add(target)
            for method in METHODS:
                status = await client.status(method, target, body)
                assert 400 <= status < 500, (name, method, target, status)
                count += 1
        assert engine.requests == []
        assert count > 5_000
        assert client.connections < count / 5  # most were answered, not hung up on
        # The same request on a route of the rig's own does arrive.
        assert await client.status("POST", "/v1/chat/completions", body) == 200
        assert len(engine.requests) == 1
        client.close()


async def test_own_routes_take_their_own_methods_only(rig: Rig, engine: FakeOpenAi) -> None:
    allowed = {path: {"POST"} for path in OURS} | {"/v1/models": {"GET"}, "/health": {"GET"}}
    client = RawClient(rig)
    for path, methods in allowed.items():
        for method in (*METHODS, "TRACE", "PROPFIND", "LOCK"):
            if method not in methods:
                assert await client.status(method, path, b"") == 405, (method, path)
    assert engine.requests == []
    client.close()


async def test_query_decides_nothing(rig: Rig, engine: FakeOpenAi) -> None:
    client = RawClient(rig)
    target = "/v1/chat/completions?n_predict=9&path=/api/pull&stream=true"
    assert await client.status("POST", target, good_body(rig)) == 200
    (request,) = engine.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    client.close()
