"""The chat that every load asks for, and what a whole reply to it is."""

from typing import Any, Final, cast

import msgspec

HOST: Final = "127.0.0.1"


def encode_request(port: int, model: str, *, token: str, stream: bool) -> bytes:
    """About 1 KB of chat."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You answer briefly, and you say so when in doubt. " * 8},
            {"role": "user", "content": "Why does the tide come twice a day, and not once? " * 8},
        ],
        "temperature": 0.7,
        "max_tokens": 200,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    encoded = msgspec.json.encode(body)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
        f"Authorization: Bearer {token}\r\nUser-Agent: luckrig-bench\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(encoded)}\r\n\r\n"
    )
    return head.encode("ascii") + encoded


def unchunked(buffer: bytearray, at: int) -> bytes:
    """The body that stands in a whole answer from that byte on."""
    parts: list[bytes] = []
    while (line_end := buffer.find(b"\r\n", at)) >= 0:
        size = int(buffer[at:line_end], 16)
        parts.append(bytes(buffer[line_end + 2 : line_end + 2 + size]))
        at = line_end + 2 + size + 2
    return b"".join(parts)


def is_whole_stream(body: bytes | bytearray, chunks: int) -> bool:
    """Whether every token, the usage and [DONE] are there."""
    tokens = body.count(b'"delta":{"content":"')
    return tokens == chunks and b'"usage":{' in body and body.endswith(b"data: [DONE]\n\n")


def is_whole_document(body: bytes | bytearray, chunks: int) -> bool:
    """The same for a reply that isn't streamed."""
    document = cast("dict[str, Any]", msgspec.json.decode(body))
    text: str = document["choices"][0]["message"]["content"]
    return len(text.split()) == chunks and document["usage"]["completion_tokens"] == chunks
