"""One request to one rig: connections that are kept, deadlines, and errors that say what was wrong.

A rig is a stranger: redirects aren't followed, cookies aren't kept, compressed bodies are refused,
and each wait ends.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx2
import msgspec

from luckrig.client.transport import no_cookies, printable_error
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.wire import ErrorReply

MAX_CONNECTIONS: Final = 256
MAX_IDLE_CONNECTIONS: Final = 32
KEPT_SECONDS: Final = 10.0
"""A rig closes a connection that was quiet for 15: it must not do so under a request."""
MAX_SMALL_BYTES: Final = 65_536
"""Of an error, or of a rig's sealing keys."""
_HEADERS: Final = {
    "user-agent": "luckrig",
    "accept": "*/*",
    "accept-encoding": "identity",  # what isn't compressed can't be a bomb
}
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
    """transport: connections without a client around them, whose redirects, cookies and hooks are
    what rigs must not have anyway; that saves a quarter of a request's CPU time.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport, deadlines: Deadlines) -> None:
        self._transport = transport
        self.deadlines = deadlines
        self._timeouts = {"timeout": _timeout(deadlines).as_dict()}

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
        sent = {**_HEADERS, **headers}
        try:
            request = httpx2.Request(
                method, url, headers=sent, content=body or None, extensions=self._timeouts
            )
            response = await self._transport.handle_async_request(request)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _problem(error) from error
        told = {
            name.lower(): value
            for name, value in response.headers.items()
            if name.lower() not in _NOT_PASSED_ON
        }
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise lost("compresses its answer although it was asked not to")
        return Incoming(
            status=response.status_code,
            headers=told,
            pieces=_pieces(response, self.deadlines),
            close=response.aclose,
        )


@dataclass(frozen=True, kw_only=True)
class Connections:
    """transport: to rigs. http: the same, as a client for the tracker."""

    transport: httpx2.AsyncBaseTransport
    http: httpx2.AsyncClient


@asynccontextmanager
async def open_connections(deadlines: Deadlines) -> AsyncGenerator[Connections]:
    """Connections to rigs and tracker, which are kept for a while and end with the block.

    Proxy and certificate variables of the environment are ignored, as in open_tracker().
    """
    transport = httpx2.AsyncHTTPTransport(
        trust_env=False,
        limits=httpx2.Limits(
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_IDLE_CONNECTIONS,
            keepalive_expiry=KEPT_SECONDS,
        ),
    )
    async with httpx2.AsyncClient(
        transport=transport,
        trust_env=False,
        cookies=no_cookies(),
        headers={"user-agent": _HEADERS["user-agent"]},
        timeout=_timeout(deadlines),
    ) as http:
        yield Connections(transport=transport, http=http)


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


def lost(why: str) -> LuckrigError:
    """why: completes "The rig …", without the full stop."""
    return LuckrigError("rig_lost", f"The rig {why}.")


async def _pieces(response: httpx2.Response, deadlines: Deadlines) -> AsyncGenerator[bytes]:
    raw, loop = aiter(_stream(response)), asyncio.get_running_loop()
    # Of a stream everybody sees what comes; anything else could be made to come for ever.
    is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
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
    except httpx2.HTTPError as error:
        raise lost("broke off its reply") from error
    finally:
        await response.aclose()


def _stream(response: httpx2.Response) -> httpx2.AsyncByteStream:
    """Its body as it comes, not decoded."""
    if not isinstance(response.stream, httpx2.AsyncByteStream):
        raise TypeError("an asynchronous transport gives an asynchronous body")
    return response.stream


def _timeout(deadlines: Deadlines) -> httpx2.Timeout:
    return httpx2.Timeout(None, connect=deadlines.connect, pool=deadlines.connect)


def _problem(error: Exception) -> LuckrigError:
    if isinstance(error, httpx2.PoolTimeout):
        return lost("can't be asked: too many requests of yours are running")
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout)):
        return lost("can't be reached at its address")
    return lost("broke off the connection")


def _nearest(status: int) -> str:
    """The nearest of our codes, for a rig that has newer ones."""
    nearest = {401: "token_invalid", 403: "banned", 404: "not_found", 429: "rate_limited"}
    return nearest.get(status, "engine_error" if status >= 500 else "invalid_request")
