"""One request and its answer, on their way through the pipeline.

The pipeline reads and writes through this object and knows nothing of sockets, so that the server
in front can be another one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from luckrig.nodeproxy.timing import Meter
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.openai.embeddings import EmbeddingsRequest
from luckrig.protocol.openai.requests import ChatRequest, CompletionRequest
from luckrig.protocol.openai.responses_api import ResponsesRequest
from luckrig.protocol.proofs import Proof
from luckrig.protocol.tokens import Claims

JSON: Final = b"application/json"
TEXT: Final = b"text/plain"
EVENT_STREAM: Final = b"text/event-stream; charset=utf-8"


class Connection(Protocol):
    """What a server offers the pipeline for one request.

    Its task is cancelled when the client leaves or stops reading; what is written after that goes
    nowhere.
    """

    @property
    def address(self) -> str:
        """The peer's IP address; empty where a machine in between handed the request on."""
        ...

    async def read_body(self) -> bytes:
        """The whole body, once. Raises PeerError when it is too large, late or malformed."""
        ...

    def start(self, status: int, headers: bytes, *, length: int | None) -> None:
        """The head, which leaves with the first of the body. headers: `name: value` lines.

        length: of the body, in bytes; None when nobody knows yet.
        """
        ...

    def write(self, data: bytes, *, more: bool) -> None:
        """Some of the body. Never waits; who writes a lot looks at is_congested, and drains."""
        ...

    @property
    def is_congested(self) -> bool:
        """Whether the client lags behind what was written."""
        ...

    async def drain(self) -> None:
        """Wait until it has caught up."""
        ...

    def abort(self) -> None:
        """Break the answer off, visibly."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class Exchange:
    """State that the steps fill in, in the order of the pipeline."""

    connection: Connection
    headers: Mapping[bytes, bytes]
    """Request headers, lower-case names. Repeated ones were refused by the server."""
    request_id: str
    method: str
    path: str
    endpoint: str = ""
    """Which route this is, as nodeproxy/pipeline.py names it; empty until it is known."""
    rig_headers: bytes
    """Header lines for every answer: those that name the rig, and what no cache may do with it."""
    claims: Claims | None = None
    proof: Proof | None = None
    """Of a bound token: it is still to be checked against the body."""
    call: ChatRequest | CompletionRequest | EmbeddingsRequest | None = None
    """What the engine is asked; without its texts, when they have left for the engine."""
    asked: ResponsesRequest | None = None
    """What the client asked, where that isn't the call itself."""
    error_events: Callable[[LuckrigError], bytes] | None = None
    """Writes an error into a stream that has events of its own."""
    is_sealed: bool = False
    """Whether it came as subtext; endpoint and call are then those inside, and so is the answer."""
    finish: Callable[[], Awaitable[None]] | None = None
    """To be awaited after the last step: writes what couldn't be written at once."""
    queue_seconds: float = 0.0
    meter: Meter | None = None
    """Watches the reply, from when the request leaves for the engine."""
    started: bytes = b""
    """The content type of the head that was sent; empty before. After it, no status can change."""
    is_answered: bool = False
    """Whether a stream has had its ending: nothing can cut it any more."""
    cut_by: LuckrigError | None = None
    """Why the rig ended it before its end."""
    _task: "asyncio.Task[None] | None" = field(default_factory=asyncio.current_task)
    _owed: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])

    @property
    def is_streamed(self) -> bool:
        """Whether the client wants its reply as it comes."""
        call = self.call
        return isinstance(call, ChatRequest | CompletionRequest) and bool(call.stream)

    @property
    def known_claims(self) -> Claims:
        """The claims, for whoever comes after authenticate."""
        assert self.claims is not None, "authenticate comes first"  # noqa: S101 -- narrows the type
        return self.claims

    @property
    def known_call(self) -> ChatRequest | CompletionRequest | EmbeddingsRequest:
        """The call, for whoever comes after reading."""
        assert self.call is not None, "reading comes first"  # noqa: S101 -- narrows the type
        return self.call

    def forget_texts(self) -> None:
        """Keep no more of the call than its answer needs: that may stream for an hour, and a prompt
        is up to a megabyte."""
        call = self.call
        if isinstance(call, ChatRequest):
            self.call = ChatRequest(
                model=call.model,
                messages=[],
                stream=call.stream,
                stream_options=call.stream_options,
            )
        elif isinstance(call, CompletionRequest):
            self.call = CompletionRequest(
                model=call.model,
                prompt="",
                stream=call.stream,
                stream_options=call.stream_options,
            )

    def on_close(self, release: Callable[[], None]) -> None:
        """Call release when the exchange is over, however it ends; the last one first."""
        self._owed.append(release)

    def close(self) -> None:
        """Release all that is held: the queue's turn, the engine's connection."""
        while self._owed:
            self._owed.pop()()

    def cut(self, error: LuckrigError) -> None:
        """End the work with this error where it waits now. Nothing happens when it is over."""
        if self.cut_by is None and not self.is_answered and self._task is not None:
            self.cut_by = error
            self._task.cancel()

    def send_json(self, body: bytes, *, status: int = 200, headers: bytes = b"") -> None:
        """Answer with one JSON document. headers: further lines."""
        self.start(JSON, status=status, headers=headers, length=len(body))
        self.connection.write(body, more=False)

    def start(
        self,
        content_type: bytes,
        *,
        status: int = 200,
        headers: bytes = b"",
        length: int | None = None,
    ) -> None:
        """Send the head, with the rig's headers."""
        self.started = content_type
        request_id = self.request_id.encode("ascii")
        block = b"content-type: %b\r\nluckrig-request: %b\r\n%b%b" % (
            content_type,
            request_id,
            self.rig_headers,
            headers,
        )
        self.connection.start(status, block, length=length)
