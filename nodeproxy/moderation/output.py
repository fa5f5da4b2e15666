"""Has replies checked: after they went out (record), or before (block)."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn, Protocol

from luckrig.nodeproxy.engines.chunks import Chunk
from luckrig.nodeproxy.exchange import Exchange
from luckrig.nodeproxy.moderation.flags import FlagLog, Subject, subject_of
from luckrig.nodeproxy.moderation.holdback import HoldBack
from luckrig.nodeproxy.moderation.hook import Checker, Verdict
from luckrig.nodeproxy.moderation.pieces import Piece, Rewriter, joined, pieces_of, to_check
from luckrig.nodeproxy.timing import Meter
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.openai.requests import ChatRequest

MAX_PENDING: Final = 64
"""Replies that wait for their check; then the oldest stays unchecked."""
MAX_PENDING_CHARS: Final = 262_144
"""A longer reply is checked in parts: 64 pending ones are 64 MB at most."""
CHECKS_AT_ONCE: Final = 4
WINDOW_SECONDS: Final = 0.4
"""How long a held text waits for more of it."""
MAX_WHOLE_BYTES: Final = 16 << 20
"""Of a reply that goes out in one piece. More is handed over as it is: generate.py refuses it."""

_log = logging.getLogger(__name__)


class Chunks(Protocol):
    """A reply, batch by batch."""

    async def arrive(self) -> list[Chunk]:
        """The next chunks; none when the reply is complete."""
        ...


class OutputGuard(Protocol):
    """Stands between the engine's chunks and the client."""

    def guard(
        self, chunks: Chunks, exchange: Exchange, meter: Meter, close: Callable[[], None]
    ) -> Chunks:
        """The chunks as they may go out. close: ends what the engine is doing."""
        ...


# Record


class _Pending(NamedTuple):
    subject: Subject
    texts: list[str]


