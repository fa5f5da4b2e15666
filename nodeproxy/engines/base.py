"""What the node proxy asks of an engine, whatever its kind."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol, TypeAlias

from luckrig.nodeproxy.engines.chunks import Chunk
from luckrig.nodeproxy.upstream import Answer
from luckrig.protocol.descriptor import EngineKind, Offer
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.openai.embeddings import EmbeddingsRequest
from luckrig.protocol.openai.requests import ChatRequest, CompletionRequest

EngineStatus: TypeAlias = Literal["ready", "loading", "down", "locked"]
"""locked: the engine asks for an API key that we don't have."""


EngineOffer: TypeAlias = Offer
"""One model, in the form in which the node publishes it; its name is never a path."""


@dataclass(frozen=True, kw_only=True)
class EngineState:
    """What an engine says of itself now. slots: requests it runs in parallel, where it says so."""

    kind: EngineKind
    status: EngineStatus
    version: str | None = None
    slots: int | None = None
    offers: tuple[EngineOffer, ...] = ()


class Decoder(Protocol):
    """Bytes of one reply in, chunks out. Holds the state of that reply."""

    def plain(self, data: bytes) -> tuple[int, int]:
        """(pieces of text, bytes): how far these bytes are whole events as clients get them.

        Nearly all of a reply is: so many bytes go on as they are, and the rest is for feed().
        """
        ...

    def feed(self, data: bytes) -> list[Chunk]:
        """The chunks that these bytes complete.

        Raises LuckrigError for a reply that makes no sense, or for an error that the engine
        reports in the middle of its reply; the chunks before it are returned first.
        """
        ...

    def end(self) -> None:
        """The reply is over. Raises UpstreamError if the engine stopped in the middle."""
        ...


class Call(NamedTuple):
    """A request to the engine, always POST, and the decoder for its reply (status 200)."""

    path: str
    body: bytes
    decoder: Decoder


Vector: TypeAlias = list[float] | str
"""Numbers, or base64 of little-endian 32-bit floats."""


class Embedded(NamedTuple):
    """One vector for each input, in the form that was asked for."""

    vectors: Sequence[Vector]
    prompt_tokens: int


class EmbeddingsCall(NamedTuple):
    """A request to the engine, always POST. read: its answer with status 200, else fault.

    read raises UpstreamError for an answer that makes no sense, PeerError unsupported_parameter
    where the engine ignored a field.
    """

    path: str
    body: bytes
    read: Callable[[bytes], Embedded]
    fault: Callable[[int, bytes], LuckrigError]


class Question(NamedTuple):
    """A request of a survey."""

    path: str
    method: str = "GET"
    body: bytes = b""


Survey: TypeAlias = Generator[Question, Answer | None, EngineState]
"""Yields questions, is sent answers, or None where there was none; returns what it found."""


class Dialect(Protocol):
    """How one engine speaks. It knows the engine's models from its last survey."""

    kind: ClassVar[EngineKind]
    """Which engine this is."""

    def survey(self) -> Survey:
        """Ask the engine how it is and what it offers."""
        ...

    def chat(self, request: ChatRequest, *, max_output_tokens: int) -> Call:
        """The call for a chat. The reply never has more tokens than max_output_tokens.

        Raises PeerError: model_not_found, or unsupported_parameter for a field that this engine
        would ignore.
        """
        ...

    def completion(self, request: CompletionRequest, *, max_output_tokens: int) -> Call:
        """The same for a completion."""
        ...

    def embeddings(self, request: EmbeddingsRequest) -> EmbeddingsCall:
        """The call for vectors. Raises PeerError as chat() does."""
        ...

    def fault(self, status: int, body: bytes) -> LuckrigError:
        """What an answer with another status than 200 means for the client."""
        ...
