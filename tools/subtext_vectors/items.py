"""Vectors of items: what stands in frames."""

import json
from typing import Any, Final

from luckrig.protocol.subtext.items import ItemWriter
from subtext_vectors.given import Part, Vector


def items_json(items: list[tuple[str, Any]]) -> list[Vector]:
    return [{kind: value.hex() if kind == "body_hex" else value} for kind, value in items]


HEAD: Final = {
    "status": 200,
    "content_type": "text/event-stream",
    "headers": {"luckrig-quant": "Q4"},
}
HEAD_ITEM: Final = (
    b"\1"
    + bytes((len(json.dumps(HEAD, separators=(",", ":"))),))
    + json.dumps(HEAD, separators=(",", ":")).encode()
)
EVENTS: Final = tuple(
    f'data: {{"choices":[{{"delta":{{"content":"{token}"}}}}],"id":"chatcmpl-1"}}\n\n'.encode()
    for token in ("The", " tide", " tide", " 潮", "")
)


def items() -> Part:
    """What stands in frames, and what it says."""
    writer = ItemWriter()
    stream = writer.head(200, "text/event-stream", {"luckrig-quant": "Q4"})
    parts = (*EVENTS, b": queue position=1\n\n", b"data: " + b"y" * 17_000 + b"\n\n", EVENTS[0])
    stream += (
        b"".join(writer.body(each) for each in parts) + writer.body(b"data: cut") + writer.end()
    )
    whole = ItemWriter()
    refusal = b'{"error":{"code":"queue_full"}}'
    document = whole.head(429, "application/json", {"retry-after": "5"}) + whole.body(refusal)
    told = {"status": 429, "content_type": "application/json", "headers": {"retry-after": "5"}}
    bodies = [("body_hex", each) for each in (*parts, b"data: cut")]
    cases: list[tuple[str, bytes, list[tuple[str, Any]]]] = [
        ("a stream", stream, [("head", HEAD), *bodies]),
        ("an error", document, [("head", told), ("body_hex", refusal)]),
        ("a head alone", HEAD_ITEM, [("head", HEAD)]),
        ("bytes of no length", HEAD_ITEM + b"\3\0", [("head", HEAD), ("body_hex", b"")]),
    ]
    good = [
        {"name": name, "items_hex": data.hex(), "items": items_json(said)}
        for name, data, said in cases
    ]
    refused = [
        {"name": name, "items_hex": data.hex(), "code": "sealed_invalid"}
        for name, data in items_refused().items()
    ]
    return {"good": good, "refused": refused}


def items_refused() -> dict[str, bytes]:
    def head(**changes: Any) -> bytes:
        text = json.dumps(HEAD | changes).encode()
        return b"\1" + bytes((len(text) & 0x7F | 0x80, len(text) >> 7)) + text

    return {
        "an event first": b"\2\0\0\1x",
        "bytes first": b"\3\1x",
        "kind 0": HEAD_ITEM + b"\0",
        "kind 4": HEAD_ITEM + b"\4\1x",
        "two heads": HEAD_ITEM * 2,
        "a number of five bytes": HEAD_ITEM + b"\3\x80\x80\x80\x80\0",
        "an item over 2^20 bytes": HEAD_ITEM + b"\3\x81\x80\x40",
        "a prefix of nothing": HEAD_ITEM + b"\2\1\0\1x",
        "a suffix of nothing": HEAD_ITEM + b"\2\0\1\1x",
        "prefix and suffix that overlap": HEAD_ITEM + b"\2\0\0\2xy" + b"\2\1\2\1z",
        "an event over 16 KiB": HEAD_ITEM + b"\2\0\0\x81\x80\1" + b"x" * 16_385,
        "an event that grows over 16 KiB": HEAD_ITEM
        + b"\2\0\0\x80\x80\1"
        + b"x" * 16_384
        + b"\2\x80\x80\1\0\1y",
        "a head that is no JSON": b"\1\1{",
        "a head that isn't UTF-8": b"\1\2\xff\xff",
        "status 700": head(status=700),
        "status as text": head(status="200"),
        "an unknown field": head(extra=1),
        "a content type with a line break": head(content_type="text/html\r\nx: y"),
        "a header with a line break": head(headers={"x": "y\r\nz: a"}),
        "a header name with capitals": head(headers={"X": "y"}),
        "33 headers": head(headers={f"x{number}": "y" for number in range(33)}),
    }
