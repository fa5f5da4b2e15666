"""A reply's body on its way to the user: whole events only, watched, and with an honest end.

Nothing is asked again once a byte has gone out. A stream that breaks then ends with an error event
in its route's own shape, and without the mark of a whole one.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Final

import msgspec

from luckrig.client.calling.sending import Incoming, lost
from luckrig.client.calling.witness import Witness
from luckrig.protocol.errors import LuckrigError, error_body
from luckrig.protocol.events import MAX_EVENT_BYTES

RESPONSES_PATH: Final = "/v1/responses"
_EVENT_END: Final = b"\n\n"


class LiveBody:
    """An async iterator over the body's pieces. on_end: called once, however it ends, with whether
    the reply is whole.

    first: what was read already. path: of the request.
    """

    def __init__(
        self,
        incoming: Incoming,
        first: bytes,
        *,
        witness: Witness,
        path: str,
        on_end: Callable[[bool], None],
    ) -> None:
        self._incoming = incoming
        self._witness = witness
        self._path = path
        self._on_end: Callable[[bool], None] | None = on_end
        pieces = _all_pieces(first, incoming.pieces)
        self._pieces = self._events(pieces) if incoming.is_events else self._plain(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._pieces)
        except BaseException:  # its end, a broken reply, or the caller was cancelled
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """End it, at the rig too."""
        on_end, self._on_end = self._on_end, None
        if on_end is None:
            return
        on_end(self._witness.is_complete and not self._witness.failed)
        await _end(self._pieces.aclose)
        await _end(self._incoming.close)

    async def _plain(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        async for piece in pieces:
            self._witness.feed(piece)
            yield piece
        self._witness.end()

    async def _events(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Whole events: half of one and an error behind it would be one that nobody can read."""
        waiting = bytearray()  # it grows in place: an event that drips isn't copied for each piece
        try:
            async for piece in pieces:
                seen = max(len(waiting) - len(_EVENT_END) + 1, 0)
                waiting += piece
                end = waiting.rfind(_EVENT_END, seen) + len(_EVENT_END)
                is_whole = end >= len(_EVENT_END)
                if len(waiting) - (end if is_whole else 0) > MAX_EVENT_BYTES:
                    raise lost("sends an event that is too long")
                if is_whole:
                    whole = bytes(waiting[:end])
                    del waiting[:end]
                    self._witness.feed(whole)
                    yield whole
            if not self._witness.is_complete:
                raise lost("broke off its reply")
        except LuckrigError as error:
            if not self._witness.is_complete:
                yield _error_event(self._path, error)


async def _all_pieces(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    if first:
        yield first
    async for piece in pieces:
        yield piece


async def _end(close: Callable[[], Awaitable[None]]) -> None:
    try:
        await close()
    except LuckrigError:  # it broke while it was ended: it has ended
        return


def _error_event(path: str, error: LuckrigError) -> bytes:
    if path == RESPONSES_PATH:
        document = {**error_body(error)["error"], "type": "error"}
        return b"event: error\ndata: " + msgspec.json.encode(document) + _EVENT_END
    return b"data: " + msgspec.json.encode(error_body(error)) + _EVENT_END
