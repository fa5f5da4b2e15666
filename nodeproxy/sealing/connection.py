"""What the pipeline writes, sealed on its way to the client: implements exchange.Connection.

A stream's events are gathered and leave as a frame each tick, or as soon as there are some, so that
neither their sizes nor the moments of single tokens are seen. What goes at once, in frames as large
as it takes: an event (or the head) that is longer than a small frame, since a client would
otherwise read the first word some ticks after it came; what fills the largest frame; and the end.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import Final

from luckrig.nodeproxy.deadline import Deadline
from luckrig.nodeproxy.exchange import EVENT_STREAM, JSON, Connection
from luckrig.nodeproxy.settings import SubtextPace
from luckrig.protocol.subtext.carrier import CarrierWriter
from luckrig.protocol.subtext.codec import Frame
from luckrig.protocol.subtext.items import ItemWriter
from luckrig.protocol.subtext.reply import FRAME_BYTES, ReplySealer

VISIBLE: Final = frozenset(
    {
        "cache-control",
        "x-content-type-options",
        "luckrig-node",
        "luckrig-gpu",
        "luckrig-engine",
        "luckrig-request",
        "vary",
        "access-control-allow-origin",
        "access-control-expose-headers",
    }
)
"""Headers that say nothing of what was asked: the same for every answer of the rig, the last three
for every answer to a page of its tracker."""
INLINE_BYTES: Final = 65_536
"""Of a reply in one piece. A longer one is written out frame by frame, between other people's
streams: 16 MB of it would hold them up for half a second."""
MAX_VALUE_CHARS: Final = 1024

_ODD: Final = re.compile(r"[^ -~]")
_FULL_BYTES: Final = FRAME_BYTES[-1]


class SealedConnection:
    """Stands in front of the connection that the request came on.

    is_streamed: whether the client asked for a stream, and so gets one, whatever is in it.
    """

    def __init__(
        self,
        connection: Connection,
        sealer: ReplySealer,
        carrier: CarrierWriter,
        *,
        is_streamed: bool,
        pace: SubtextPace,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._connection = connection
        self._sealer = sealer
        self._carrier = carrier
        self._is_streamed = is_streamed
        self._pace = pace
        self._deadline = Deadline(loop, self._flush)
        self._items = ItemWriter()
        self._visible = b""
        self._waiting_events = 0
        self._has_long = self._is_ticking = self._is_over = False
        self._unwritten: list[Frame] = []

    # exchange.Connection

    @property
    def address(self) -> str:
        """See exchange.Connection."""
        return self._connection.address

    async def read_body(self) -> bytes:
        """See exchange.Connection."""
        return await self._connection.read_body()

    def start(self, status: int, headers: bytes, *, length: int | None) -> None:
        """See exchange.Connection. The length isn't told: there are frames."""
        visible, content_type, sealed = _split(headers)
        self._take(self._items.head(status, content_type, sealed))
        form = EVENT_STREAM if self._is_streamed else JSON
        self._visible = b"content-type: %b\r\n%b" % (form, visible)
        if self._is_streamed:
            self._connection.start(200, self._visible, length=None)

    def write(self, data: bytes, *, more: bool) -> None:
        """See exchange.Connection."""
        if self._is_over:
            return
        self._take(self._items.body(data))
        if not more:
            self._end()
        elif self._is_streamed:
            self._flush_if_due()

    @property
    def is_congested(self) -> bool:
        """See exchange.Connection."""
        return self._connection.is_congested

    async def drain(self) -> None:
        """See exchange.Connection."""
        await self._connection.drain()

    def abort(self) -> None:
        """See exchange.Connection. Without a last frame the client sees that something is missing,
        even if somebody in between puts an end to the stream."""
        self._is_over = True
        self.close()
        self._connection.abort()

    # For whoever made it

    def close(self) -> None:
        """The exchange is over: nothing goes out by itself any more. An end may still come."""
        self._deadline.close()

    async def finish(self) -> None:
        """Write what is left of a long reply in one piece; whoever wrote it mustn't wait."""
        if not self._unwritten:
            return
        frames, self._unwritten = self._unwritten, []
        self._connection.start(200, self._visible, length=None)
        for part in self._carrier.document_parts(frames):
            self._connection.write(part, more=True)
            await self._connection.drain()
            await asyncio.sleep(0)  # drain only waits for a client that lags behind
        self._connection.write(b"", more=False)

    # Inside

    def _take(self, items: bytes) -> None:
        self._sealer.add(items)
        self._waiting_events += self._items.made
        self._has_long |= self._items.longest > FRAME_BYTES[0]

    def _flush_if_due(self) -> None:
        if self._waiting_events >= self._pace.events or self._sealer.waiting_bytes >= _FULL_BYTES:
            self._flush()
        elif self._sealer.waiting_bytes and not self._is_ticking:
            self._tick()

    def _tick(self) -> None:
        self._is_ticking = True
        self._deadline.set(self._pace.tick_seconds)

    def _flush(self) -> None:
        """On a tick, or because enough waits for one: a frame for every so many events."""
        count = max(1, self._waiting_events // self._pace.events)
        self._waiting_events = 0
        if self._has_long:
            self._has_long = False
            self._send(self._sealer.wide_frames())
        else:
            self._send(self._next_frames(count))
        if self._sealer.waiting_bytes:
            self._tick()
        else:
            self._is_ticking = False
            self._deadline.clear()

    def _next_frames(self, count: int) -> Iterable[Frame]:
        """So many, and more only where the largest would be full: what waits stays bounded."""
        while self._sealer.waiting_bytes and (count > 0 or self._is_full):
            count -= 1
            yield self._sealer.next_frame()

    @property
    def _is_full(self) -> bool:
        return self._sealer.waiting_bytes >= _FULL_BYTES

    def _send(self, frames: Iterable[Frame]) -> None:
        self._connection.write(b"".join(map(self._carrier.event, frames)), more=True)

    def _end(self) -> None:
        self._is_over = True
        self.close()
        self._sealer.add(self._items.end())
        size = self._sealer.waiting_bytes
        frames = self._sealer.last_frames()
        if self._is_streamed:
            events = b"".join(map(self._carrier.event, frames))
            self._connection.write(events + self._carrier.ending(), more=False)
        elif size > INLINE_BYTES:
            self._unwritten = frames
        else:
            document = self._carrier.document(frames)
            self._connection.start(200, self._visible, length=len(document))
            self._connection.write(document, more=False)


def _split(headers: bytes) -> tuple[bytes, str, dict[str, str]]:
    """(lines that stay visible, content type, headers that are sealed)."""
    visible: list[bytes] = []
    sealed: dict[str, str] = {}
    for line in headers.splitlines(keepends=True):
        name, _, value = line.decode("latin-1").partition(": ")
        if name in VISIBLE:
            visible.append(line)
        else:  # an engine's odd word must not cost the client its reply
            sealed[name] = _ODD.sub("?", value.rstrip("\r\n"))[:MAX_VALUE_CHARS]
    return b"".join(visible), sealed.pop("content-type"), sealed
