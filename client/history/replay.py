"""The format of a replay: one request and its reply, as the user's machine saw them. Pure.

docs/REPLAYS.md is this as a page, for those who write another reader. A replay is a stranger's
text: reading refuses whatever isn't exactly the format.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from luckrig.protocol import strictjson
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import NodeId

SCHEMA_VERSION: Final = 1
MAX_REPLAY_BYTES: Final = 16 * 2**20
"""Of a file. What the recorder keeps at most needs 13 MiB."""
MAX_EVENTS: Final = 200_000
MAX_TEXT_BYTES: Final = 4 * 2**20
"""Of all pieces together, as JSON writes them."""
MAX_REQUEST_BYTES: Final = 4 * 2**20
"""A rig takes 1 MiB."""
MAX_FIGURES_BYTES: Final = 16 * 2**10
"""Of `usage`, and of `timing`."""
MAX_QUEUE_LOOKS: Final = 1_000
MAX_TITLE_CHARS: Final = 120

_LIMITS: Final = strictjson.Limits(depth=40, values=1_000_000)
"""A request may be 32 deep, and a piece has four values."""
_ID: Final = re.compile(r"[a-z0-9-]{1,64}")
_DEVICES: Final = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]")
"""What Windows takes for a device, whatever comes after a dot."""

NO_FIGURES: Final = msgspec.Raw(b"null")

Kind = Literal["text", "reasoning", "tool", "other"]
Outcome = Literal["complete", "cut", "failed"]
Mode = Literal["plain", "subtext"]
Counted = Literal["engine", "pieces"]

_Ms = Annotated[float, Meta(ge=0, le=1e9)]
_Rate = Annotated[float, Meta(ge=0, le=1e9)]
_Count = Annotated[int, Meta(ge=0, le=2**53)]
_Label = Annotated[str, Meta(max_length=200)]
_Time = Annotated[float, Meta(ge=0, le=253_402_300_799)]


class Piece(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Part of a reply, in JSON [at_ms, kind, text].

    at_ms: since the request left. text: of a tool call first its name and a line break, then its
    arguments as they came.
    """

    at_ms: _Ms
    kind: Kind
    text: str


class QueueLook(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """A place in the rig's queue, in JSON [at_ms, position, eta_seconds]."""

    at_ms: _Ms
    position: _Count
    eta_seconds: Annotated[float, Meta(ge=0, le=1e9)] | None


class Rig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rig answered, as it described itself then. engine: its kind, like "ollama"."""

    node_id: NodeId
    name: _Label | None = None
    gpu: _Label | None = None
    vram_bytes: _Count | None = None
    engine: _Label | None = None
    model: _Label
    family: _Label | None = None
    quantization: _Label | None = None
    context_length: _Count | None = None


class Figures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the reply took. Those with rig_ are what the rig says, the others were seen here.

    ttft_ms: until the first piece arrived. tokens_per_second: from the first piece to the last.
    counted: who counted completion_tokens; "pieces" are no more than the tokens. total_ms: until
    it was over. What isn't known is None.
    """

    total_ms: _Ms
    ttft_ms: _Ms | None = None
    tokens_per_second: _Rate | None = None
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    counted: Counted | None = None
    rig_queue_ms: _Ms | None = None
    rig_ttft_ms: _Ms | None = None
    rig_tokens_per_second: _Rate | None = None


class Summary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first part of a replay, which lists show.

    created_at: Unix seconds when the request left. tracker: its origin. title: the first line of
    what was asked. error_code: of a failed reply. truncated: there was more than is kept.
    """

    schema_version: Literal[1]
    replay_id: str
    created_at: _Time
    tracker: Annotated[str, Meta(max_length=300)] | None
    rig: Rig
    endpoint: Annotated[str, Meta(pattern=r"^/[a-z0-9/_-]{1,63}$")]
    mode: Mode
    streamed: bool
    title: Annotated[str, Meta(max_length=MAX_TITLE_CHARS)]
    outcome: Outcome
    error_code: Annotated[str, Meta(max_length=64)] | None
    truncated: bool
    figures: Figures

    def __post_init__(self) -> None:
        if not is_replay_id(self.replay_id):
            raise ValueError("replay_id is no replay's id")


class Replay(Summary, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it. request: the JSON object that was asked, without headers, so without any token.

    usage, timing: the objects of the last document as they came, NO_FIGURES where there were none.
    unread: how many documents of the reply made no sense. events: by time.
    """

    request: msgspec.Raw
    usage: msgspec.Raw
    timing: msgspec.Raw
    unread: _Count
    queue: Annotated[list[QueueLook], Meta(max_length=MAX_QUEUE_LOOKS)]
    events: Annotated[list[Piece], Meta(max_length=MAX_EVENTS)]

    def __post_init__(self) -> None:
        super().__post_init__()
        if _is_no_object(self.request):
            raise ValueError("request is no JSON object")
        for name, raw in (("usage", self.usage), ("timing", self.timing)):
            if raw != NO_FIGURES and _is_no_object(raw):
                raise ValueError(f"{name} is neither null nor a JSON object")
        times = [piece.at_ms for piece in self.events]
        if times != sorted(times):
            raise ValueError("the events aren't in the order of their times")

    def text(self, kind: Kind) -> str:
        """All pieces of that kind together."""
        return "".join(piece.text for piece in self.events if piece.kind == kind)


Known = TypeVar("Known", bound=Summary)

SUMMARY_END: Final = b',"request":'
"""What follows the first part as luckrig writes it. Inside a string the quotes would be escaped,
and no object of the first part has such a key."""


def _is_no_object(raw: msgspec.Raw) -> bool:
    return not bytes(raw).startswith(b"{")


def is_replay_id(text: str) -> bool:
    """Whether that may be a replay's id, and a file's name on any system."""
    return _ID.fullmatch(text) is not None and _DEVICES.fullmatch(text) is None


def make_replay_id(now: float, salt: str) -> str:
    """An id that sorts by time. now: Unix seconds. salt: six random digits of a-z0-9."""
    at = datetime.fromtimestamp(now, UTC)
    return f"{at:%Y%m%d-%H%M%S}-{at.microsecond // 1000:03d}-{salt}"


def encode_replay(replay: Replay) -> bytes:
    """Compact JSON, the fields of Summary first."""
    return msgspec.json.encode(replay)


def decode_replay(body: bytes) -> Replay:
    """Raises PeerError, whose text completes a sentence about a file, on anything else."""
    if len(body) > MAX_REPLAY_BYTES:
        raise PeerError("body_too_large", f"is larger than {MAX_REPLAY_BYTES} bytes")
    return _decode(body, Replay)


def decode_summary(start: bytes) -> Summary | None:
    """The first part, from the start of a file; None when it isn't all there in luckrig's order.

    Raises PeerError like decode_replay.
    """
    end = start.find(SUMMARY_END)
    return None if end < 0 else _decode(start[:end] + b"}", Summary)


def _decode(body: bytes, kind: type[Known]) -> Known:
    try:
        return strictjson.decode(body, kind, limits=_LIMITS)
    except PeerError as error:
        if error.param == "schema_version":
            raise PeerError(
                error.code, f"isn't a replay of version {SCHEMA_VERSION}, which this luckrig reads"
            ) from error
        raise PeerError(error.code, f"isn't a replay: {error.message}".rstrip(".")) from error
