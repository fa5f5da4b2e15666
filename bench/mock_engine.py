"""An engine that costs next to nothing: llama-server's bytes, prepared beforehand.

The model that a request names chooses the reply, because a node proxy passes on little else:

| model   | reply                                                                       |
|---------|-----------------------------------------------------------------------------|
| `burst` | everything in one write: each proxy sees the same reads, however fast it is |
| `split` | one write for each chunk, back to back: a slow proxy finds several at once  |
| `paced` | one chunk each 10 ms; each carries the time at which it was written         |
| `flood` | a megabyte in one write, in 2 KB tokens: more than all buffers on its way   |
| `idle`  | the first chunk, and then nothing for as long as the client stays           |

Without `"stream":true` every model answers at once with one document.
"""

import asyncio
import os
import re
import sys
import time
from typing import Any, Final

import msgspec

from bench.processes import say
from luckrig.cli.loop import run

PACE_SECONDS: Final = 0.010
MODELS: Final = ("burst", "split", "paced", "flood", "idle")
FLOOD_CHUNKS: Final = 500

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MODEL: Final = re.compile(rb'"model" *: *"(\w+)"')
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


class Listening(msgspec.Struct):
    """What a server of bench prints when it is ready. tokens: bearer tokens that it accepts."""

    port: int
    tokens: list[str] = []


class Replies:
    """Everything the engine can say, as bytes. chunks: tokens in a reply."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        cards = [{"id": model, "object": "model", "owned_by": "llamacpp"} for model in MODELS]
        self.models = _document({"object": "list", "data": cards})
        self.missing = _document({"error": {"code": 404, "message": "Not Found"}}, "404 Not Found")
        self.whole = {model: _document(self._whole(model)) for model in MODELS}
        self.pieces = {model: self._pieces(model) for model in MODELS}

    def token(self, model: str, text: str) -> bytes:
        """One chunk of a stream."""
        return _event(model, {"content": text})

    def _pieces(self, model: str) -> list[bytes]:
        """As many pieces as chunks: the first with the head and the role, the last with the
        finish reason, usage, [DONE] and the end of the body."""
        chunks = FLOOD_CHUNKS if model == "flood" else self.chunks
        padding = " long" * 400 if model == "flood" else ""
        pieces = [self.token(model, f" tok{number:03}{padding}") for number in range(chunks)]
        role = _event(model, {"role": "assistant", "content": None})
        pieces[0] = _STREAM_HEAD + role + pieces[0]
        pieces[-1] += self.ending(model)
        return pieces

    def ending(self, model: str) -> bytes:
        """What follows the last token."""
        usage = _event(model, None, usage=self._usage(), timings=_TIMINGS)
        finish = _event(model, {}, finish_reason="stop")
        return finish + usage + _framed(b"data: [DONE]\n\n") + b"0\r\n\r\n"

    def _usage(self) -> dict[str, Any]:
        return {
            "completion_tokens": self.chunks,
            "prompt_tokens": 200,
            "total_tokens": 200 + self.chunks,
            "prompt_tokens_details": {"cached_tokens": 0},
        }

    def _whole(self, model: str) -> dict[str, Any]:
        text = "".join(f" tok{number:03}" for number in range(self.chunks))
        message = {"role": "assistant", "content": text}
        return {
            "choices": [{"finish_reason": "stop", "index": 0, "message": message}],
            "created": 1_790_000_000,
            "model": model,
            "object": "chat.completion",
            "usage": self._usage(),
            "id": "chatcmpl-pGmSBXRcGlVBzWOtHcBfuLdZsFTuoJQF",
            "timings": _TIMINGS,
        }


_TIMINGS: Final = {"prompt_n": 200, "prompt_ms": 40.1, "predicted_n": 20, "predicted_ms": 181.7}


class Engine(asyncio.Protocol):
    """One connection of a client, which sends one request at a time."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies
        self._buffer = b""
        self._transport: Any = None  # uvloop's isn't an asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone; nobody wants the rest of its reply."""
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer once the request is whole."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, end + 2)
        if len(self._buffer) < end + 4 + (int(length[1]) if length else 0):
            return
        request, self._buffer = self._buffer, b""
        if request.startswith(b"POST /v1/chat/completions "):
            self._answer(request)
        elif request.startswith(b"GET /v1/models "):
            self._transport.write(self._replies.models)
        else:
            self._transport.write(self._replies.missing)

    def _answer(self, request: bytes) -> None:
        found = _MODEL.search(request)
        model = found[1].decode() if found else "burst"
        if b'"stream":true' not in request:
            self._transport.write(self._replies.whole[model])
        elif model == "paced":
            self._step(0, asyncio.get_running_loop().time())
        elif model == "idle":
            self._transport.write(self._replies.pieces[model][0])
        elif model == "split":
            fd = self._transport.get_extra_info("socket").fileno()
            for piece in self._replies.pieces[model]:
                os.write(fd, piece)  # past uvloop, which would join the writes of one turn
        else:
            self._transport.write(b"".join(self._replies.pieces[model]))

    def _step(self, number: int, started_at: float) -> None:
        """Write the chunk of that number, and come back for the next when it is due."""
        if self._transport.is_closing():
            return
        piece = self._replies.token("paced", f" {time.monotonic_ns()}")
        if number == 0:
            piece = _STREAM_HEAD + piece
        if number + 1 == self._replies.chunks:
            self._transport.write(piece + self._replies.ending("paced"))
            return
        self._transport.write(piece)
        due = started_at + PACE_SECONDS * (number + 1)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(due, self._step, number + 1, started_at)


def _event(model: str, delta: dict[str, Any] | None, **fields: Any) -> bytes:
    """A chat.completion.chunk in an HTTP chunk. delta: None for no choices."""
    reason = fields.pop("finish_reason", None)
    choice = {"finish_reason": reason, "index": 0, "delta": delta}
    document = {
        "choices": [] if delta is None else [choice],
        "created": 1_790_000_000,
        "id": "chatcmpl-pGmSBXRcGlVBzWOtHcBfuLdZsFTuoJQF",
        "model": model,
        "system_fingerprint": "b11549-0123abcd",
        "object": "chat.completion.chunk",
        **fields,
    }
    return _framed(b"data: " + msgspec.json.encode(document) + b"\n\n")


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _document(document: dict[str, Any], status: str = "200 OK") -> bytes:
    body = msgspec.json.encode(document)
    head = (
        f"HTTP/1.1 {status}\r\nServer: llama.cpp\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


async def _serve(chunks: int) -> None:
    loop = asyncio.get_running_loop()
    replies = Replies(chunks)
    server = await loop.create_server(lambda: Engine(replies), "127.0.0.1", 0, backlog=1024)
    say(Listening(server.sockets[0].getsockname()[1]))
    await loop.run_in_executor(None, sys.stdin.buffer.read)  # ends with the measurement
    server.close()


if __name__ == "__main__":
    run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
