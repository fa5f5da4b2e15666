"""What a chat's stream says, one by one: for people who write programs, not for the wire.

    Waiting* Started Text* Ended

Every stream that isn't broken has exactly one Started and ends with exactly one Ended; what breaks
it is raised as LuckrigError.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from luckrig.protocol.wire import NodeView

Kind = Literal["text", "reasoning", "tool"]


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens by the engine's count."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """What the rig measured: `luckrig.timing` of docs/PROTOCOL.md. None where it didn't say."""

    queue_ms: float | None = None
    ttft_ms: float | None = None
    generation_ms: float | None = None
    tokens_per_second: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    streamed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A place in the rig's queue. position: 1 for the next. eta_seconds: None if it can't tell."""

    position: int
    eta_seconds: float | None
    ticket: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The rig begins to answer. model: its name for the model. subtext: sealed both ways."""

    rig: NodeView
    model: str
    subtext: bool


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the reply. tool: a piece of a call's arguments, as the model writes them."""

    text: str
    kind: Kind = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The reply is whole. finish_reason: stop, length, tool_calls or content_filter.

    receipt: compact JWS that the rig signed, None where it sent none. tool_calls: OpenAI's, whole.
    """

    finish_reason: str | None
    usage: Usage | None
    timing: Timing | None
    receipt: str | None
    tool_calls: Sequence[Mapping[str, Any]] = ()


ChatEvent = Waiting | Started | Text | Ended
