"""What a request took, measured here at the rig. Ends up as `luckrig.timing` in the reply."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from luckrig.nodeproxy.engines.chunks import Choice, Chunk, EngineTimings, Usage
from luckrig.protocol.receipts import Finish

_FINISHES: Final[Mapping[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The `timing` object of a reply. The table in docs/PROTOCOL.md explains each field."""

    queue_ms: float
    ttft_ms: float | None
    generation_ms: float | None
    tokens_per_second: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    streamed: bool


class Meter:
    """Watches one reply. Starts when the request leaves for the engine.

    monotonic: seconds from any origin.
    """

    def __init__(self, *, queue_seconds: float, monotonic: Callable[[], float]) -> None:
        self._queue_seconds = queue_seconds
        self._monotonic = monotonic
        self._sent_at = monotonic()
        self._first_at: float | None = None
        self._last_at = self._sent_at
        self._engine: EngineTimings | None = None
        self._output_chunks = 0
        self._finish: str | None = None
        self.usage: Usage | None = None

    def see(self, chunks: Iterable[Chunk]) -> None:
        """Take note of chunks that just arrived."""
        now = self._monotonic()
        for chunk in chunks:
            if chunk.text or any(map(_adds_output, chunk.choices)):
                self._add_output(1, now)
            self.usage = chunk.usage or self.usage
            self._engine = chunk.timings or self._engine
            self._finish = chunk.finish_reason or self._finish

    def count(self, pieces: int) -> None:
        """As many pieces of text just arrived."""
        if pieces:
            self._add_output(pieces, self._monotonic())

    @property
    def completion_tokens(self) -> int:
        """As the engine counted; until it does, the pieces that came: no more than the tokens."""
        return self._output_chunks if self.usage is None else self.usage.completion_tokens

    @property
    def ttft_seconds(self) -> float | None:
        """From leaving for the engine to the first token; None before it."""
        return None if self._first_at is None else self._first_at - self._sent_at

    @property
    def finish(self) -> Finish:
        """How the reply ended, in the words of a receipt."""
        return _FINISHES.get(self._finish or "stop", "stop")

    def timing(self, *, streamed: bool) -> Timing:
        """The measurement so far."""
        ttft = self.ttft_seconds
        generation = self._generation_seconds()
        return Timing(
            queue_ms=_milliseconds(self._queue_seconds),
            ttft_ms=None if ttft is None else _milliseconds(ttft),
            generation_ms=None if generation is None else _milliseconds(generation),
            tokens_per_second=self._tokens_per_second(generation),
            prompt_tokens=self.usage.prompt_tokens if self.usage else None,
            completion_tokens=self.usage.completion_tokens if self.usage else None,
            streamed=streamed,
        )

    def _add_output(self, pieces: int, now: float) -> None:
        self._last_at = now
        self._output_chunks += pieces
        if self._first_at is None:
            self._first_at = now

    def _generation_seconds(self) -> float | None:
        """The engine's own figure where it has one; else from the first token to the last."""
        if self._engine is not None and self._engine.generation_seconds is not None:
            return self._engine.generation_seconds
        return None if self._first_at is None else self._last_at - self._first_at

    def _tokens_per_second(self, generation_seconds: float | None) -> float | None:
        if not generation_seconds or self.usage is None or self.usage.completion_tokens < 2:
            return None
        # The first token ends the time to first token; the others are generated after it.
        own_figure = self._engine is not None and self._engine.generation_seconds is not None
        tokens = self.usage.completion_tokens - (0 if own_figure else 1)
        return round(tokens / generation_seconds, 2)


def _adds_output(choice: Choice) -> bool:
    delta = choice.delta
    return delta is not None and bool(
        delta.reasoning_content or delta.reasoning or delta.tool_calls
    )


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
