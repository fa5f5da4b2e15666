"""What can be set on every stand-in: its models, its pace, and what goes wrong."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

Fault = Literal[
    "busy", "loading", "locked", "too-long",
    "slow-head", "hang-up", "html", "redirect", "gzip", "huge", "wrong-length",
    "stall", "reset", "garbage", "half", "error", "endless",
]  # fmt: skip

FAULTS: Final[Mapping[Fault, str]] = {
    "busy": "refuses: 503, too many requests",
    "loading": "refuses: 503, the model is still loading",
    "locked": "refuses: 401, an API key is missing",
    "too-long": "refuses: 400, the prompt doesn't fit",
    "slow-head": "takes the request and never answers",
    "hang-up": "closes the connection without an answer",
    "html": "answers 200 with a web page",
    "redirect": "answers 302",
    "gzip": "answers 200, compressed",
    "huge": "answers 200 with 10 MB on one line",
    "wrong-length": "promises more bytes than it sends, then closes",
    "stall": "goes silent before token N",
    "reset": "resets the connection before token N",
    "garbage": "sends a line that isn't JSON before token N",
    "half": "sends half a chunk and closes before token N",
    "error": "sends an error line instead of token N and ends",
    "endless": "never stops, whatever the limit",
}
"""The first four refuse as the dialect does it; the next seven spoil the whole answer; the others
strike in the middle of a stream."""

MODEL: Final = "qwen3:4b"
OWNERS_FOLDER: Final = "/home/ada/planted-folder"
TEMPLATE: Final = "{{ planted.Template }}"
"""Both are told by engines that tell such things, and must never leave a rig."""

REPLY: Final = ("Hello", "!", " I", " only", " stand", " in", " for", " an", " engine", ".")


@dataclass
class FakeModel:
    """One model. loaded_context: what a request really gets, None while the model isn't loaded.

    capabilities: in ollama's words. is_recent: whether ollama's list tells them itself. parent: the
    base of a LoRA adapter. remote_host: of a model that runs in ollama's cloud.
    """

    name: str = MODEL
    capabilities: Sequence[str] = ("completion", "tools", "thinking")
    parameter_size: str = "4.0B"
    quantization: str = "Q4_K_M"
    trained_context: int = 40_960
    loaded_context: int | None = 8_192
    parameters: str = ""
    remote_host: str = ""
    is_recent: bool = True
    parent: str | None = None

    @property
    def embeds(self) -> bool:
        """Whether it only makes embeddings."""
        return "completion" not in self.capabilities


def vector_of(text: str) -> list[float]:
    """The embedding of a text, as every stand-in makes it: exact in 32 bits."""
    return [len(text) / 2, 0.25, -1.5]


class Pace(Protocol):
    """Decides when the next token may go out."""

    async def token(self, number: int) -> None:
        """Return when token `number` (from 0) may be sent."""


class AtOnce:
    """No pause at all."""

    async def token(self, number: int) -> None:
        """Let the token go, and the other tasks run."""
        await asyncio.sleep(0)


class OnDemand:
    """Tokens go out when the test says so."""

    def __init__(self) -> None:
        self._allowed = asyncio.Semaphore(0)

    def allow(self, count: int) -> None:
        """Let `count` more tokens go."""
        for _ in range(count):
            self._allowed.release()

    async def token(self, number: int) -> None:
        """Wait for allow()."""
        await self._allowed.acquire()


class PerSecond:
    """For runs by hand: a first token after ttft_seconds, then a steady rate."""

    def __init__(self, tokens_per_second: float, *, ttft_seconds: float = 0.0) -> None:
        self._pause_seconds = 1 / tokens_per_second
        self._ttft_seconds = ttft_seconds

    async def token(self, number: int) -> None:
        """Sleep."""
        await asyncio.sleep(self._pause_seconds if number else self._ttft_seconds)
