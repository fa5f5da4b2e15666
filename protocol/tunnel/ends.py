"""What each end of a tunnel may send, and when. Frames in, events out; no I/O, no clock.

A stream is one request and its answer, two directions with a body each:

| direction | sender | in this order                                    |
|-----------|--------|--------------------------------------------------|
| request   | T      | OPEN, any DATA, END                              |
| answer    | N      | HEAD, any DATA, END                              |

* Stream ids grow; one is never used twice.
* DATA costs its bytes of credit, WINDOW_BYTES at first. CREDIT gives back what was consumed.
* RESET ends both directions: who gets one and hasn't ended its own direction answers with RESET at
  once, and the stream is over when both have. Until then its late frames are dropped, and it counts
  among the MAX_STREAMS.
* CREDIT and RESET may cross the stream's end on their way, so both are ignored on a stream that is
  over. Any other frame on a stream that isn't there is a Violation.
"""

from abc import ABC, abstractmethod
from typing import Final, NamedTuple, TypeAlias

import msgspec

from luckrig.protocol.telemetry import MAX_TELEMETRY_BYTES, Telemetry
from luckrig.protocol.tunnel.frames import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_STREAM_ID,
    MAX_STREAMS,
    PING_BYTES,
    WINDOW_BYTES,
    GoAway,
    Hello,
    Kind,
    OpenHead,
    ReplyHead,
    ResetCode,
    Violation,
    frame,
    json_frame,
    read_json,
)
from luckrig.protocol.tunnel.proof import MAX_PROOF_CHARS

MAX_HEARTBEATS: Final = 32
"""Between two pings, 20 s apart: one every 10 s, and changes of state."""

_DATA: Final = int(Kind.DATA)


class Proved(NamedTuple):
    """N wants in. proof: unchecked."""

    proof: str


class Readied(NamedTuple):
    """T let N in."""


class Opened(NamedTuple):
    """A request begins."""

    stream: int
    head: OpenHead


class Headed(NamedTuple):
    """An answer begins."""

    stream: int
    head: ReplyHead


class Arrived(NamedTuple):
    """Some of a body. Whoever consumed it gives credit for it."""

    stream: int
    data: bytes


class Ended(NamedTuple):
    """A body is whole."""

    stream: int


class Broken(NamedTuple):
    """The other end gave the stream up. answer: the frame to send back, empty for none."""

    stream: int
    code: int
    answer: bytes


class Credited(NamedTuple):
    """More may be sent on the stream."""

    stream: int


class Pinged(NamedTuple):
    """T asks whether N is there. answer: the frame to send back."""

    answer: bytes


class Ponged(NamedTuple):
    """N is there."""


class Beat(NamedTuple):
    """How N is."""

    telemetry: Telemetry


class Revoked(NamedTuple):
    """T has a new list of banned users."""


class Left(NamedTuple):
    """The other end leaves."""

    why: GoAway


Event: TypeAlias = (
    Hello
    | Proved
    | Readied
    | Opened
    | Headed
    | Arrived
    | Ended
    | Broken
    | Credited
    | Pinged
    | Ponged
    | Beat
    | Revoked
    | Left
)


class _Stream:
    """credit: what this end may send. window: what the other end may send."""

    __slots__ = ("credit", "got_end", "got_head", "is_reset", "sent_end", "sent_head", "window")

    def __init__(self) -> None:
        self.credit = self.window = WINDOW_BYTES
        self.sent_head = self.got_head = self.sent_end = self.got_end = self.is_reset = False


class _End(ABC):
    """What both ends have in common: streams, windows, order."""

    def __init__(self) -> None:
        self.is_up = False
        self.max_streams = MAX_STREAMS
        self._streams: dict[int, _Stream] = {}
        self._last: int = 0

    @property
    def streams(self) -> int:
        """How many aren't over yet."""
        return len(self._streams)

    def receive(self, data: bytes) -> Event | None:
        """Take one frame; None: nothing to do. Raises Violation, after which nothing counts."""
        if not HEADER_BYTES <= len(data) <= MAX_FRAME_BYTES:
            raise Violation("a frame is too short or too long")
        kind, stream, payload = data[0], int.from_bytes(data[1:5]), data[5:]
        if stream == 0:
            return self._on_control(kind, payload)
        if not self.is_up:
            raise Violation("a stream came before READY")
        if kind == _DATA:
            return self._on_data(stream, payload)
        if kind == Kind.CREDIT:
            return self._on_credit(stream, payload)
        if kind == Kind.END:
            return self._on_end(stream, payload)
        if kind == Kind.RESET:
            return self._on_reset(stream, payload)
        return self._on_begin(kind, stream, payload)

    # What this end sends. Each returns a frame; the stream must be there and the direction open.

    def sendable(self, stream: int) -> int:
        """How many bytes the next DATA may have; 0 while there is no credit."""
        return min(self._streams[stream].credit, MAX_PAYLOAD_BYTES)

    def data(self, stream: int, data: bytes) -> bytes:
        """Some of the body: 1 to sendable() bytes."""
        state = self._open_direction(stream)
        if not 0 < len(data) <= min(state.credit, MAX_PAYLOAD_BYTES):
            raise ValueError("no credit for that much")
        state.credit -= len(data)
        return frame(Kind.DATA, stream, data)

    def end(self, stream: int) -> bytes:
        """The body is whole."""
        self._open_direction(stream).sent_end = True
        self._settle(stream)
        return frame(Kind.END, stream)

    def reset(self, stream: int, code: ResetCode) -> bytes:
        """Give the stream up; empty when that is no news."""
        state = self._streams.get(stream)
        if state is None or state.is_reset:
            return b""
        state.is_reset = state.sent_end = True
        self._settle(stream)
        return frame(Kind.RESET, stream, bytes((code,)))

    def credit(self, stream: int, consumed: int) -> bytes:
        """The other end may send that much more; empty when it has nothing to send any more."""
        state = self._streams.get(stream)
        if state is None or state.is_reset or state.got_end or consumed <= 0:
            return b""
        state.window += consumed
        if state.window > WINDOW_BYTES:
            raise ValueError("more credit than was consumed")
        return frame(Kind.CREDIT, stream, consumed.to_bytes(4))

    def go_away(self, why: GoAway) -> bytes:
        """This end leaves."""
        return json_frame(Kind.GOAWAY, 0, why)

    # What it gets

    @abstractmethod
    def _on_control(self, kind: int, payload: bytes) -> Event | None:
        """A frame of no stream: who may send which, and when, differs between the ends."""

    @abstractmethod
    def _on_begin(self, kind: int, stream: int, payload: bytes) -> Event | None:
        """What can only be OPEN or HEAD: each end gets one of them, and sends the other."""

    def _on_data(self, stream: int, payload: bytes) -> Event | None:
        state = self._speaking(stream, "DATA")
        if not payload:
            raise Violation("DATA is empty")
        state.window -= len(payload)
        if state.window < 0:
            raise Violation("DATA came without credit")
        return None if state.is_reset else Arrived(stream, payload)

    def _on_end(self, stream: int, payload: bytes) -> Event | None:
        state = self._speaking(stream, "END")
        if payload:
            raise Violation("END has a payload")
        state.got_end = True
        self._settle(stream)
        return None if state.is_reset else Ended(stream)

    def _on_reset(self, stream: int, payload: bytes) -> Event | None:
        if len(payload) != 1:
            raise Violation("RESET has a byte")
        state = self._known(stream)
        if state is None:
            return None
        if state.is_reset:  # the answer to ours
            del self._streams[stream]
            return None
        answer = b"" if state.sent_end else frame(Kind.RESET, stream, bytes((ResetCode.CANCELLED,)))
        del self._streams[stream]
        return Broken(stream, payload[0], answer)

    def _on_credit(self, stream: int, payload: bytes) -> Event | None:
        if len(payload) != 4 or not (more := int.from_bytes(payload)):
            raise Violation("CREDIT is 4 bytes, above 0")
        state = self._known(stream)
        if state is None:
            return None
        state.credit += more
        if state.credit > WINDOW_BYTES:
            raise Violation("CREDIT is above the window")
        return None if state.sent_end else Credited(stream)

    def _known(self, stream: int) -> _Stream | None:
        """The stream, None if it is over. Raises Violation if it never was."""
        if stream > self._last:
            raise Violation("a frame names a stream that was never opened")
        return self._streams.get(stream)

    def _speaking(self, stream: int, what: str) -> _Stream:
        """The stream, if the other end has begun its direction and not ended it."""
        state = self._streams.get(stream)
        if state is None:
            raise Violation(f"{what} names a stream that isn't open")
        if state.got_end or not state.got_head:
            raise Violation(f"{what} is out of order")
        return state

    def _open_direction(self, stream: int) -> _Stream:
        state = self._streams.get(stream)
        if state is None or state.sent_end or not state.sent_head:
            raise ValueError("this direction isn't open")
        return state

    def _settle(self, stream: int) -> None:
        state = self._streams[stream]
        if state.sent_end and state.got_end:
            del self._streams[stream]


class TrackerEnd(_End):
    """HELLO sent → PROOF → up. The caller checks the proof and says ready()."""

    def __init__(self) -> None:
        super().__init__()
        self._has_proof = False
        self._pinged = b""
        self._beats = 0

    def hello(self, hello: Hello) -> bytes:
        """The first frame."""
        self.max_streams = hello.max_streams
        return json_frame(Kind.HELLO, 0, hello)

    def ready(self) -> bytes:
        """Let the node in."""
        self.is_up = True
        return frame(Kind.READY, 0)

    def can_open(self) -> bool:
        """Whether there is room for one more stream."""
        return self.is_up and len(self._streams) < self.max_streams and self._last < MAX_STREAM_ID

    def open(self, head: OpenHead) -> tuple[int, bytes]:
        """(stream, OPEN). Raises ValueError when there is no room, or the head is too long."""
        if not self.can_open():
            raise ValueError("no room for another stream")
        data = json_frame(Kind.OPEN, self._last + 1, head)
        self._last += 1
        state = self._streams[self._last] = _Stream()
        state.sent_head = True
        return self._last, data

    def ping(self, payload: bytes) -> bytes | None:
        """PING; None when the last one wasn't answered: the node is gone. payload: 8 bytes."""
        if self._pinged:
            return None
        self._pinged = payload
        self._beats = 0
        return frame(Kind.PING, 0, payload)

    def revoked(self) -> bytes:
        """The node is to ask for its list."""
        return frame(Kind.REVOKED, 0)

    def _on_control(self, kind: int, payload: bytes) -> Event | None:
        if kind == Kind.GOAWAY:
            return Left(read_json(payload, GoAway))
        if not self.is_up:
            return self._on_proof(kind, payload)
        if kind == Kind.PONG:
            if not payload or payload != self._pinged:
                raise Violation("PONG answers no PING")
            self._pinged = b""
            return Ponged()
        if kind == Kind.HEARTBEAT:
            return self._on_heartbeat(payload)
        raise Violation("a frame that a node doesn't send now")

    def _on_proof(self, kind: int, payload: bytes) -> Event:
        if kind != Kind.PROOF or self._has_proof or len(payload) > MAX_PROOF_CHARS:
            raise Violation("the first frame is the PROOF")
        self._has_proof = True
        return Proved(payload.decode("latin-1"))

    def _on_heartbeat(self, payload: bytes) -> Event:
        self._beats += 1
        if self._beats > MAX_HEARTBEATS:
            raise Violation("too many HEARTBEATs")
        if len(payload) > MAX_TELEMETRY_BYTES:
            raise Violation("a HEARTBEAT is too long")
        try:
            return Beat(msgspec.json.decode(payload, type=Telemetry))
        except (ValueError, RecursionError) as error:
            raise Violation("a HEARTBEAT isn't one") from error

    def _on_begin(self, kind: int, stream: int, payload: bytes) -> Event | None:
        if kind != Kind.HEAD:
            raise Violation("a frame that a node doesn't send on a stream")
        state = self._streams.get(stream)
        if state is None or state.got_head or state.got_end:
            raise Violation("HEAD is out of order")
        head = read_json(payload, ReplyHead)
        state.got_head = True
        return None if state.is_reset else Headed(stream, head)


class NodeEnd(_End):
    """HELLO → proof() sent → READY → up."""

    def __init__(self) -> None:
        super().__init__()
        self._has_hello = self._has_proved = False

    def proof(self, proof: str) -> bytes:
        """Say who this is."""
        self._has_proved = True
        return frame(Kind.PROOF, 0, proof.encode("ascii"))

    def head(self, stream: int, head: ReplyHead) -> bytes:
        """Begin an answer. Raises ValueError when the head is too long."""
        state = self._streams.get(stream)
        if state is None or state.sent_head or state.sent_end:
            raise ValueError("this direction isn't open")
        data = json_frame(Kind.HEAD, stream, head)
        state.sent_head = True
        return data

    def heartbeat(self, telemetry: Telemetry) -> bytes:
        """How this node is."""
        return json_frame(Kind.HEARTBEAT, 0, telemetry)

    def _on_control(self, kind: int, payload: bytes) -> Event | None:
        if kind == Kind.GOAWAY:
            return Left(read_json(payload, GoAway))
        if not self.is_up:
            return self._on_handshake(kind, payload)
        if kind == Kind.PING and len(payload) == PING_BYTES:
            return Pinged(frame(Kind.PONG, 0, payload))
        if kind == Kind.REVOKED and not payload:
            return Revoked()
        raise Violation("a frame that a tracker doesn't send now")

    def _on_handshake(self, kind: int, payload: bytes) -> Event:
        if kind == Kind.HELLO and not self._has_hello:
            self._has_hello = True
            hello = read_json(payload, Hello)
            self.max_streams = hello.max_streams
            return hello
        if kind == Kind.READY and self._has_proved and not payload:
            self.is_up = True
            return Readied()
        raise Violation("the handshake is out of order")

    def _on_begin(self, kind: int, stream: int, payload: bytes) -> Event | None:
        if kind != Kind.OPEN:
            raise Violation("a frame that a tracker doesn't send on a stream")
        if stream <= self._last:
            raise Violation("OPEN repeats a stream")
        if len(self._streams) >= self.max_streams:
            raise Violation("too many streams")
        head = read_json(payload, OpenHead)
        self._last = stream
        state = self._streams[stream] = _Stream()
        state.got_head = True
        return Opened(stream, head)
