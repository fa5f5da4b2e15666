"""A request's body on its way in, from the rig's own port or from the tunnel."""

import asyncio

from luckrig.protocol.errors import PeerError


class RequestBody:
    """Pieces are added until it is whole or has failed. For one reader.

    max_bytes: a longer one fails with body_too_large.
    """

    __slots__ = ("_fault", "_max_bytes", "_pieces", "_size", "_waiter", "is_whole")

    def __init__(self, max_bytes: int) -> None:
        self.is_whole = False
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._fault: PeerError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def has_failed(self) -> bool:
        """Whether nobody wants more of it."""
        return self._fault is not None

    @property
    def is_coming(self) -> bool:
        """Whether read() would wait."""
        return not self.is_whole and self._fault is None

    async def read(self) -> bytes:
        """All of it, once. Raises PeerError when it has failed."""
        if self.is_coming:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._fault is not None:
            raise self._fault
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def add(self, piece: bytes) -> bool:
        """Take some of it; whether it is kept."""
        if self._fault is not None:
            return False
        self._size += len(piece)
        if self._size > self._max_bytes:
            why = f"This rig takes at most {self._max_bytes} bytes."
            self.fail(PeerError("body_too_large", why))
            return False
        self._pieces.append(piece)
        return True

    def end(self) -> None:
        """That was all."""
        self.is_whole = True
        self._wake()

    def fail(self, fault: PeerError) -> None:
        """Whoever reads it gets the fault."""
        self._pieces.clear()
        self._fault = fault
        self._wake()

    def fail_late(self) -> None:
        """Its time is up."""
        self.fail(PeerError("invalid_request", "The body didn't arrive in time."))

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
