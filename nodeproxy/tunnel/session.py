"""One connection to the tracker, from READY on: frames in and out, streams to and from them."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from luckrig.nodeproxy.exchange import Connection
from luckrig.nodeproxy.server.connection import RequestHead
from luckrig.nodeproxy.server.limits import ServerLimits
from luckrig.nodeproxy.tunnel.stream import TunnelConnection
from luckrig.protocol.telemetry import Telemetry
from luckrig.protocol.tunnel import ends
from luckrig.protocol.tunnel.ends import NodeEnd
from luckrig.protocol.tunnel.frames import (
    SILENT_SECONDS,
    GoAway,
    OpenHead,
    ReplyHead,
    ResetCode,
    Violation,
)

OUT_BYTES: Final = 256 * 1024
"""Frames waiting to be sent, beyond which streams wait: what is queued here delays all of them."""
HEARTBEAT_SECONDS: Final = 10.0
STATUS_SECONDS: Final = 1.0
"""How often the state is looked at: a change is told at once."""
GRACE_SECONDS: Final = 2.0
"""How long running answers may go on after the wish to stop."""

Application = Callable[[Connection, RequestHead], Coroutine[Any, Any, None]]
"""Answers one request. Raises nothing; is cancelled when the client leaves."""


class Socket(Protocol):
    """What a session asks of a WebSocket. Both raise OSError when it is closed."""

    async def send(self, data: bytes) -> None:
        """Send one message; waits while the other end doesn't read."""
        ...

    async def receive(self) -> bytes:
        """The next message, binary. Raises Violation for a text."""
        ...

    async def close(self) -> None:
        """Close it, in a bounded time."""
        ...

    def abort(self) -> None:
        """Drop it."""
        ...


