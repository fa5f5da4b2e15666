"""One rig's connection: frames in and out of a WebSocket, streams to and from them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from luckrig.protocol.telemetry import Telemetry
from luckrig.protocol.tunnel import ends
from luckrig.protocol.tunnel.ends import TrackerEnd
from luckrig.protocol.tunnel.frames import (
    PING_BYTES,
    SILENT_SECONDS,
    GoAway,
    OpenHead,
    ResetCode,
    Violation,
)
from luckrig.tracker.relay.stream import RelayStream, RigOffline

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

OUT_BYTES: Final = 256 * 1024
"""Frames waiting to be sent, beyond which requests' bodies wait."""
CLOSE_SECONDS: Final = 2.0
GOODBYE_CODE: Final = 4000
"""WebSocket's range for private use: the reason stands in GOAWAY."""


class Tunnel:
    """Implements stream.Lane. For one event loop.

    send, abort: the WebSocket's; abort drops it at once. ping_seconds: between PINGs. on_beat:
    told of each heartbeat, with the one before. on_closed: called once, when nothing can be opened
    any more.
    """

    def __init__(
        self,
        node_id: str,
        end: TrackerEnd,
        send: Send,
        abort: Callable[[], None],
        *,
        ping_seconds: float,
        on_beat: Callable[["Tunnel", Telemetry | None], None],
        on_closed: Callable[["Tunnel"], None],
    ) -> None:
        self.node_id = node_id
        self.telemetry: Telemetry | None = None
        self._end = end
        self._send = send
        self._abort = abort
        self._ping_seconds = ping_seconds
        self._on_beat = on_beat
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, RelayStream] = {}
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._closer: asyncio.Task[None] | None = None
        self._room: asyncio.Event | None = None
        self._is_closed = self._is_leaving = False
        self._pings = 0
        self._heard_at = self._loop.time()
        self._timer = self._loop.call_later(ping_seconds, self._on_timer)

    @property
    def is_leaving(self) -> bool:
        """Whether the rig said goodbye: what runs may end, nothing new is begun."""
        return self._is_leaving

    @property
    def is_free(self) -> bool:
        """Whether one more stream can be opened."""
        return self._end.can_open()

    @property
    def streams(self) -> int:
        """Requests that are under way."""
        return len(self._streams)

    def open(self, head: OpenHead) -> RelayStream:
        """Begin a request. Raises RigOffline on a tunnel that is closing; ValueError without room
        (is_free says so first) or for a head that is too long."""
        if self._is_closed or self._is_leaving:
            raise RigOffline
        number, data = self._end.open(head)
        stream = self._streams[number] = RelayStream(self, number)
        self._put(data)
        return stream

    def tell_revoked(self) -> None:
        """The rig is to ask for its list of banned users now."""
        self._put(self._end.revoked())

    async def run(self, receive: Receive) -> None:
        """Take frames until the connection is over; everything on it has ended then."""
        try:
            while (message := await receive())["type"] == "websocket.receive":
                if self._is_closed:
                    continue  # its last words, which nobody waits for
                self._heard_at = self._loop.time()
                try:
                    self._take(self._end.receive(message.get("bytes") or b""))
                except Violation as fault:
                    self.leave(GoAway(reason="protocol_error", message=str(fault)))
        finally:
            self._shut()
            for task in (self._writer, self._closer):
                if task is not None:
                    task.cancel()

    def leave(self, why: GoAway) -> None:
        """Close it: its streams end now, the rig is told why."""
        if self._is_closed:
            return
        self._put(self._end.go_away(why))
        self._shut()
        self._closer = self._loop.create_task(self._close())

    # For streams: stream.Lane

    def send_data(self, stream: int, data: memoryview) -> int:
        """See stream.Lane."""
        if self._is_closed or stream not in self._streams:
            return 0
        size = min(len(data), self._end.sendable(stream))
        if size:
            self._put(self._end.data(stream, bytes(data[:size])))
        return size

    def send_end(self, stream: int) -> None:
        """See stream.Lane."""
        if not self._is_closed and stream in self._streams:
            self._put(self._end.end(stream))

    def send_reset(self, stream: int, code: ResetCode) -> None:
        """See stream.Lane."""
        self._streams.pop(stream, None)
        if not self._is_closed:
            self._put(self._end.reset(stream, code))

    def send_credit(self, stream: int, consumed: int) -> None:
        """See stream.Lane."""
        if not self._is_closed:
            self._put(self._end.credit(stream, consumed))

    async def drained(self) -> None:
        """See stream.Lane."""
        while self._out_bytes > OUT_BYTES and not self._is_closed:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()

    # Inside

    def _take(self, event: ends.Event | None) -> None:
        match event:
            case ends.Arrived(number, data):
                self._streams[number].on_data(data)
            case ends.Headed(number, head):
                self._streams[number].on_head(head)
            case ends.Ended(number):
                # Its entry stays until the client's side closes it: the body may still go up.
                self._streams[number].on_end()
            case ends.Broken(number, code, answer):
                self._put(answer)
                if (stream := self._streams.pop(number, None)) is not None:
                    stream.on_reset(code)
            case ends.Credited(number):
                self._streams[number].on_credit()
            case ends.Beat(telemetry):
                before, self.telemetry = self.telemetry, telemetry
                self._on_beat(self, before)
            case ends.Left():
                self._is_leaving = True
            case _:
                pass

    def _on_timer(self) -> None:
        if self._loop.time() - self._heard_at > SILENT_SECONDS:
            self.leave(GoAway(reason="silent", message="Nothing was heard for too long."))
            return
        self._pings += 1
        self._put(self._end.ping(self._pings.to_bytes(PING_BYTES)) or b"")
        self._timer = self._loop.call_later(self._ping_seconds, self._on_timer)

    # The rig's end has a writer of this shape: nodeproxy/tunnel/session.py says why each has one.

    def _put(self, data: bytes) -> None:
        if not data or self._is_closed:
            return
        self._out.append(data)
        self._out_bytes += len(data)
        if self._writer is None:
            self._writer = self._loop.create_task(self._write())

    async def _write(self) -> None:
        """Send what waits; a task only while something does, so that idle tunnels have none."""
        try:
            while self._out:
                data = self._out.popleft()
                self._out_bytes -= len(data)
                await self._send({"type": "websocket.send", "bytes": data})
                if self._room is not None and self._out_bytes <= OUT_BYTES:
                    self._room.set()
                    self._room = None
        except (OSError, RuntimeError):
            self._out.clear()  # the connection is gone; run() ends with it
        finally:
            self._writer = None

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                if self._writer is not None:
                    await asyncio.wait((self._writer,))
                await self._send({"type": "websocket.close", "code": GOODBYE_CODE})
        except TimeoutError:
            self._abort()  # it doesn't read
        except (OSError, RuntimeError):
            pass  # it has left first

    def _shut(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._timer.cancel()
        if self._room is not None:
            self._room.set()
        self._on_closed(self)
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.on_lost()
