"""A Caller in memory, and the sidecar in front of it on a real socket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import msgspec

from luckrig.cli.connect import make_sidecar
from luckrig.cli.local_server import serving_locally
from luckrig.cli.loop import bind, origin_of
from luckrig.client.calls import Ask, Reply
from luckrig.client.history.store import History
from luckrig.client.sidecar.finished import Finished
from luckrig.client.sidecar.reading import Defaults
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.wire import NodeView
from tests.client.fake_tracker import make_rig

KEY: Final = f"lk-{'k' * 43}"
MODEL: Final = "llama3.1:8b"
TRACKER: Final = "https://tracker.example"


def chunk(text: str | None, **more: Any) -> bytes:
    """One event of a chat's stream."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": None if text else "stop"}
    document = {
        "id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
        "choices": [choice], **more,
    }  # fmt: skip
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


TIMING: Final = {"queue_ms": 1.0, "ttft_ms": 20.0, "tokens_per_second": 40.5,
                 "prompt_tokens": 7, "completion_tokens": 2, "streamed": True}  # fmt: skip
STREAM: Final = (
    b": queue position=2 eta=3 ticket=abcdefghijklmnop\n\n",
    chunk("Hel"),
    chunk("lo"),
    chunk(None, luckrig={"timing": TIMING}, usage={"prompt_tokens": 7, "completion_tokens": 2}),
    b"data: [DONE]\n\n",
)
WHOLE: Final = msgspec.json.encode(
    {
        "id": "c", "object": "chat.completion", "created": 1, "model": MODEL,
        "choices": [{
            "index": 0, "message": {"role": "assistant", "content": "Hello"},
            "finish_reason": "stop",
        }],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
        "luckrig": {"timing": TIMING},
    }
)  # fmt: skip


@dataclass
class TwinCaller:
    """Implements Caller. asked: all that reached it. error: raised instead of an answer.

    go_on: set for streams that go to their end; otherwise they stop after their first piece.
    closed: released for each reply that was closed. looks: how often the map was asked for.
    """

    rig: NodeView = field(default_factory=lambda: make_rig(1).view)
    listed: list[NodeView] | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    stream: tuple[bytes, ...] = STREAM
    whole: bytes = WHOLE
    error: Exception | None = None
    body_error: LuckrigError | None = None
    asked: list[Ask] = field(default_factory=list[Ask])
    looks: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    is_called: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def __post_init__(self) -> None:
        self.go_on.set()
        self.answers.set()

    async def call(self, ask: Ask) -> Reply:
        """See Caller."""
        self.asked.append(ask)
        self.is_called.set()
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        is_stream = ask.is_stream and self.status == 200
        return Reply(
            status=self.status,
            headers=self.headers,
            rig=self.rig,
            model=self.rig.offers[0].model,
            subtext=ask.wanted.subtext,
            is_stream=is_stream,
            pieces=self._pieces(is_stream),
            close=self._close,
        )

    async def rigs(self) -> list[NodeView]:
        """See Caller."""
        self.looks += 1
        if self.error is not None:
            raise self.error
        return [self.rig] if self.listed is None else self.listed

    async def _pieces(self, is_stream: bool) -> AsyncIterator[bytes]:
        for piece in self.stream if is_stream else (self.whole[:9], self.whole[9:]):
            yield piece
            await self.go_on.wait()
            if self.body_error is not None:
                raise self.body_error

    async def _close(self) -> None:
        self.closed.release()


@dataclass
class Running:
    """A sidecar that runs, and what a test may ask of it."""

    caller: TwinCaller
    http: httpx2.AsyncClient
    port: int
    finished: list[Finished]
    ended: asyncio.Event

    @property
    def headers(self) -> dict[str, str]:
        """What every good request has."""
        return {"authorization": f"Bearer {KEY}", "content-type": "application/json"}

    def chat(self, *, stream: bool = False, **fields: Any) -> dict[str, Any]:
        """A chat's body."""
        messages = [{"role": "user", "content": "Hi"}]
        return {"model": MODEL, "messages": messages, "stream": stream, **fields}

    async def post(
        self, body: bytes | dict[str, Any], path: str = "/v1/chat/completions", **headers: str
    ) -> httpx2.Response:
        """A request with the key."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(path, content=content, headers=self.headers | more)

    async def get(self, path: str) -> httpx2.Response:
        """A look, with the key."""
        return await self.http.get(path, headers=self.headers)

    async def end_of(self, count: int = 1) -> list[Finished]:
        """So many finished requests, waited for."""
        while len(self.finished) < count:
            self.ended.clear()
            await self.ended.wait()
        return self.finished


@asynccontextmanager
async def running_sidecar(
    caller: TwinCaller | None = None,
    *,
    defaults: Defaults | None = None,
    history: History | None = None,
) -> AsyncGenerator[Running, None]:
    """The sidecar on a free port, in front of a Caller in memory."""
    caller = caller or TwinCaller()
    sock = bind("127.0.0.1", 0)
    finished: list[Finished] = []
    ended = asyncio.Event()

    loop = asyncio.get_running_loop()

    def on_finished(each: Finished) -> None:
        finished.append(each)
        loop.call_soon_threadsafe(ended.set)

    sidecar = make_sidecar(
        caller,
        KEY,
        port=sock.getsockname()[1],
        defaults=defaults or Defaults(),
        history=history,
        tracker=TRACKER,
        on_finished=on_finished,
    )
    async with (
        sidecar.running(),
        serving_locally(sidecar, sock),
        httpx2.AsyncClient(base_url=origin_of(sock), trust_env=False, timeout=None) as http,
    ):
        yield Running(caller, http, sock.getsockname()[1], finished, ended)
