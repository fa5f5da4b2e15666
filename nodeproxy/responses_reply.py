"""The two forms of an answer to POST /v1/responses; they work like those in replies.py."""

from collections.abc import Iterable
from typing import Final

import msgspec

from luckrig.nodeproxy.engines.chunks import Chunk, Usage, nonsense
from luckrig.nodeproxy.responses_output import Event, Output, TextDelta
from luckrig.nodeproxy.timing import Timing
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.openai.response_object import (
    IncompleteDetails,
    InputTokensDetails,
    Response,
    ResponseError,
    ResponseUsage,
    begin_response,
)
from luckrig.protocol.openai.responses_api import ResponsesRequest


class _Head(msgspec.Struct):
    created: float | None = None


_decode_head: Final = msgspec.json.Decoder(_Head).decode


class _Reply:
    """What both forms share. request_id: the exchange's, and so the ids' in the answer."""

    def __init__(self, asked: ResponsesRequest, request_id: str) -> None:
        self._response = begin_response(asked, response_id=f"resp_{request_id}", created_at=0)
        self._output = Output(request_id)
        self._has_begun = False

    def _begin(self, chunks: Iterable[Chunk]) -> bool:
        """Take the time from the first chunk, as chats do. Whether this was the first one."""
        first = next((chunk for chunk in chunks if not chunk.done), None)
        if self._has_begun or first is None:
            return False
        self._has_begun = True
        try:
            created = int(_decode_head(first.raw).created or 0)
        except (msgspec.DecodeError, OverflowError) as error:
            raise nonsense() from error
        self._response = msgspec.structs.replace(self._response, created_at=created)
        return True

    def _finished(self, timing: Timing, receipt: str) -> Response:
        usage, reason = self._output.usage, _INCOMPLETE.get(self._output.finish_reason)
        return msgspec.structs.replace(
            self._response,
            status="completed" if reason is None else "incomplete",
            incomplete_details=reason,
            output=self._output.items,
            usage=None if usage is None else _usage(usage),
            luckrig={"timing": timing, "receipt": receipt},
        )


class WholeResponse(_Reply):
    """The Response object in one piece."""

    def add(self, chunks: Iterable[Chunk]) -> None:
        """Take the next chunks, in order. Raises UpstreamError on what isn't one."""
        chunks = list(chunks)
        self._begin(chunks)
        self._output.add(chunks)

    def document(self, usage: Usage | None, timing: Timing, receipt: str) -> bytes:
        """The answer as JSON."""
        self._output.end()
        return msgspec.json.encode(self._finished(timing, receipt))


class StreamedResponse(_Reply):
    """Typed events, each with its number. There is no [DONE]: the last one has the whole answer."""

    takes_plain = False

    def __init__(self, asked: ResponsesRequest, request_id: str) -> None:
        super().__init__(asked, request_id)
        self._sent = 0

    def pass_on(self, chunks: Iterable[Chunk]) -> bytes:
        """The events to send now; empty when there are none."""
        chunks = list(chunks)
        events = self._first_events() if self._begin(chunks) else []
        return self._write(events + self._output.add(chunks))

    def ending(self, timing: Timing, receipt: str) -> bytes:
        """The last events: the end of every item, then the answer with timing and receipt."""
        events = [] if self._has_begun else self._first_events()
        events += self._output.end()
        response = self._finished(timing, receipt)
        return self._write([*events, {"type": f"response.{response.status}", "response": response}])

    def error_events(self, error: LuckrigError) -> bytes:
        """The end of a stream that broke: what went wrong, and the answer as far as it came."""
        said = {"code": error.code, "message": error.message, "param": error.param}
        response = msgspec.structs.replace(
            self._response,
            status="failed",
            error=ResponseError("server_error", error.message),
            output=self._output.items,
        )
        failed: Event = {"type": "response.failed", "response": response}
        return self._write([{"type": "error", **said}, failed])

    def _first_events(self) -> list[Event]:
        kinds = ("response.created", "response.in_progress")
        return [{"type": kind, "response": self._response} for kind in kinds]

    def _write(self, events: list[Event]) -> bytes:
        return b"".join(map(self._write_one, events))

    def _write_one(self, event: Event) -> bytes:
        number = self._sent
        self._sent += 1
        if isinstance(event, TextDelta):
            text = msgspec.json.encode(event.text)
            return b'%b%b,"sequence_number":%d}\n\n' % (event.head, text, number)
        data = msgspec.json.encode({**event, "sequence_number": number})
        return b"event: %b\ndata: %b\n\n" % (event["type"].encode("ascii"), data)


_INCOMPLETE: Final = {
    "length": IncompleteDetails("max_output_tokens"),
    "content_filter": IncompleteDetails("content_filter"),
}


def _usage(usage: Usage) -> ResponseUsage:
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=InputTokensDetails(usage.cached_tokens),
        output_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )
