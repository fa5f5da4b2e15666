"""How much of everything a client may take."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """Seconds, bytes and counts.

    head_seconds: from the first byte of a request to the end of its head. body_seconds: from there
    to the end of its body. idle_seconds: between requests. write_seconds: how long a client may
    leave what was sent to it unread. linger_seconds: how long the rest of a refused request is read
    and thrown away, so that its client gets to see the answer. connections_per_address: loopback
    isn't counted: behind it stands a tunnel or the owner's own reverse proxy.
    """

    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 15.0
    write_seconds: float = 15.0
    linger_seconds: float = 2.0
    head_bytes: int = 32 * 1024
    headers: int = 64
    body_bytes: int = 1 << 20
    connections: int = 4096
    connections_per_address: int = 20
