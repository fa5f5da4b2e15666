"""One reply on its way back to the program that asked: as it comes, with the rig's name on it."""

from typing import Final
from urllib.parse import quote

from luckrig.client.calls import Reply
from luckrig.client.sidecar.asgi import RawHeaders

_OURS: Final = ("luckrig-node", "luckrig-name", "luckrig-gpu", "luckrig-quant", "luckrig-model",
                "luckrig-mode", "luckrig-tries")  # fmt: skip
_PASSED: Final = ("retry-after", "x-should-retry")
_MAX_HEADERS: Final = 32
_MAX_VALUE_CHARS: Final = 1024


def reply_headers(reply: Reply) -> RawHeaders:
    """The head of an answer. What names the rig is what the rig signed, not what it says here."""
    kind = b"text/event-stream; charset=utf-8" if reply.is_stream else b"application/json"
    headers: RawHeaders = [
        (b"content-type", kind),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        *rig_headers(reply),
    ]
    for name, value in list(reply.headers.items())[:_MAX_HEADERS]:
        is_rigs = name.startswith("luckrig-") and name not in _OURS
        if (is_rigs or name in _PASSED) and _is_plain(name) and _is_plain(value):
            headers.append((name.encode("ascii"), value.encode("ascii")))
    if reply.status >= 400 and "x-should-retry" not in reply.headers:
        headers.append((b"x-should-retry", b"false"))  # another rig would say the same
    return headers


def rig_headers(reply: Reply) -> RawHeaders:
    """Which rig answers. Texts are percent-encoded: a header holds ASCII only."""
    offer = next((each for each in reply.rig.offers if each.model == reply.model), None)
    values = (
        reply.rig.id,
        reply.rig.name,
        reply.rig.hardware.gpu,
        None if offer is None else offer.quantization,
        reply.model,
        "subtext" if reply.subtext else "plain",
        str(reply.tries),
    )
    return [
        (name.encode("ascii"), quote(value, safe=" /:@+,;=()[]!*'").encode("ascii"))
        for name, value in zip(_OURS, values, strict=True)
        if value is not None
    ]


def _is_plain(text: str) -> bool:
    return len(text) <= _MAX_VALUE_CHARS and text.isascii() and text.isprintable()
