"""What a rig says of its own condition: numbers, never a text of anybody's.

It goes to the tracker in the heartbeats of a tunnel, and to whoever reads the rig's metrics.
"""

from typing import Annotated, Final

import msgspec

from luckrig.protocol.wire import NodeStatus

MAX_TELEMETRY_BYTES: Final = 4096
MAX_GPUS: Final = 16
_AT_WORK: Final[frozenset[NodeStatus]] = frozenset({"available", "busy"})

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Bytes = Annotated[int, msgspec.Meta(ge=0, le=2**60)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class GpuReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One GPU, as far as its driver says."""

    memory_used_bytes: _Bytes | None = None
    memory_total_bytes: _Bytes | None = None
    utilization: _Share | None = None
    """How busy it is, 0 to 1."""
    celsius: Annotated[float, msgspec.Meta(ge=-50, le=200)] | None = None
    watts: Annotated[float, msgspec.Meta(ge=0, le=5000)] | None = None


class Telemetry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A heartbeat. Unknown fields are skipped: rigs and trackers differ in age."""

    status: NodeStatus
    """The engine's state, and the owner's wish."""
    opens_at: _Count | None = None
    """Unix seconds at which a paused rig takes requests again, where it knows."""
    wish_at: _Count | None = None
    """When the owner last paused or opened it, here or on the tracker's pages; 0 for never."""
    active: _Count = 0
    waiting: _Count = 0
    max_active: _Count = 0
    max_waiting: _Count = 0
    served: _Count = 0
    """Replies that came to their end, since the rig started."""
    failed: _Count = 0
    """Requests that the engine or the rig failed, since the rig started."""
    error_share: _Share = 0.0
    """Failed ones of the last 100 requests that reached the engine."""
    tokens_per_second: Annotated[float, msgspec.Meta(ge=0, le=1e6)] | None = None
    """Generated, all streams together, over the last minute; None when nothing was."""
    memory_used_bytes: _Bytes | None = None
    memory_total_bytes: _Bytes | None = None
    gpus: Annotated[list[GpuReading], msgspec.Meta(max_length=MAX_GPUS)] = []

    def is_news_after(self, before: "Telemetry | None") -> bool:
        """Whether the map should know at once. Available and busy take turns all the time: that is
        none. An owner who pauses the rig and opens it within a second leaves its status as it was,
        but has said something."""
        if before is None or before.wish_at != self.wish_at:
            return True
        return before.status != self.status and not {before.status, self.status} <= _AT_WORK
