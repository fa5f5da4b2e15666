"""One request to one rig: deadlines, and errors that say what was wrong.

A rig is a stranger: redirects aren't followed, cookies aren't kept, compressed bodies are refused,
and each wait ends.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpcore2
import msgspec

from luckrig.client.calling.connections import MAX_CONNECTIONS
from luckrig.client.transport import printable_error
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.wire import ErrorReply

MAX_SMALL_BYTES: Final = 65_536
"""Of an error, or of a rig's sealing keys."""
_HEADERS: Final = (
    (b"user-agent", b"luckrig"),
    (b"accept-encoding", b"identity"),  # what isn't compressed can't be a bomb
)
_FAULTS: Final = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
    httpcore2.UnsupportedProtocol,
)
_NOT_PASSED_ON: Final = frozenset(
    "connection content-encoding content-length date keep-alive proxy-authenticate server "
    "set-cookie trailer transfer-encoding upgrade".split()
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadlines:
    """Seconds. connect: until there is a connection. small: for a whole answer of a few bytes.

    first_byte: of a stream, from sending on: an engine may have to load its model and read a long
    prompt first. whole: the same for a reply that isn't streamed, and so comes when all of it was
    made; and as long again for it to arrive. idle: between two pieces; a rig whose queue moves says
    so each 10 s.
    """

    connect: float = 5.0
    small: float = 10.0
    first_byte: float = 180.0
    whole: float = 900.0
    idle: float = 180.0


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Outgoing:
    """A POST. url: of the rig's endpoint and path. headers: with token and proof."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(kw_only=True, slots=True, repr=False)
class Incoming:
    """An answer whose head has come. headers: lower-case names, the rig's own. close: ends it.

    pieces: of the body; raises LuckrigError rig_lost when it breaks or stalls.
    """

    status: int
    headers: dict[str, str]
    pieces: AsyncIterator[bytes]
    close: Callable[[], Awaitable[None]]

    @property
    def is_events(self) -> bool:
        """Whether the body is server-sent events."""
        return self.headers.get("content-type", "").startswith("text/event-stream")


class Sender:
    """pool: of connections to rigs."""

    def __init__(self, pool: httpcore2.AsyncConnectionPool, deadlines: Deadlines) -> None:
        self._pool = pool
        self.deadlines = deadlines
        self._timeouts = {"timeout": {"connect": deadlines.connect, "pool": deadlines.connect}}

    async def open(self, outgoing: Outgoing) -> Incoming:
        """The answer's head. The caller has a deadline around it. Raises LuckrigError rig_lost."""
        return await self._send("POST", outgoing.url, outgoing.headers, outgoing.body)

    async def fetch(self, url: str) -> bytes:
        """A small answer to GET. Raises LuckrigError: the rig's own, or rig_lost."""
        try:
            async with asyncio.timeout(self.deadlines.small):
                incoming = await self._send("GET", url, {}, b"")
                try:
                    body = await read_small(incoming)
                finally:
                    await incoming.close()
        except TimeoutError as error:
            raise lost("doesn't answer") from error
        if incoming.status != 200:
            raise refusal(incoming, body)
        return body

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Incoming:
        try:
            response = await self._pool.handle_async_request(
                httpcore2.Request(
                    method,
                    url,
                    headers=_raw_headers(url, headers, len(body)),
                    content=body or None,
                    extensions=self._timeouts,
                )
            )
        except _FAULTS as error:
            raise _problem(error) from error
        told = _read_headers(response)
        if told.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise lost("compresses its answer although it was asked not to")
        return Incoming(
            status=response.status,
            headers={name: told[name] for name in told if name not in _NOT_PASSED_ON},
            pieces=_pieces(response, told, self.deadlines),
            close=response.aclose,
        )


async def read_small(incoming: Incoming) -> bytes:
    """The whole body of an answer that has few bytes. Raises LuckrigError rig_lost."""
    body = bytearray()
    async for piece in incoming.pieces:
        body += piece
        if len(body) > MAX_SMALL_BYTES:
            raise lost(f"sends more than {MAX_SMALL_BYTES} bytes where few were expected")
    return bytes(body)


def refusal(incoming: Incoming, body: bytes) -> LuckrigError:
    """The rig's own error, made fit to print; rig_lost for what isn't a rig's."""
    try:
        told = msgspec.json.decode(body, type=ErrorReply).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return lost(f"answers with status {incoming.status}, and not as a rig does")
    return printable_error(
        told,
        unknown_code=_nearest(incoming.status),
        retry_after=incoming.headers.get("retry-after", ""),
    )


class TooManyAtOnce(LuckrigError):
    """All connections of this process are in use: no rig's fault, and none can mend it."""

    def __init__(self) -> None:
        super().__init__(
            "rate_limited",
            f"{MAX_CONNECTIONS} requests of yours run already, and none ended in time. Run fewer.",
            retry_after_seconds=1,
        )


def lost(why: str) -> LuckrigError:
    """why: completes "The rig …", without the full stop."""
    return LuckrigError("rig_lost", f"The rig {why}.")


def _raw_headers(url: str, headers: Mapping[str, str], size: int) -> list[tuple[bytes, bytes]]:
    raw = [(b"host", urlsplit(url).netloc.encode("ascii")), *_HEADERS]
    if size:
        raw.append((b"content-length", b"%d" % size))
    raw += [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    return raw


def _read_headers(response: httpcore2.Response) -> dict[str, str]:
    """By lower-case name; those of one name are joined, as HTTP has it."""
    told: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        told[name] = f"{told[name]}, {value}" if name in told else value
    return told


async def _pieces(
    response: httpcore2.Response, headers: Mapping[str, str], deadlines: Deadlines
) -> AsyncGenerator[bytes]:
    raw, loop = aiter(response.aiter_stream()), asyncio.get_running_loop()
    # Of a stream everybody sees what comes; anything else could be made to come for ever.
    is_stream = headers.get("content-type", "").startswith("text/event-stream")
    end = math.inf if is_stream else loop.time() + deadlines.whole
    try:
        while True:
            seconds = max(min(deadlines.idle, end - loop.time()), 0)
            async with asyncio.timeout(seconds):
                piece = await anext(raw, None)
            if piece is None:
                return
            if piece:
                yield piece
    except TimeoutError as error:
        if loop.time() >= end:
            raise lost(f"didn't end its reply within {deadlines.whole:g} s") from error
        raise lost(f"fell silent for {deadlines.idle:g} s") from error
    except _FAULTS as error:
        raise lost("broke off its reply") from error
    finally:
        await response.aclose()


def _problem(error: Exception) -> LuckrigError:
    if isinstance(error, httpcore2.PoolTimeout):
        return TooManyAtOnce()
    if isinstance(error, (httpcore2.ConnectError, httpcore2.ConnectTimeout)):
        return lost("can't be reached at its address")
    return lost("broke off the connection")


def _nearest(status: int) -> str:
    """The nearest of our codes, for a rig that has newer ones."""
    nearest = {401: "token_invalid", 403: "banned", 404: "not_found", 429: "rate_limited"}
    return nearest.get(status, "engine_error" if status >= 500 else "invalid_request")
