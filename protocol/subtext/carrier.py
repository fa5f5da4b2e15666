"""The OpenAI messages that carry sealed frames: to everybody in between, an ordinary chat.

A request is POST /v1/chat/completions with exactly `model` (MODEL), one user message, and `stream`.
A stream's events are chunks whose content is a word and one frame; then a chunk with the finish
reason `stop`, then `[DONE]`. A reply that isn't streamed is one message with all frames in one run.
The visible status is 200 as soon as the request was opened: what it really is stands in the head.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from luckrig.protocol.errors import PeerError
from luckrig.protocol.subtext.codec import REQUEST, Frame, frame, read_frames
from luckrig.protocol.subtext.cover import sentence, word

MODEL: Final = "luckrig/subtext"
"""What a sealed request asks for; the real model is inside."""
_DONE: Final = b"data: [DONE]\n\n"
_CONTENT_END: Final = b'"},"finish_reason"'


def request_body(payload: bytes, *, stream: bool, choice: int) -> bytes:
    """The body that carries a sealed request. choice: a random number, for the visible sentence."""
    content = sentence(choice) + frame(REQUEST, payload)
    message = {"role": "user", "content": content}
    return msgspec.json.encode({"model": MODEL, "messages": [message], "stream": stream})


def request_payload(content: str) -> bytes:
    """The payload in a sealed request's one message. Raises PeerError sealed_invalid."""
    frames = read_frames(content)
    if len(frames) != 1 or frames[0].kind != REQUEST:
        raise PeerError(
            "sealed_invalid",
            f"A request for {MODEL} is one user message with one sealed request, and this isn't: "
            "perhaps something on its way removes variation selectors.",
        )
    return frames[0].payload


class CarrierWriter:
    """Writes one reply's frames. reply_id, created: shown, and of no meaning."""

    def __init__(self, reply_id: str, created: int) -> None:
        self._shell: dict[str, Any] = {
            "id": f"chatcmpl-{reply_id}",
            "created": created,
            "model": MODEL,
        }
        self._number = 0
        event = self._chunk({"delta": {"content": ""}, "finish_reason": None})
        begin, cut, end = event.partition(_CONTENT_END)
        self._begin, self._end = begin, cut + end

    def event(self, each: Frame) -> bytes:
        """One event of a stream."""
        content = word(self._number) + frame(each.kind, each.payload)
        self._number += 1
        # Nothing in it has an escape in JSON, and looking for one took ten times as long.
        return self._begin + content.encode("utf-8") + self._end

    def ending(self) -> bytes:
        """The last events of a stream."""
        return self._chunk({"delta": {}, "finish_reason": "stop"}) + _DONE

    def document(self, frames: list[Frame]) -> bytes:
        """A reply that isn't streamed."""
        return b"".join(self.document_parts(frames))

    def document_parts(self, frames: Iterable[Frame]) -> Iterator[bytes]:
        """The same in parts, one for each frame: a long reply takes a while to be written out."""
        message = {"role": "assistant", "content": word(0).rstrip()}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        document = self._shell | {"object": "chat.completion", "choices": [choice]}
        begin, cut, end = msgspec.json.encode(document).partition(_CONTENT_END)
        yield begin
        for each in frames:
            yield frame(each.kind, each.payload).encode("utf-8")  # JSON has no escape for these
        yield cut + end

    def _chunk(self, choice: dict[str, Any]) -> bytes:
        document = self._shell | {
            "object": "chat.completion.chunk",
            "choices": [{"index": 0} | choice],
        }
        return b"data: " + msgspec.json.encode(document) + b"\n\n"


class _Text(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Text | None = None
    message: _Text | None = None


class _Carrier(msgspec.Struct):
    choices: list[_Choice] = []


def reply_frames(document: bytes) -> list[Frame]:
    """The frames in one JSON document of a reply, of a stream or whole; none in one without.

    Raises PeerError sealed_invalid on a document that is no chat's.
    """
    try:
        choices = msgspec.json.decode(document, type=_Carrier).choices
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PeerError("sealed_invalid", "The rig's answer isn't a sealed reply.") from error
    texts = [each for choice in choices for each in (choice.delta, choice.message)]
    return [each for text in texts if text is not None for each in read_frames(text.content or "")]
