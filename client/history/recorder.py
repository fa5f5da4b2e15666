"""Makes a replay of what passes by. Pure: whoever passes it by says when.

    recorder = Recorder(asked, sent_at=clock())
    recorder.see(event.data, clock())          # each event of a stream, or
    recorder.whole(body, clock())              # a reply in one piece
    history.write(recorder.end("complete", clock()))

It never raises for what a rig sends: a reply goes on to its reader whatever becomes of its replay.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from luckrig.client.history.asking import title_of
from luckrig.client.history.documents import Ending, hear
from luckrig.client.history.replay import (
    MAX_EVENTS,
    MAX_QUEUE_LOOKS,
    MAX_REQUEST_BYTES,
    MAX_TEXT_BYTES,
    NO_FIGURES,
    SCHEMA_VERSION,
    Figures,
    Kind,
    Mode,
    Outcome,
    Piece,
    QueueLook,
    Replay,
    Rig,
)
from luckrig.protocol import strictjson
from luckrig.protocol.errors import PeerError

DONE: Final = b"[DONE]"

_NO_REQUEST: Final = b"{}"
_MAX_ERROR_CHARS: Final = 64
_MOST_BYTES_PER_CHARACTER: Final = 6
"""In JSON, of a control character."""
_MAX_COUNT: Final = 2**53
_MAX_FIGURE: Final = 1e9

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is known when a request leaves. replay_id: of make_replay_id. created_at: Unix seconds.

    request: its JSON body, never its headers. One that is no strict JSON object, or larger than
    MAX_REQUEST_BYTES, is kept as {} and marked. tracker: its origin. mode: how it travels.
    """

    replay_id: str
    created_at: float
    tracker: str | None
    rig: Rig
    endpoint: str
    request: bytes
    streamed: bool
    mode: Mode = "plain"


class Recorder:
    """Watches one reply. sent_at, and `at` everywhere: seconds of one monotonic clock."""

    def __init__(self, asked: Asked, *, sent_at: float) -> None:
        self._asked = asked
        self._sent_at = sent_at
        self._pieces: list[Piece] = []
        self._queue: list[QueueLook] = []
        self._text_bytes = 0
        self._heard_pieces = 0
        self._first_ms: float | None = None
        self._last_ms = 0.0
        self._unread = 0
        self._is_cut = False
        self._said = Ending()

    def see(self, document: bytes, at: float) -> None:
        """The data of one event of a stream: of a chat, a completion or a response."""
        if document == DONE:
            return
        heard = hear(document)
        if heard is None:
            self._unread += 1
            return
        pieces, ending = heard
        at_ms = self._since(at)
        for kind, text in pieces:
            self._add(at_ms, kind, text)
        if ending is not None:
            self._said = _later(self._said, ending)

    def whole(self, document: bytes, at: float) -> None:
        """A reply that isn't streamed."""
        self.see(document, at)

    def queued(self, position: int, eta_seconds: float | None, at: float) -> None:
        """A place in the rig's queue, from a comment of the stream."""
        if len(self._queue) < MAX_QUEUE_LOOKS and _known(position) is not None:
            self._queue.append(QueueLook(self._since(at), position, _known(eta_seconds)))

    def end(self, outcome: Outcome, at: float, *, error_code: str | None = None) -> Replay:
        """The replay. error_code: None for the one that the reply itself named, if it did."""
        asked = self._asked
        request = _strict_request(asked.request)
        code = error_code or self._said.error_code
        return Replay(
            schema_version=SCHEMA_VERSION,
            replay_id=asked.replay_id,
            created_at=asked.created_at,
            tracker=asked.tracker,
            rig=asked.rig,
            endpoint=asked.endpoint,
            mode=asked.mode,
            streamed=asked.streamed,
            title=title_of(request),
            outcome=outcome,
            error_code=code[:_MAX_ERROR_CHARS] if code and outcome == "failed" else None,
            truncated=self._is_cut or (request == _NO_REQUEST != asked.request),
            figures=self._figures(self._since(at)),
            request=msgspec.Raw(request),
            usage=self._said.usage,
            timing=self._said.timing,
            unread=self._unread,
            queue=self._queue,
            events=self._pieces,
        )

    def _since(self, at: float) -> float:
        """Milliseconds since the request left; never back, whatever a caller's clock does."""
        return min(max(round((at - self._sent_at) * 1000, 3), self._last_ms), _MAX_FIGURE)

    def _add(self, at_ms: float, kind: Kind, text: str) -> None:
        self._heard_pieces += 1
        self._first_ms = at_ms if self._first_ms is None else self._first_ms
        self._last_ms = at_ms
        if self._is_cut or len(self._pieces) == MAX_EVENTS:
            self._is_cut = True
            return
        text_bytes = len(msgspec.json.encode(text))
        room = MAX_TEXT_BYTES - self._text_bytes
        if text_bytes > room:
            self._is_cut = True
            text = text[: room // _MOST_BYTES_PER_CHARACTER]
        self._text_bytes += text_bytes
        self._pieces.append(Piece(at_ms, kind, text))

    def _figures(self, total_ms: float) -> Figures:
        said = self._said
        counted = _known(said.completion_tokens)
        tokens = self._heard_pieces or None if counted is None else counted
        if not self._asked.streamed and counted is None:
            tokens = None  # a reply in one piece says nothing about its tokens
        return Figures(
            total_ms=max(total_ms, self._last_ms),
            ttft_ms=self._first_ms,
            tokens_per_second=self._rate(tokens),
            prompt_tokens=_known(said.prompt_tokens),
            completion_tokens=tokens,
            counted=None if tokens is None else "pieces" if counted is None else "engine",
            rig_queue_ms=_known(said.queue_ms),
            rig_ttft_ms=_known(said.ttft_ms),
            rig_tokens_per_second=_known(said.tokens_per_second),
        )

    def _rate(self, tokens: int | None) -> float | None:
        """The first token ends the time to first token; the others came after it."""
        if tokens is None or tokens < 2 or self._first_ms is None or not self._asked.streamed:
            return None
        seconds = (self._last_ms - self._first_ms) / 1000
        return min(round((tokens - 1) / seconds, 2), _MAX_FIGURE) if seconds > 0 else None


def _later(before: Ending, ending: Ending) -> Ending:
    """The figures that came last, each by itself."""
    said = msgspec.structs.asdict(ending)
    news = {name: value for name, value in said.items() if value not in (None, NO_FIGURES)}
    return msgspec.structs.replace(before, **news)


def _known(number: Number | None) -> Number | None:
    """A figure that a replay may hold; a rig may claim any."""
    limit = _MAX_COUNT if isinstance(number, int) else _MAX_FIGURE
    return number if number is not None and 0 <= number <= limit else None


def _strict_request(request: bytes) -> bytes:
    """The request on one line; {} for what a replay can't hold."""
    if len(request) > MAX_REQUEST_BYTES:
        return _NO_REQUEST
    try:
        strictjson.decode(request, dict[str, Any])
    except PeerError:
        return _NO_REQUEST
    return msgspec.json.format(request, indent=-1)
