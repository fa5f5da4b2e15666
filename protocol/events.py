"""Incremental splitters for streamed answers: bytes in, events out.

What is inside an event is for nodeproxy/engines to read. Every splitter is fed
whatever the socket gave, holds at most `max_bytes` of an unfinished event, and needs linear time
whether the bytes come one by one or all at once.
"""

from typing import Final

import msgspec

from luckrig.protocol.errors import UpstreamError

MAX_EVENT_BYTES: Final = 1024 * 1024  # a streamed chunk has some 200 bytes

PLAIN_FRAME_BYTES: Final = len(b"data: \n\n")

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class SseEvent(msgspec.Struct, frozen=True, gc=False):
    """data: its data lines, joined by newlines. event: its type, empty for the default one."""

    data: bytes
    event: str = ""


class SseSplitter:
    """Split a WHATWG event stream (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    Comments, `id`, `retry` and unknown fields are read and dropped: a streamed answer is never
    resumed. An event is given out with the blank line that ends it.
    """

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._tail = bytearray()  # a line whose end hasn't come yet
        self._ended_by_cr = False  # then a newline at the start of the next bytes belongs to it
        self._at_start = True
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._event = ""

    def feed(self, data: bytes) -> list[SseEvent]:
        """Take the next bytes and give the events that they complete.

        Raises UpstreamError "engine_error" when an event is longer than max_bytes; the splitter is
        of no use afterwards.
        """
        if not self.is_inside and (plain := plain_documents(data, self._max_bytes)):
            self._at_start = self._ended_by_cr = False
            return [SseEvent(document) for document in plain]
        events = [event for line in self._lines(data) if (event := self._read(line))]
        self._check_length(len(self._tail))
        return events

    @property
    def is_inside(self) -> bool:
        """Whether an event has begun whose end hasn't come."""
        return bool(self._tail or self._data or self._event)

    def close(self) -> bool:
        """End the stream. True if it broke off inside an event; the standard drops that event."""
        broken = bool(self._tail or self._data)
        self._tail.clear()
        self._data.clear()
        return broken

    def _lines(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes; what remains waits in the tail."""
        if self._ended_by_cr and data:
            data = data.removeprefix(b"\n")
            self._ended_by_cr = False
        lines = data.splitlines(keepends=True)
        rest = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        if lines:
            self._ended_by_cr = not rest and lines[-1].endswith(b"\r")
            lines[0] = bytes(self._tail) + lines[0]
            self._tail.clear()
        self._tail += rest
        return [line.rstrip(b"\r\n") for line in lines]

    def _check_length(self, line_bytes: int) -> None:
        if self._data_bytes + line_bytes > self._max_bytes:
            raise _too_long(self._max_bytes)

    def _read(self, line: bytes) -> SseEvent | None:
        self._check_length(len(line))
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
        elif field == b"event":
            self._event = value.decode(errors="replace")
        return None

    def _dispatch(self) -> SseEvent | None:
        event = SseEvent(b"\n".join(self._data), self._event) if self._data else None
        self._data.clear()
        self._data_bytes = 0
        self._event = ""
        return event


class NdjsonSplitter:
    """Split lines of JSON, as Ollama's own API streams them; empty lines are dropped."""

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._tail = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and give the lines that they complete, without their ends.

        Raises UpstreamError "engine_error" when a line is longer than max_bytes.
        """
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines:
            lines[0] = bytes(self._tail) + lines[0]
            self._tail.clear()
        self._tail += rest
        if len(self._tail) > self._max_bytes or any(len(line) > self._max_bytes for line in lines):
            raise _too_long(self._max_bytes)
        return [line for raw in lines if (line := raw.removesuffix(b"\r"))]

    def close(self) -> bytes:
        """End the stream and give its last line, if that came without a newline."""
        rest = bytes(self._tail.removesuffix(b"\r"))
        self._tail.clear()
        return rest


def plain_documents(data: bytes, max_bytes: int = MAX_EVENT_BYTES) -> list[bytes]:
    """The documents of `data` if it is nothing but whole `data: …` events of one line, else none.

    What engines send, nearly always: worth a path of a few operations in C. (Counting newlines
    isn't one of them: it takes five times as long as this search.)
    """
    if not (data.startswith(b"data: ") and data.endswith(b"\n\n")) or len(data) > max_bytes:
        return []
    pieces = data[6:-2].split(b"\n\ndata: ")
    if b"\n" in b"".join(pieces) or b"\r" in data:
        return []
    return pieces


def plain_document(data: bytes, start: int) -> bytes:
    """The document of a whole `data: …` event of one line that begins at `start`; else empty."""
    if not data.startswith(b"data: ", start):
        return b""
    end = data.find(b"\n\n", start, start + MAX_EVENT_BYTES)
    document = data[start + 6 : end] if end > 0 else b""
    return b"" if b"\n" in document or b"\r" in document else document


def _too_long(max_bytes: int) -> UpstreamError:
    return UpstreamError("engine_error", f"The engine sent an event over {max_bytes} bytes.")
