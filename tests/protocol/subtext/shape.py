"""What somebody on the wire sees of a sealed stream: a model of a rig's flushes, and of tokens.

A rig flushes when FLUSH_EVENTS events have come since the last flush, or FLUSH_MS after it while
anything waits; a flush is one frame, whatever waits. Times are milliseconds, so nothing here
depends on a clock.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Hashable, Sequence
from random import Random
from typing import Final

from bench.mock_engine import Replies
from luckrig.protocol.subtext.carrier import CarrierWriter
from luckrig.protocol.subtext.codec import Frame
from luckrig.protocol.subtext.items import ItemWriter
from luckrig.protocol.subtext.reply import ReplySealer

FLUSH_EVENTS: Final = 8
FLUSH_MS: Final = 100
RATES: Final = (5, 20, 50, 80, 100, 200, 500)
"""Tokens a second."""

# Share of tokens of 1, 2, … 12 bytes, in thousandths. Estimates, not counted with a tokenizer: most
# words of English are a token, code has many of one sign, a Japanese character has 3 bytes.
KINDS: Final[dict[str, tuple[int, ...]]] = {
    "English": (110, 95, 160, 195, 150, 105, 75, 50, 30, 18, 8, 4),
    "code": (330, 170, 120, 110, 90, 65, 45, 30, 18, 12, 6, 4),
    "Japanese": (40, 5, 430, 5, 5, 330, 5, 5, 120, 5, 5, 45),
}
HEADERS: Final = {
    "cache-control": "no-store",
    "luckrig-node": "n1" + "a" * 32,
    "luckrig-gpu": "NVIDIA GeForce RTX 3090",
    "luckrig-engine": "llama-server",
    "luckrig-request": "r" * 22,
    "luckrig-quant": "Q4_K_M",
    "luckrig-queue-ms": "12",
}
_ENGINE: Final = Replies(20)


def unframed(data: bytes) -> bytes:
    """An HTTP chunk's bytes."""
    return data.split(b"\r\n", 1)[1].removesuffix(b"\r\n")


ROLE: Final = (
    unframed(_ENGINE.pieces["burst"][0].split(b"\r\n\r\n", 1)[1]).split(b"\n\n")[0] + b"\n\n"
)
"""What it writes before the first one."""


def chunk(text: str) -> bytes:
    """What llama-server writes for one token."""
    return unframed(_ENGINE.token("burst", text))


def ending() -> list[bytes]:
    """The last events: finish reason; usage with timing and a receipt of 900 characters; DONE."""
    finish, usage, done = (
        each + b"\n\n" for each in _plain_ending().split(b"\n\n") if each.startswith(b"data: ")
    )
    timing = b',"luckrig":{"timing":{"queue_ms":12,"ttft_ms":180,"generation_ms":4980,'
    timing += b'"tokens_per_second":100.2,"prompt_tokens":200,"completion_tokens":500,'
    timing += b'"streamed":true},"receipt":"' + b"r" * 900 + b'"}}\n\n'
    return [finish, usage.removesuffix(b"}\n\n") + timing, done]


def _plain_ending() -> bytes:
    return b"".join(
        line + b"\n\n" for line in _ENGINE.ending("burst").split(b"\r\n") if b"data: " in line
    ).replace(b"\n\n\n\n", b"\n\n")


def token(length: int, random: Random) -> str:
    """Letters that take so many bytes in JSON."""
    return "".join(random.choices("abcdefghijklmnopqrstuvwxyz ", k=length))


def lengths(kind: str, count: int, random: Random) -> list[int]:
    """As many tokens' lengths, in bytes."""
    return random.choices(range(1, 13), KINDS[kind], k=count)


class Stream:
    """One sealed reply of tokens with these lengths at that rate."""

    def __init__(self, tokens: Sequence[int], rate: int, *, seed: int) -> None:
        random = Random(seed)  # noqa: S311 -- the same each time
        self.secret = secret = hashlib.sha256(b"secret %d" % seed).digest()
        self._items = ItemWriter()
        self._sealer = ReplySealer(secret, bytes(32), secret)
        self._events = 0
        self._flushed_ms = 0.0
        self.frames: list[Frame] = []
        self.plain_bytes = 0
        """Of the same reply as an ordinary stream."""
        self._sealer.add(self._items.head(200, "text/event-stream; charset=utf-8", HEADERS))
        self._flush(0.0)
        self._event(ROLE, 0.0)
        texts = [token(length, random) for length in tokens]
        now = 0.0
        for number, text in enumerate(texts):
            now = number * 1000 / rate
            self._wait_until(now)
            self._event(chunk(text), now)
        for event in ending():
            self._event(event, now)
        self.frames += self._sealer.last_frames()

    def _wait_until(self, now: float) -> None:
        while self._sealer.waiting_bytes and self._flushed_ms + FLUSH_MS < now:
            self._flush(self._flushed_ms + FLUSH_MS)

    def _event(self, event: bytes, now: float) -> None:
        self.plain_bytes += len(event)
        if not self._sealer.waiting_bytes:
            self._flushed_ms = max(self._flushed_ms, now)
        self._sealer.add(self._items.body(event))
        self._events += 1
        if self._events >= FLUSH_EVENTS:
            self._flush(now)

    def _flush(self, now: float) -> None:
        self._events, self._flushed_ms = 0, now
        self.frames.append(self._sealer.next_frame())

    def written(self) -> list[bytes]:
        """The events, as the carrier writes them."""
        writer = CarrierWriter("a" * 22, 1_790_000_000)
        return [*map(writer.event, self.frames), writer.ending()]

    def sizes(self) -> tuple[int, ...]:
        """Characters of each event: what is the same whatever bytes the ciphertext has."""
        return tuple(len(each.decode()) for each in self.written())

    def payloads(self) -> tuple[int, ...]:
        """Bytes of each frame's payload, which fix its event's characters."""
        return tuple(len(each.payload) for each in self.frames)


def entropy(values: Sequence[Hashable]) -> float:
    """In bits, of how often each of these came."""
    counts = Counter(values).values()
    return sum(count / len(values) * math.log2(len(values) / count) for count in counts)


def mutual_information(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """In bits: how much of `one` somebody knows who sees `other`."""
    return entropy(one) + entropy(other) - entropy(list(zip(one, other, strict=True)))
