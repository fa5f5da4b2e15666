"""How much of something one may have in a window of time.

Windows are fixed: every whole hour, or day, of Unix time. A counter's name is a keyed hash over
what is counted, for whom, and the window's number, so that what is stored tells neither an address
nor that two windows are about the same one. Pure rules; the counters are the store's.

| kind            | whose                                     | window |
|-----------------|-------------------------------------------|--------|
| tokens          | an account's, whichever its key is        | hour   |
| prefix-tokens   | all users' of one network                 | hour   |
| registrations   | all new keys' of one network              | day    |
| reports         | all that come from one network            | hour   |
"""

import hashlib
import hmac
import ipaddress
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError

QuotaKind = Literal["tokens", "prefix-tokens", "registrations", "reports"]

WINDOW_SECONDS: Final[Mapping[QuotaKind, int]] = {
    "tokens": 3600,
    "prefix-tokens": 3600,
    "registrations": 86_400,
    "reports": 3600,
}
IPV4_PREFIX: Final = 24
IPV6_PREFIX: Final = 56
"""What a home line or a small host gets."""

UNKNOWN_NETWORK: Final = "unknown"
"""Of whatever isn't an address."""

_LABEL: Final = b"luckrig quota v1|"
_NAME_BYTES: Final = 18
_TEXTS: Final[Mapping[QuotaKind, str]] = {
    "tokens": (
        "Your key has had its {limit} tokens of this hour. Reuse one until it expires, or wait"
        " until {until}; contributors get more."
    ),
    "prefix-tokens": (
        "Your network has had its {limit} tokens of this hour, all keys together. Wait until"
        " {until}, or ask from another network; the tracker's operator can raise the limit."
    ),
    "registrations": (
        "{limit} new keys came from your network today, which is the limit. Use a key that you"
        " have, or wait until {until}; the tracker's operator can raise the limit."
    ),
    "reports": (
        "{limit} reports came from your network in this hour, which is the limit. Send yours after"
        " {until}, or write to the tracker's operator now: /compliance says how."
    ),
}


@dataclass(frozen=True, slots=True)
class Use:
    """One use that is to be counted. limit: uses in the window. ends_at: the window's end, Unix."""

    kind: QuotaKind
    name: str
    limit: int
    ends_at: int


def use(kind: QuotaKind, subject: str, *, limit: int, now: float, secret: bytes) -> Use:
    """A use by that subject (an account or a network prefix) in the window that `now` is in.

    secret: the tracker's, 32 bytes.
    """
    seconds = WINDOW_SECONDS[kind]
    number = int(now) // seconds
    text = f"{kind}|{subject}|{number}".encode()
    digest = hmac.digest(secret, _LABEL + text, hashlib.sha256)
    return Use(kind, b64url_encode(digest[:_NAME_BYTES]), limit, (number + 1) * seconds)


def met(quota: Use, *, now: float) -> PeerError:
    """The refusal of a use: which limit was met, and what lifts it."""
    until = f"{datetime.fromtimestamp(quota.ends_at, UTC):%Y-%m-%d %H:%M} UTC"
    return PeerError(
        "rate_limited",
        _TEXTS[quota.kind].format(limit=quota.limit, until=until),
        retry_after_seconds=max(1, math.ceil(quota.ends_at - now)),
    )


def network_prefix(address: str) -> str | None:
    """The network that an address is counted with; None for a loopback one, which isn't limited.

    Whatever isn't an address is counted with everything else that isn't one.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return UNKNOWN_NETWORK
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if parsed.is_loopback:
        return None
    length = IPV4_PREFIX if parsed.version == 4 else IPV6_PREFIX
    return str(ipaddress.ip_network(f"{parsed}/{length}", strict=False))
