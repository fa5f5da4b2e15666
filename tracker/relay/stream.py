"""One relayed request: what a client's side of it may ask of the tunnel."""

import asyncio
from collections import deque
from typing import Final, Protocol

from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.tunnel.frames import WINDOW_BYTES, ReplyHead, ResetCode

RETRY_SECONDS: Final = 5
CREDIT_BYTES: Final = WINDOW_BYTES // 2
"""Credit is given back in halves of the window: a frame for each chunk would double the traffic."""
UPLOAD_SECONDS: Final = 30.0
"""How long a rig may leave a request's body unread."""


class RigOffline(LuckrigError):
    """Nothing was begun: no tunnel, or a rig that is leaving."""

    def __init__(self) -> None:
        super().__init__(
            "rig_offline",
            "This rig isn't connected to its tracker now. Try again in a moment, or pick another.",
            retry_after_seconds=RETRY_SECONDS,
        )


class RigLost(LuckrigError):
    """The rig, or its connection, broke off what it had begun."""

    def __init__(self) -> None:
        super().__init__(
            "rig_lost", "The connection to this rig broke before its reply was complete."
        )


class ClientGone(LuckrigError):
    """Nobody is left to be answered."""

    def __init__(self) -> None:
        super().__init__("cancelled", "The client has left.")


class Lane(Protocol):
    """What a stream asks of its tunnel. All but `drained` never wait."""

    def send_data(self, stream: int, data: memoryview) -> int:
        """Send what the credit allows; how many bytes that was."""
        ...

    def send_end(self, stream: int) -> None:
        """The request's body is whole."""
        ...

    def send_reset(self, stream: int, code: ResetCode) -> None:
        """Give it up, if it isn't over."""
        ...

    def send_credit(self, stream: int, consumed: int) -> None:
        """The rig may send that much more."""
        ...

    async def drained(self) -> None:
        """Wait while the tunnel has too much to send."""
        ...


class RelayStream:
    """For one reader and one writer. The on_… methods are the tunnel's.

    At most WINDOW_BYTES of the answer are held here, for a client that reads slowly.
    """

    __slots__ = (
        "_chunks",
        "_consumed",
        "_credited",
        "_fault",
        "_head",
        "_is_whole",
        "_lane",
        "_number",
        "_waiter",
    )

    def __init__(self, lane: Lane, number: int) -> None:
        self._lane = lane
        self._number = number
        self._head: ReplyHead | None = None
        self._chunks: deque[bytes] = deque()
        self._consumed = 0
        self._is_whole = False
        self._fault: LuckrigError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._credited = asyncio.Event()

    async def head(self) -> ReplyHead:
        """The answer's head. Raises RigOffline, RigLost, or what fail() was given."""
        while self._head is None:
            if self._fault is not None:
                raise self._fault
            await self._wait()
        return self._head

    async def read(self) -> bytes:
        """What came of the answer's body since the last call, b"" at its clean end. Raises as head.

        What came before a fault is given out first.
        """
        while not self._chunks:
            if self._fault is not None:
                raise self._fault
            if self._is_whole:
                return b""
            await self._wait()
        data = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        return data

    def consumed(self, size: int) -> None:
        """That many bytes of the answer have gone to the client."""
        self._consumed += size
        if self._consumed >= CREDIT_BYTES:
            self._lane.send_credit(self._number, self._consumed)
            self._consumed = 0

    async def write(self, data: bytes) -> None:
        """Send some of the request's body, as fast as the rig takes it.

        Raises RigLost when the rig takes nothing for too long; returns early when it is over.
        """
        rest = memoryview(data)
        while rest and self._fault is None and not self._is_whole:
            self._credited.clear()
            sent = self._lane.send_data(self._number, rest)
            rest = rest[sent:]
            if sent:
                await self._lane.drained()
                continue
            try:
                async with asyncio.timeout(UPLOAD_SECONDS):
                    await self._credited.wait()
            except TimeoutError as error:
                raise RigLost from error

    def finish(self) -> None:
        """The request's body is whole."""
        self._lane.send_end(self._number)

    def fail(self, fault: LuckrigError) -> None:
        """End it with this fault, for whoever reads."""
        if self._fault is None and not self._is_whole:
            self._fault = fault
            self._credited.set()
            self._wake()

    def close(self, code: ResetCode = ResetCode.CANCELLED) -> None:
        """Nobody reads any more."""
        self._lane.send_reset(self._number, code)

    # From the tunnel

    def on_head(self, head: ReplyHead) -> None:
        """The answer begins."""
        self._head = head
        self._wake()

    def on_data(self, data: bytes) -> None:
        """Some of the answer."""
        self._chunks.append(data)
        self._wake()

    def on_end(self) -> None:
        """The answer is whole."""
        self._is_whole = True
        self._credited.set()
        self._wake()

    def on_reset(self, code: int) -> None:
        """The rig gave it up."""
        was_begun = self._head is not None or code != ResetCode.REFUSED
        self.fail(RigLost() if was_begun else RigOffline())

    def on_lost(self) -> None:
        """The tunnel is gone. Before a head, nothing says that the rig had begun."""
        self.fail(RigOffline() if self._head is None else RigLost())

    def on_credit(self) -> None:
        """The rig takes more of the request."""
        self._credited.set()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
