"""One request and its answer, on their way through the pipeline.

The pipeline knows nothing of ASGI: it reads and writes through this object, so that the server
in front can be another one.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.openai.requests import ChatRequest, CompletionRequest
from luckrig.protocol.proofs import Proof
from luckrig.protocol.tokens import Claims

JSON = b"application/json"
EVENT_STREAM = b"text/event-stream; charset=utf-8"


class ClientGone(Exception):
    """The client closed its connection, or stopped reading. Nobody is left to answer."""


class Connection(Protocol):
    """What a server offers the pipeline for one request."""

    async def read_body(self, *, max_bytes: int) -> bytes:
        """The whole body. Raises PeerError body_too_large, ClientGone, or a timeout's PeerError."""
        ...

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head."""
        ...

    async def write(self, data: bytes, *, more: bool) -> None:
        """Send some of the body. Raises ClientGone when the client doesn't take it."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class Exchange:
    """State that the steps fill in, in the order of the pipeline."""

    connection: Connection
    headers: Mapping[bytes, bytes]
    """Request headers, lower-case names. Repeated ones were joined or refused by the server."""
    request_id: str
    method: str
    path: str
    endpoint: str = ""
    """`chat`, `completion`, `models` or `health`: which route this is; empty until it is known."""
    rig_headers: list[tuple[bytes, bytes]]
    """Headers that name the rig, for every answer."""
    claims: Claims | None = None
    proof: Proof | None = None
    """Of a bound token: it is still to be checked against the body."""
    call: ChatRequest | CompletionRequest | None = None
    queue_seconds: float = 0.0
    started: bytes = b""
    """The content type of the head that was sent; empty before. After it, no status can change."""
    _owed: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    _scope: asyncio.Timeout | None = None
    _cut_by: LuckrigError | None = None

    def on_close(self, release: Callable[[], None]) -> None:
        """Call release when the exchange is over, however it ends; the last one first."""
        self._owed.append(release)

    def close(self) -> None:
        """Release all that is held: the queue's turn, the engine's connection."""
        while self._owed:
            self._owed.pop()()

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work; if cut() ends it, release all that is held and raise what cut() was given.

        A timeout that never comes by itself: asyncio already keeps its cancelling apart from that
        of a client who leaves at the same moment.
        """
        try:
            async with asyncio.timeout(None) as self._scope:
                await work
        except TimeoutError:
            if self._cut_by is None:
                raise
            self.close()  # before the error is sent: a client that doesn't read it holds nothing
            raise self._cut_by from None
        finally:
            self._scope = None

    def cut(self, error: LuckrigError) -> None:
        """End the work with this error where it waits now. Nothing happens when it is over."""
        if self._scope is not None and self._cut_by is None:
            self._cut_by = error
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def send_json(
        self, body: bytes, *, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Answer with one JSON document."""
        length = (b"content-length", str(len(body)).encode("ascii"))
        await self.start(JSON, status=status, headers=[length, *(headers or [])])
        await self.connection.write(body, more=False)

    async def start(
        self,
        content_type: bytes,
        *,
        status: int = 200,
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        """Send the head, with the rig's headers."""
        self.started = content_type
        own = [
            (b"content-type", content_type),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"luckrig-request", self.request_id.encode("ascii")),
        ]
        await self.connection.start(status, [*own, *self.rig_headers, *(headers or [])])
