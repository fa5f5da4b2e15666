"""One request to the network, and its reply: what sidecar, library and `luckrig chat` build on.

Here are the types; `client/calling/` finds the rig, proves, seals, sends and fails over. A reply
says which rig it is from, and its body is byte for byte what that rig's plain reply would be, also
where request and reply travelled sealed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Protocol

from luckrig.client.wanted import Wanted
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.wire import NodeView

MAX_REPLY_BYTES: Final = 64 * 2**20
"""Of everything that a rig says to one request: 256 long vectors have some 20 MiB."""


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Ask:
    """One request. Its repr shows nothing of it: it holds a prompt.

    path: /v1/chat/completions, /v1/completions, /v1/responses or /v1/embeddings. body: the
    request's JSON without `luckrig`; `model` is replaced by the name that the picked rig has for
    it. wanted: which rigs may answer.
    """

    path: str
    body: Mapping[str, Any]
    wanted: Wanted

    @property
    def is_stream(self) -> bool:
        """Whether a stream of events was asked for."""
        return self.body.get("stream") is True


@dataclass(kw_only=True, slots=True, repr=False)
class Reply:
    """A rig's reply, its head complete and its body on the way.

    status: 200; or that of an error that is about the request (400, 403, …) and that another rig
    would give as well: the body is then the rig's own OpenAI-shaped error. headers: lower-case
    names, the rig's; without lengths, connection and encoding. rig: as it signed itself. model: its
    name for the model. subtext: whether both ways were sealed. is_stream: the body is server-sent
    events, comments (`: queue …`) included. tries: rigs that were asked, the last one gave this.
    sent_at: when the request left for this rig, seconds of the caller's monotonic clock.

    Iterate it once, to its end, or aclose() it: that ends the request at the rig. A stream that
    breaks ends with `data: {"error": …}` (code rig_lost) and without [DONE]; a body that isn't a
    stream raises LuckrigError rig_lost.
    """

    status: int
    headers: Mapping[str, str]
    rig: NodeView
    model: str
    subtext: bool
    is_stream: bool
    pieces: AsyncIterator[bytes]
    tries: int = 1
    close: Callable[[], Awaitable[None]] = field(default=lambda: _nothing())
    sent_at: float | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.pieces

    async def read(self) -> bytes:
        """The whole body. Raises LuckrigError: rig_lost, engine_error for one without end."""
        body = bytearray()
        async for piece in self.pieces:
            body += piece
            check_size(len(body))
        return bytes(body)

    async def aclose(self) -> None:
        """End it. Safe to call twice, and after the end."""
        await self.close()

    async def __aenter__(self) -> "Reply":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class Caller(Protocol):
    """Answers requests with the network's rigs. calling/network.py makes the real one."""

    async def call(self, ask: Ask) -> Reply:
        """The first rig's reply whose first byte came.

        Raises LuckrigError when none can answer: node_not_found and model_not_found with what there
        is instead; node_offline; the last rig's error with how many were tried;
        tracker_unreachable, registration_required, key_replaced, banned of the tracker.
        """
        ...

    async def rigs(self) -> list[NodeView]:
        """The map, at most some seconds old: for /v1/models. Unchecked until a rig is used."""
        ...


async def _nothing() -> None:
    """What closing a reply does that holds nothing."""


def check_size(size: int) -> None:
    """Raise LuckrigError engine_error for more bytes of one reply than any has."""
    if size > MAX_REPLY_BYTES:
        raise LuckrigError("engine_error", "The reply is too long to be one.")
