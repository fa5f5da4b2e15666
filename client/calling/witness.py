"""What a client saw of a reply: how much came, when, whether it is whole, and the rig's receipt.

It reads the plain reply, streamed or not, of every route. What a rig claims is compared with this.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from luckrig.client.calling.picking import Measure
from luckrig.client.chat_events import Timing
from luckrig.client.receipts import receipt_in
from luckrig.protocol.errors import UpstreamError
from luckrig.protocol.events import SseSplitter
from luckrig.protocol.receipts import Measured

MAX_DOCUMENT_BYTES: Final = 16 * 2**20
"""Of a reply that isn't streamed: what is longer isn't read, and has no receipt then."""
_DONE: Final = b"[DONE]"
_LAST_TYPES: Final = frozenset(
    ("response.completed", "response.incomplete", "response.failed", "error")
)


class _Call(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Tool(msgspec.Struct):
    function: _Call | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_Tool] | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None
    text: str | None = None


class _Part(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    content: list[_Part] | None = None
    name: str | None = None
    arguments: str | None = None


class _Document(msgspec.Struct):
    """Of any route, as far as it matters here; `output` and `delta` are /v1/responses'."""

    choices: list[_Choice] = []
    output: list[_Item] = []
    type: str = ""
    delta: str | None = None
    error: Any = None
    response: dict[str, Any] | None = None
    luckrig: dict[str, Any] | None = None


class Witness:
    """Watches one reply. monotonic: seconds. sent_at: when the request went out, by that clock."""

    def __init__(self, *, is_stream: bool, monotonic: Callable[[], float], sent_at: float) -> None:
        self.output_bytes = 0
        self.receipt: str | None = None
        self.timing: Timing | None = None
        self.is_complete = False
        """Whether the stream said that it ends. What isn't a stream is whole when it ended."""
        self.failed = False
        """Whether it ended with an error."""
        self._is_stream = is_stream
        self._monotonic = monotonic
        self._sent_at = sent_at
        self._first_at: float | None = None
        self._last_at = sent_at
        self._splitter = SseSplitter()
        self._whole: bytearray | None = bytearray()

    def feed(self, piece: bytes) -> None:
        """The next bytes of the body. What can't be read counts as not seen."""
        if self._is_stream:
            try:
                events = self._splitter.feed(piece)
            except UpstreamError:
                return
            for event in events:
                self._read(event.data)
        elif self._whole is not None:
            self._whole += piece
            if len(self._whole) > MAX_DOCUMENT_BYTES:
                self._whole = None

    def end(self) -> None:
        """The body ended, and not by breaking."""
        if not self._is_stream:
            self.is_complete = True
            self._read(bytes(self._whole or b""))
            self._whole = None

    @property
    def measured(self) -> Measured | None:
        """The client's own timing of a stream with text in it."""
        if not self._is_stream or self._first_at is None:
            return None
        return Measured(
            ttft_ms=(self._first_at - self._sent_at) * 1000,
            generation_ms=(self._last_at - self._first_at) * 1000,
        )

    @property
    def measure(self) -> Measure | None:
        """The same for picking: without the queue, which the next one may not have."""
        timing, measured = self.timing, self.measured
        if timing is None or measured is None or timing.completion_tokens is None:
            return None
        tokens, seconds = timing.completion_tokens, measured.generation_ms / 1000
        if tokens < 2 or seconds <= 0:
            return None
        first = max(measured.ttft_ms - (timing.queue_ms or 0), 0) / 1000
        return Measure(first, (tokens - 1) / seconds)

    def _read(self, data: bytes) -> None:
        if data == _DONE:
            self.is_complete = True
            return
        try:
            document = msgspec.json.decode(data, type=_Document)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if document.type in _LAST_TYPES or document.error is not None:
            self.is_complete = True
            self.failed = document.error is not None or document.type in ("error", _FAILED)
        self._count(document)
        self._keep(document.luckrig or (document.response or {}).get("luckrig"))

    def _count(self, document: _Document) -> None:
        seen = sum(map(_bytes_of, _texts(document)))
        if seen:
            self.output_bytes += seen
            self._last_at = self._monotonic()
            if self._first_at is None:
                self._first_at = self._last_at

    def _keep(self, own: Any) -> None:
        if own is None:
            return
        self.receipt = receipt_in({"luckrig": own}) or self.receipt
        try:
            self.timing = msgspec.convert(own.get("timing"), Timing)
        except (msgspec.ValidationError, AttributeError):
            return


_FAILED: Final = "response.failed"


def _texts(document: _Document) -> list[str | None]:
    texts: list[str | None] = []
    for choice in document.choices:
        texts.append(choice.text)
        for message in (choice.delta, choice.message):
            texts += [] if message is None else _texts_of(message)
    for item in document.output:
        texts += [item.name, item.arguments]
        for part in item.content or []:
            texts += [part.text, part.refusal]
    if document.type.endswith(".delta"):
        texts.append(document.delta)
    return texts


def _texts_of(message: _Message) -> list[str | None]:
    reasoning = message.reasoning or message.reasoning_content
    texts = [message.content, message.refusal, reasoning]
    for tool in message.tool_calls or []:
        if tool.function is not None:
            texts += [tool.function.name, tool.function.arguments]
    return texts


def _bytes_of(text: str | None) -> int:
    return 0 if text is None else len(text.encode("utf-8", "surrogatepass"))
