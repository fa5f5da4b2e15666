"""Client: the same as AsyncClient for programs without asyncio; it works in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from luckrig.client.async_client import AsyncClient, ChatStream, Key
from luckrig.client.calling.network import CallSettings, Surroundings
from luckrig.client.chat_events import ChatEvent
from luckrig.client.chats import ChatReply, Messages
from luckrig.client.tracker import NodeFilters
from luckrig.client.wanted import AUTO
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.wire import NodeView, TokenReply

Result = TypeVar("Result")


class _Loop:
    """An event loop in a thread. Threads may share it; run() waits for the result."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="luckrig-client", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What it returns or raises. Ctrl-C while it waits cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the thread."""
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Client:
    """Asks the rigs of one tracker; AsyncClient says what the arguments are.

    with Client("https://tracker.example#r1…") as client:
        print(client.chat("Hello!", model="qwen3:8b").text)
    """

    def __init__(
        self,
        tracker: TrackerAddress | str,
        key: Key | None = None,
        *,
        share_timings: bool = False,
        settings: CallSettings | None = None,
        world: Surroundings | None = None,
    ) -> None:
        self._client = AsyncClient(
            tracker, key, share_timings=share_timings, settings=settings, world=world
        )
        self._loop: _Loop | None = None

    def __enter__(self) -> Self:
        self._loop = loop = _Loop()
        try:
            loop.run(self._client.__aenter__())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hand in what receipts wait, and end all connections and the thread."""
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.run(self._client.aclose())
            finally:
                loop.close()

    def nodes(self, **filters: Unpack[NodeFilters]) -> list[NodeView]:
        """The map, or what the filters leave of it, as the tracker tells it."""
        return self._run(self._client.nodes(**filters))

    def node(self, wanted: str) -> NodeView:
        """One rig, as it signed itself. wanted: its id, the beginning of it, or its exact name."""
        return self._run(self._client.node(wanted))

    def token(self, node: str, *, ttl_seconds: int | None = None) -> TokenReply:
        """A bearer token for one rig, for other programs."""
        return self._run(self._client.token(node, ttl_seconds=ttl_seconds))

    def chat(
        self,
        messages: Messages,
        *,
        model: str = AUTO,
        subtext: bool = False,
        gpu: str | None = None,
        quant: str | None = None,
        ctx: int | None = None,
        min_tps: float | None = None,
        **parameters: Any,
    ) -> ChatReply:
        """A whole reply. Raises LuckrigError."""
        asked = self._client.chat(
            messages,
            model=model,
            subtext=subtext,
            gpu=gpu,
            quant=quant,
            ctx=ctx,
            min_tps=min_tps,
            **parameters,
        )
        return self._run(asked)

    def stream(
        self,
        messages: Messages,
        *,
        model: str = AUTO,
        subtext: bool = False,
        gpu: str | None = None,
        quant: str | None = None,
        ctx: int | None = None,
        min_tps: float | None = None,
        **parameters: Any,
    ) -> "SyncStream":
        """A reply as it comes.

        with client.stream("Hello!") as events:
            for event in events:
                ...
        """
        stream = self._client.stream(
            messages,
            model=model,
            subtext=subtext,
            gpu=gpu,
            quant=quant,
            ctx=ctx,
            min_tps=min_tps,
            **parameters,
        )
        if self._loop is None:
            raise RuntimeError("use the client inside `with`")
        return SyncStream(self._loop, stream)

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        if self._loop is None:
            work.close()
            raise RuntimeError("use the client inside `with`")
        return self._loop.run(work)


class SyncStream:
    """One streamed chat: a context manager and iterator of chat_events, like ChatStream."""

    def __init__(self, loop: _Loop, stream: ChatStream) -> None:
        self._loop = loop
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[ChatEvent]:
        return self

    def __next__(self) -> ChatEvent:
        event = self._loop.run(self._next())
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """End it, at the rig too."""
        self._loop.run(self._stream.aclose())

    async def _next(self) -> ChatEvent | None:
        return await anext(self._stream, None)