class OutputRecorder:
    """Checks replies that have gone out already, and notes what was flagged. An OutputGuard.

    dropped: parts of replies that nobody checked because too many waited. failed: those for which
    the service gave no answer.
    """

    def __init__(self, checker: Checker, flags: FlagLog, *, max_pending: int = MAX_PENDING) -> None:
        self._checker = checker
        self._flags = flags
        self._pending: asyncio.Queue[_Pending] = asyncio.Queue(max_pending)
        self.dropped = 0
        self.failed = 0

    def guard(
        self, chunks: Chunks, exchange: Exchange, meter: Meter, close: Callable[[], None]
    ) -> Chunks:
        """See OutputGuard. What a client got before it left is checked as well."""
        recorded = _RecordedReply(chunks, subject_of(exchange), self.submit)
        exchange.on_close(recorded.close)
        return recorded

    def submit(self, subject: Subject, texts: list[str]) -> None:
        """Have the texts checked some time; when too many wait, the oldest won't be."""
        if self._pending.full():
            self._pending.get_nowait()
            self.dropped += 1
            _log.warning("%d replies were not checked: too many waited", self.dropped)
        self._pending.put_nowait(_Pending(subject, texts))

    async def run(self) -> NoReturn:
        """Check until cancelled; what waits then stays unchecked."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CHECKS_AT_ONCE - 1):
                    group.create_task(self._work())
                await self._work()
        finally:
            if waiting := self._pending.qsize():
                _log.warning("%d replies were not checked: the rig stops", waiting)

    async def _work(self) -> NoReturn:
        while True:
            subject, texts = await self._pending.get()
            try:
                verdict = await self._checker.check(texts)
            except LuckrigError as error:
                self.failed += 1
                _log.warning("%s reply was not checked: %s", subject.request, error.code)
                continue
            if verdict.flagged:
                await self._flags.note(subject, verdict, "output")


class _RecordedReply:
    """Passes chunks on and keeps their texts until they are submitted."""

    def __init__(
        self, chunks: Chunks, subject: Subject, submit: Callable[[Subject, list[str]], None]
    ) -> None:
        self._chunks = chunks
        self._subject = subject
        self._submit = submit
        self._pieces: list[Piece] = []
        self._chars = 0

    async def arrive(self) -> list[Chunk]:
        """See Chunks."""
        arrived = await self._chunks.arrive()
        self._keep(piece for chunk in arrived for piece in pieces_of(chunk))
        return arrived

    def close(self) -> None:
        """The reply is over, complete or not."""
        if self._pieces:
            self._submit(self._subject, to_check(joined(self._pieces)))
        self._pieces = []
        self._chars = 0

    def _keep(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            self._pieces.append(piece)
            self._chars += len(piece.text)
            if self._chars >= MAX_PENDING_CHARS:
                self.close()


# Block


@dataclass(frozen=True)
class OutputBlocker:
    """Lets nothing out that wasn't checked. An OutputGuard.

    A reply that is flagged ends with finish_reason content_filter; one whose check fails raises
    LuckrigError moderation_unavailable.
    """

    checker: Checker
    flags: FlagLog
    window_seconds: float = WINDOW_SECONDS

    def guard(
        self, chunks: Chunks, exchange: Exchange, meter: Meter, close: Callable[[], None]
    ) -> Chunks:
        """See OutputGuard."""
        call, subject = exchange.known_call, subject_of(exchange)

        async def refused(verdict: Verdict, last: Chunk) -> None:
            close()
            meter.see([last])
            await self.flags.note(subject, verdict, "output")

        rewriter = Rewriter(chat=isinstance(call, ChatRequest), model=call.model)
        windows = CheckedWindows(
            chunks,
            HoldBack(rewriter),
            self.checker,
            refused,
            window_seconds=self.window_seconds if exchange.is_streamed else None,
        )
        return windows if exchange.is_streamed else _CheckedWhole(windows)


class Refused(Protocol):
    """What happens when a window is flagged, before its last chunk goes out."""

    async def __call__(self, verdict: Verdict, last: Chunk) -> None:
        """Stop the engine, note the flag."""
        ...


class CheckedWindows:
    """A reply's chunks, window by window, each after its check. Implements Chunks.

    window_seconds: how long text waits for a window to fill; None: for as long as it takes.
    """

    def __init__(
        self,
        chunks: Chunks,
        hold_back: HoldBack,
        checker: Checker,
        refused: Refused,
        *,
        window_seconds: float | None,
    ) -> None:
        self._chunks = chunks
        self._hold_back = hold_back
        self._checker = checker
        self._refused = refused
        self._window_seconds = window_seconds
        self._is_over = False
        self.is_flagged = False

    async def arrive(self) -> list[Chunk]:
        """See Chunks. Raises LuckrigError moderation_unavailable."""
        while not (self._is_over and self._hold_back.is_empty):
            await self._fill()
            texts = self._hold_back.window()
            verdict = await self._checker.check(texts) if texts else Verdict()
            if verdict.flagged:
                self._is_over = self.is_flagged = True
                last = self._hold_back.refuse()
                await self._refused(verdict, last)
                return [last]
            if released := self._hold_back.release():
                return released
        return []

    async def _fill(self) -> None:
        """Until the window is full, its time is up, or the reply is complete."""
        try:
            async with asyncio.timeout(None) as scope:
                self._begin_countdown(scope)  # a window may leave some text for the next one
                while not (self._hold_back.is_full or self._is_over):
                    arrived = await self._chunks.arrive()
                    if not arrived:
                        self._is_over = True
                        return
                    self._hold_back.feed(arrived)
                    self._begin_countdown(scope)
        except TimeoutError:
            pass  # nothing is lost: what has arrived is held, the rest still comes

    def _begin_countdown(self, scope: asyncio.Timeout) -> None:
        if self._window_seconds is None or not self._hold_back.has_text:
            return
        if scope.when() is None:
            scope.reschedule(asyncio.get_running_loop().time() + self._window_seconds)


class _CheckedWhole:
    """All windows of a reply at once, or, when one is flagged, nothing of any."""

    def __init__(self, windows: CheckedWindows) -> None:
        self._windows = windows

    async def arrive(self) -> list[Chunk]:
        """See Chunks."""
        whole: list[Chunk] = []
        size = 0
        while size <= MAX_WHOLE_BYTES and (checked := await self._windows.arrive()):
            if self._windows.is_flagged:
                return checked
            whole += checked
            size += sum(len(chunk.raw) for chunk in checked)
        return whole