class Session:
    """Implements stream.Lane. For one event loop.

    telemetry: for heartbeats, and asked every second. on_revoked: the list of banned users changed.
    """

    def __init__(
        self,
        socket: Socket,
        end: NodeEnd,
        app: Application,
        limits: ServerLimits,
        telemetry: Callable[[], Telemetry],
        *,
        on_revoked: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._end = end
        self._app = app
        self._limits = limits
        self._telemetry = telemetry
        self._on_revoked = on_revoked
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, TunnelConnection] = {}
        self._blocked: dict[int, TunnelConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._is_closed = self._is_leaving = False
        self._heard_at = self._loop.time()
        self._timer = self._loop.call_later(SILENT_SECONDS, self._on_timer)

    async def run(self) -> GoAway | None:
        """Serve until the connection is over; why it is, if anybody said so.

        Cancelled: it is dropped at once. Streams have ended when this returns.
        """
        beats = self._loop.create_task(self._beat())
        why: GoAway | None = None
        try:
            while why is None:
                data = await self._socket.receive()
                self._heard_at = self._loop.time()
                why = self._take(self._end.receive(data))
        except OSError:
            pass
        except Violation as fault:
            why = GoAway(reason="protocol_error", message=str(fault))
            self._put(self._end.go_away(why))
        finally:
            beats.cancel()
            await self._shut()
        return why

    async def leave(self) -> None:
        """Say that this rig stops; let running answers end for a while."""
        if not self._is_closed:
            self._is_leaving = True
            self._put(self._end.go_away(GoAway(reason="stopping")))
            if self._tasks:
                await asyncio.wait(tuple(self._tasks), timeout=GRACE_SECONDS)
            if self._writer is not None:
                await asyncio.wait((self._writer,), timeout=GRACE_SECONDS)

    # For streams: stream.Lane

    def send_head(self, stream: int, head: ReplyHead) -> None:
        """See stream.Lane."""
        self._put(self._end.head(stream, head))

    def send_data(self, stream: int, data: memoryview) -> int:
        """See stream.Lane."""
        size = min(len(data), self._end.sendable(stream))
        if size and self._out_bytes > OUT_BYTES:
            self._blocked[stream] = self._streams[stream]
            return 0
        if size:
            self._put(self._end.data(stream, bytes(data[:size])))
        return size

    def send_end(self, stream: int) -> None:
        """See stream.Lane."""
        self._put(self._end.end(stream))
        self._forget(stream)

    def send_reset(self, stream: int, code: ResetCode) -> None:
        """See stream.Lane."""
        self._put(self._end.reset(stream, code))
        self._forget(stream)

    def send_credit(self, stream: int, consumed: int) -> None:
        """See stream.Lane."""
        self._put(self._end.credit(stream, consumed))

    # Inside

    def _take(self, event: ends.Event | None) -> GoAway | None:
        match event:
            case ends.Opened(number, head):
                self._open(number, head)
            case ends.Arrived() | ends.Ended() | ends.Credited() | ends.Broken():
                self._take_for_stream(event)
            case ends.Pinged(answer):
                self._put(answer)
            case ends.Revoked():
                self._on_revoked()
            case ends.Left(why):
                return why
            case _:
                pass
        return None

    def _take_for_stream(
        self, event: ends.Arrived | ends.Ended | ends.Credited | ends.Broken
    ) -> None:
        stream = self._streams.get(event.stream)
        if isinstance(event, ends.Broken):
            self._put(event.answer)
            self._forget(event.stream)
        if stream is None:
            return  # answered before all of the request had come
        match event:
            case ends.Arrived(_, data):
                stream.on_data(data)
            case ends.Ended():
                stream.on_end()
            case ends.Credited():
                stream.on_room()
            case ends.Broken():
                stream.on_gone()

    def _open(self, number: int, head: OpenHead) -> None:
        if self._is_leaving:
            self._put(self._end.reset(number, ResetCode.REFUSED))
            return
        stream = self._streams[number] = TunnelConnection(self, number, self._limits)
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in head.headers]
        request = RequestHead(head.method, head.path, headers)
        task = self._loop.create_task(self._app(stream, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        stream.answer(task)

    def _forget(self, stream: int) -> None:
        self._streams.pop(stream, None)
        self._blocked.pop(stream, None)

    # The tracker's end (relay/tunnel.py) has a queue and a writer of the same shape. Tracker and
    # node proxy share protocol/ alone, which knows no tasks; and they slow down differently: here
    # each stream is called back, there whoever uploads waits.

    def _put(self, data: bytes) -> None:
        if not data or self._is_closed:
            return
        self._out.append(data)
        self._out_bytes += len(data)
        if self._writer is None:
            self._writer = self._loop.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._out:
                data = self._out.popleft()
                await self._socket.send(data)
                self._out_bytes -= len(data)
                if self._blocked and self._out_bytes <= OUT_BYTES // 2:
                    blocked, self._blocked = self._blocked, {}
                    for stream in blocked.values():
                        stream.on_room()
        except OSError:
            pass  # run() finds the same
        finally:
            self._writer = None

    async def _beat(self) -> None:
        told: Telemetry | None = None
        seconds = HEARTBEAT_SECONDS
        while True:
            now = self._telemetry()
            if seconds >= HEARTBEAT_SECONDS or now.is_news_after(told):
                told, seconds = now, 0.0
                self._put(self._end.heartbeat(now))
            await asyncio.sleep(STATUS_SECONDS)
            seconds += STATUS_SECONDS

    def _on_timer(self) -> None:
        left = self._heard_at + SILENT_SECONDS - self._loop.time()
        if left <= 0:
            self._socket.abort()
        else:
            self._timer = self._loop.call_later(left, self._on_timer)

    async def _shut(self) -> None:
        self._timer.cancel()
        if self._writer is not None:  # the last word, if there is one
            await asyncio.wait((self._writer,), timeout=GRACE_SECONDS)
        self._is_closed = True
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.on_gone()
        if self._writer is not None:
            self._writer.cancel()
        await self._socket.close()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))
