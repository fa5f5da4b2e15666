"""The tracker's settings. The only place in the tracker that knows environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from luckrig.protocol.address import is_origin
from luckrig.protocol.ids import is_user_id
from luckrig.protocol.tokens import MAX_BEARER_TTL_SECONDS, Limits

_TRUE: Final = {"1", "true", "yes", "on"}
_FALSE: Final = {"0", "false", "no", "off", ""}


@dataclass(frozen=True, kw_only=True)
class TrackerSettings:
    """What an operator can set.

    public_url: the origin people and nodes use, e.g. https://luckrig.example.
    allow_private_endpoints: list and probe rigs on loopback, private networks and plain http; for
    a tracker on one's own machine or LAN only, since it lets strangers aim probes at them.
    tokens_per_hour: tokens one user may get in any 3,600 seconds.
    operators: ids (u1…) of the users who may ban.
    """

    public_url: str
    allow_private_endpoints: bool = False
    health_interval_seconds: float = 30.0
    health_timeout_seconds: float = 2.0
    token_ttl_seconds: int = MAX_BEARER_TTL_SECONDS
    tokens_per_hour: int = 60
    operators: frozenset[str] = frozenset()
    limited: Limits = field(
        default_factory=lambda: Limits(requests=120, output_tokens=1024, concurrency=2, priority=0)
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "TrackerSettings":
        """Read LUCKRIG_TRACKER_* variables. Raises ValueError that lists every problem at once."""
        problems: list[str] = []
        public_url = environ.get("LUCKRIG_TRACKER_PUBLIC_URL", "http://127.0.0.1:8787").rstrip("/")
        if not is_origin(public_url):
            problems.append("LUCKRIG_TRACKER_PUBLIC_URL must look like https://host[:port]")
        private = environ.get("LUCKRIG_TRACKER_ALLOW_PRIVATE", "").lower()
        if private not in _TRUE | _FALSE:
            problems.append("LUCKRIG_TRACKER_ALLOW_PRIVATE must be 1 or 0")
        interval = _number(environ, "LUCKRIG_TRACKER_HEALTH_INTERVAL", 30.0, 0.1, 3600, problems)
        timeout = _number(environ, "LUCKRIG_TRACKER_HEALTH_TIMEOUT", 2.0, 0.1, 60, problems)
        ttl = _number(
            environ, "LUCKRIG_TRACKER_TOKEN_TTL", 900, 30, MAX_BEARER_TTL_SECONDS, problems
        )
        per_hour = _number(environ, "LUCKRIG_TRACKER_TOKENS_PER_HOUR", 60, 1, 1_000_000, problems)
        listed = environ.get("LUCKRIG_TRACKER_OPERATORS", "").split(",")
        operators = frozenset(name.strip() for name in listed if name.strip())
        if not all(map(is_user_id, operators)):
            problems.append("LUCKRIG_TRACKER_OPERATORS must be user ids, u1…, with commas between")
        if problems:
            raise ValueError("; ".join(problems))
        return cls(
            public_url=public_url,
            allow_private_endpoints=private in _TRUE,
            health_interval_seconds=interval,
            health_timeout_seconds=timeout,
            token_ttl_seconds=int(ttl),
            tokens_per_hour=int(per_hour),
            operators=operators,
        )


def _number(
    environ: Mapping[str, str],
    name: str,
    default: float,
    low: float,
    high: float,
    problems: list[str],
) -> float:
    text = environ.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        problems.append(f"{name} must be a number from {low:g} to {high:g}")
        return default
    return value
