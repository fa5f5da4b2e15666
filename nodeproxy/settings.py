"""The node proxy's settings. The only place in the node proxy that knows environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from luckrig.nodeproxy.server.limits import ServerLimits


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """What an owner can set.

    origins: http(s)://host[:port] under which clients reach it, lower case: the endpoints of its
    descriptor, and where it listens. It answers to no other Host, and to no proof for another URL.
    max_active: requests at the engine at once; None: as many as it runs in parallel, by its own
    word. max_queue: requests waiting for their turn. max_wait_seconds, max_turn_seconds,
    tell_seconds: see steps/wait.py.
    engine_head_timeout_seconds: how long the engine may think before its first byte; a long
    prompt on a CPU takes minutes. engine_idle_timeout_seconds: the longest pause between tokens.
    """

    origins: frozenset[str]
    max_active: int | None = None
    max_queue: int = 32
    max_wait_seconds: float = 300.0
    max_turn_seconds: float = 900.0
    tell_seconds: float = 1.0
    engine_head_timeout_seconds: float = 300.0
    engine_idle_timeout_seconds: float = 120.0
    health_interval_seconds: float = 5.0
    limits: ServerLimits = field(default_factory=ServerLimits)

    @property
    def hosts(self) -> frozenset[str]:
        """The values of the Host header that it answers to."""
        return frozenset(origin.partition("://")[2] for origin in self.origins)


def engine_api_key(environ: Mapping[str, str]) -> str | None:
    """The key that the owner's engine asks for, if it asks for one: LUCKRIG_ENGINE_KEY."""
    return environ.get("LUCKRIG_ENGINE_KEY") or None
