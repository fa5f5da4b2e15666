"""One request that came through the tunnel, as the pipeline sees it."""

import asyncio
import re
from typing import Final, Protocol

from luckrig.nodeproxy.deadline import Deadline
from luckrig.nodeproxy.server.body import RequestBody
from luckrig.nodeproxy.server.limits import ServerLimits
from luckrig.protocol.tunnel.frames import WINDOW_BYTES, ReplyHead, ResetCode

_ODD: Final = re.compile(r"[^\t\x20-\x7e]")


class Lane(Protocol):
    """What a stream asks of its session. Nothing here waits."""

    def send_head(self, stream: int, head: ReplyHead) -> None:
        """Begin the answer."""
        ...

    def send_data(self, stream: int, data: memoryview) -> int:
        """Send what credit and the tunnel's queue allow; how many bytes that was.

        It may be less than all, since a frame holds so much: ask again. When it was nothing,
        on_room() is called as soon as more may go.
        """
        ...

    def send_end(self, stream: int) -> None:
        """The answer is whole."""
        ...

    def send_reset(self, stream: int, code: ResetCode) -> None:
        """Give the stream up."""
        ...

    def send_credit(self, stream: int, consumed: int) -> None:
        """The tracker may send that much more of the request."""
        ...


class TunnelConnection:
    """Implements exchange.Connection. on_… are the session's.

    The deadlines are those of the rig's own port: body_seconds for the request's body,
    write_seconds for a client that leaves its answer unread.
    """

    def __init__(self, lane: Lane, number: int, limits: ServerLimits) -> None:
        self._lane = lane
        self._number = number
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._deadline = Deadline(self._loop, self._on_deadline)
        self._deadline.set(limits.body_seconds)
        self._task: asyncio.Task[None] | None = None
        self._body = RequestBody(limits.body_bytes)
        self._uncredited = 0
        self._is_answered = self._is_over = self._lags = False
        self._head: ReplyHead | None = None
        self._unsent: list[memoryview] = []
        self._drained: asyncio.Future[None] | None = None

    # For the answer: exchange.Connection

    @property
    def address(self) -> str:
        """See exchange.Connection. The relay doesn't tell whose request it is."""
        return ""

    async def read_body(self) -> bytes:
        """See exchange.Connection."""
        return await self._body.read()

    def start(self, status: int, headers: bytes, *, length: int | None) -> None:
        """See exchange.Connection."""
        lines = headers.decode("latin-1").split("\r\n")
        pairs = [line.partition(": ") for line in lines if line]
        # The tracker takes nothing else: an engine's odd word must not cost the tunnel.
        named = [(name, _ODD.sub("?", value)) for name, _, value in pairs]
        self._head = ReplyHead(status=status, headers=named, length=length)

    def write(self, data: bytes, *, more: bool) -> None:
        """See exchange.Connection."""
        if self._is_over:
            return
        if self._head is not None:
            head, self._head = self._head, None
            self._lane.send_head(self._number, head)
        if data:
            self._unsent.append(memoryview(data))
        self._is_answered = not more
        self._flush()

    @property
    def is_congested(self) -> bool:
        """See exchange.Connection."""
        return bool(self._unsent)

    async def drain(self) -> None:
        """See exchange.Connection."""
        if self._unsent:
            self._drained = self._loop.create_future()
            await self._drained

    def abort(self) -> None:
        """See exchange.Connection."""
        self._give_up(ResetCode.FAILED)

    # For the session

    def answer(self, task: "asyncio.Task[None]") -> None:
        """The task that answers; it is cancelled when nobody wants the answer any more."""
        self._task = task
        task.add_done_callback(self._on_answered)

    def on_data(self, data: bytes) -> None:
        """Some of the request's body."""
        if self._is_over or not self._body.add(data):
            return
        self._uncredited += len(data)
        if self._uncredited >= WINDOW_BYTES // 2:
            self._lane.send_credit(self._number, self._uncredited)
            self._uncredited = 0

    def on_end(self) -> None:
        """The request's body is whole."""
        if not self._lags:
            self._deadline.clear()
        self._body.end()

    def on_room(self) -> None:
        """More may be sent."""
        if not self._is_over:
            self._flush()

    def on_gone(self) -> None:
        """The client has left, or the tunnel is lost."""
        self._finish()
        if self._task is not None:
            self._task.cancel()

    # Inside

    def _flush(self) -> None:
        while self._unsent:
            data = self._unsent[0]
            sent = self._lane.send_data(self._number, data)
            if 0 < sent < len(data):  # a frame holds so much; there may be room for another
                self._unsent[0] = data[sent:]
                continue
            if not sent:
                if not self._lags:  # once: a client must catch up, not just trickle
                    self._lags = True
                    self._deadline.set(self._limits.write_seconds)
                return
            del self._unsent[0]
        if self._lags:
            self._lags = False
            self._deadline.clear()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None
        if self._is_answered:
            self._lane.send_end(self._number)
            self._finish()

    def _give_up(self, code: ResetCode) -> None:
        if not self._is_over:
            self._lane.send_reset(self._number, code)
            self._finish()

    def _finish(self) -> None:
        self._is_over = True
        self._unsent.clear()
        self._deadline.close()

    def _on_answered(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if not self._is_answered:
            self._give_up(ResetCode.FAILED)

    def _on_deadline(self) -> None:
        if self._lags:
            self._give_up(ResetCode.SLOW)
            if self._task is not None:
                self._task.cancel()
        else:
            self._body.fail_late()
