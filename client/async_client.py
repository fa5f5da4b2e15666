"""AsyncClient: the network for programs that run on asyncio."""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from luckrig.client.calling.network import CallSettings, Network, Surroundings, open_network
from luckrig.client.calls import Ask, Reply
from luckrig.client.chat_events import ChatEvent, Started, Waiting
from luckrig.client.chats import (
    ChatReader,
    ChatReply,
    Messages,
    chat_ask,
    read_error,
    read_reply,
)
from luckrig.client.key_files import read_key, read_user_key
from luckrig.client.tracker import NodeFilters
from luckrig.client.wanted import AUTO
from luckrig.protocol.address import TrackerAddress, parse_tracker_address
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.wire import NodeView, TokenReply

Key = PrivateKey | Path | str
"""A key, or where its file is."""


class AsyncClient:
    """Asks the rigs of one tracker.

        async with AsyncClient("https://tracker.example#r1…") as client:
            reply = await client.chat("Hello!", model="qwen3:8b")

    tracker: its address; the part after # pins its keys. key: the user's, a PrivateKey or the path
    of a key file; None for the one in LUCKRIG_HOME. share_timings: let the tracker know how quick
    rigs were. Raises ValueError for an address that is none, LuckrigError for a key that is none.
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
        self._address = parse_tracker_address(tracker) if isinstance(tracker, str) else tracker
        self._key = _load(key)
        self._settings = settings or CallSettings(share_timings=share_timings)
        self._world = world
        self._open = AsyncExitStack()
        self._network: Network | None = None

    async def __aenter__(self) -> Self:
        self._network = await self._open.enter_async_context(
            open_network(self._address, self._key, settings=self._settings, world=self._world)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Hand in what receipts wait, and end all connections."""
        self._network = None
        await self._open.aclose()

    async def nodes(self, **filters: Unpack[NodeFilters]) -> list[NodeView]:
        """The map, or what the filters leave of it, as the tracker tells it."""
        return [node async for node in self._caller.tracker.each_node(**filters)]

    async def node(self, wanted: str) -> NodeView:
        """One rig, as it signed itself. wanted: its id, the beginning of it, or its exact name.

        Raises PeerError node_not_found, invalid_request when several fit, signature_invalid.
        """
        return await self._caller.rig(wanted)

    async def token(self, node: str, *, ttl_seconds: int | None = None) -> TokenReply:
        """A bearer token for one rig, for other programs: any OpenAI client takes it.

        It is as good as its owner's for as long as it lives, 15 minutes at most: chat() uses none.
        """
        rig = await self._caller.rig(node)
        tracker = self._caller.tracker
        return await tracker.token(rig.id, user_key=self._key, ttl_seconds=ttl_seconds)

    async def chat(
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
        """A whole reply.

        model: `qwen3:8b`, `qwen3:8b@n1abc…` for that rig, `luckrig/auto`. subtext: sealed or not at
        all. gpu, quant, ctx, min_tps: what the rig must have; wanted.py says it in full.
        parameters: OpenAI's: temperature, tools, max_tokens, …. Raises LuckrigError.
        """
        wanted = {"subtext": subtext, "gpu": gpu, "quant": quant, "ctx": ctx, "min_tps": min_tps}
        ask = chat_ask(messages, model=model, stream=False, wanted=wanted, parameters=parameters)
        async with await self._caller.call(ask) as reply:
            data = await reply.read()
        if reply.status != 200:
            raise read_error(data)
        return read_reply(data, rig=reply.rig, model=reply.model, subtext=reply.subtext)

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
    ) -> "ChatStream":
        """A reply as it comes; the same arguments.

        async with client.stream("Hello!") as events:
            async for event in events:
                ...
        """
        wanted = {"subtext": subtext, "gpu": gpu, "quant": quant, "ctx": ctx, "min_tps": min_tps}
        ask = chat_ask(messages, model=model, stream=True, wanted=wanted, parameters=parameters)
        return ChatStream(self._caller, ask)

    @property
    def _caller(self) -> Network:
        if self._network is None:
            raise RuntimeError("use the client inside `async with`")
        return self._network


class ChatStream:
    """One streamed chat: an async context manager and iterator of chat_events.

    Leaving the block ends the request at the rig. Raises LuckrigError: what the rig refuses, what
    breaks it (rig_lost) and what no rig can do.
    """

    def __init__(self, caller: Network, ask: Ask) -> None:
        self._caller = caller
        self._ask = ask
        self._reply: Reply | None = None
        self._events = self._read()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[ChatEvent]:
        return self

    async def __anext__(self) -> ChatEvent:
        return await anext(self._events)

    async def aclose(self) -> None:
        """End it. Safe to call twice, and after the end."""
        await self._events.aclose()
        if self._reply is not None:
            await self._reply.aclose()

    async def _read(self) -> AsyncGenerator[ChatEvent]:
        self._reply = reply = await self._caller.call(self._ask)
        if reply.status != 200:
            raise read_error(await reply.read())
        reader, has_started = ChatReader(), False
        async for piece in reply:
            for event in reader.feed(piece):
                if not (has_started or isinstance(event, Waiting)):
                    has_started = True
                    yield Started(rig=reply.rig, model=reply.model, subtext=reply.subtext)
                yield event
        if not reader.is_whole:
            raise LuckrigError("rig_lost", "The rig broke off its reply.")


def _load(key: Key | None) -> PrivateKey:
    if isinstance(key, PrivateKey):
        return key
    if key is None:
        return read_user_key(os.environ)
    try:
        return read_key(Path(key))
    except OSError as error:
        raise LuckrigError("invalid_request", f"{key} can't be read: {error.strerror}.") from error
