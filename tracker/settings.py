"""The tracker's settings. The only place in the tracker that knows environment variables."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypedDict
from urllib.parse import urlsplit

from luckrig.protocol.address import is_origin
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import is_user_id
from luckrig.protocol.reports import MAX_EMAIL_CHARS
from luckrig.protocol.text import check_note
from luckrig.protocol.tokens import MAX_BEARER_TTL_SECONDS, Limits
from luckrig.protocol.tunnel.frames import MAX_STREAMS
from luckrig.protocol.wire import RegistrationMode
from luckrig.protocol.work import MAX_WORK_BITS

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRUE: Final = {"1", "true", "yes", "on"}
_FALSE: Final = {"0", "false", "no", "off", ""}

_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]*[A-Za-z0-9]")
"""What browsers take in an e-mail field, nearly."""
MAX_CONTACT_CHARS: Final = MAX_EMAIL_CHARS
MAX_OPERATOR_NAME_CHARS: Final = 200
MAX_JURISDICTION_CHARS: Final = 200
MAX_ADDRESS_CHARS: Final = 500
"""Postal: a few lines."""


@dataclass(frozen=True, kw_only=True)
class TrackerSettings:
    """What an operator can set.

    public_url: the origin people and nodes use, e.g. https://luckrig.example.
    allow_private_endpoints: list and probe rigs on loopback, private networks and plain http; for
    a tracker on one's own machine or LAN only, since it lets strangers aim probes at them.
    tokens_per_hour, tokens_per_hour_contributor: tokens one user may get in an hour, by tier;
    tokens_per_hour_prefix: all users of one network (/24, /56) together.
    registration: whose new keys are taken. registration_work: bits of proof of work, 0 to 32.
    relay_streams_per_rig: requests at once through one rig's tunnel, 1 to 64.
    relay_streams_per_prefix, relay_requests_per_minute: of one network through the relay.
    trusted_proxies: whose X-Forwarded-For is believed.
    operators: ids (u1…) of the users who decide. trusted_notifiers: of those on whose word a rig or
    note is hidden until an operator has decided. reports_per_hour_prefix: from one network.
    operator_name, contact, jurisdiction, address, dmca_agent: what /terms and its sisters say of
    whoever runs this tracker; empty where they haven't said it. contact: an e-mail address or an
    https URL. dmca_agent: how the one who is registered with the US Copyright Office is reached.
    """

    public_url: str
    allow_private_endpoints: bool = False
    health_interval_seconds: float = 30.0
    health_timeout_seconds: float = 2.0
    token_ttl_seconds: int = MAX_BEARER_TTL_SECONDS
    tokens_per_hour: int = 60
    tokens_per_hour_contributor: int = 600
    tokens_per_hour_prefix: int = 600
    registrations_per_day_prefix: int = 50
    registration: RegistrationMode = "open"
    registration_work: int = 0
    relay_streams_per_rig: int = MAX_STREAMS
    relay_streams_per_prefix: int = 32
    relay_requests_per_minute: int = 240
    trusted_proxies: tuple[Network, ...] = ()
    operators: frozenset[str] = frozenset()
    trusted_notifiers: frozenset[str] = frozenset()
    reports_per_hour_prefix: int = 5
    operator_name: str = ""
    contact: str = ""
    jurisdiction: str = ""
    address: str = ""
    dmca_agent: str = ""
    limited: Limits = field(
        default_factory=lambda: Limits(requests=120, output_tokens=1024, concurrency=2, priority=0)
    )
    contributor: Limits = field(
        default_factory=lambda: Limits(requests=600, output_tokens=8192, concurrency=4, priority=5)
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
        operators = _user_ids(environ, "LUCKRIG_TRACKER_OPERATORS", problems)
        trusted = _user_ids(environ, "LUCKRIG_TRACKER_TRUSTED_NOTIFIERS", problems)
        imprint = _imprint(environ, problems)
        quotas = _quotas(environ, problems)
        mode = _mode(environ, problems)
        proxies = _networks(environ, problems)
        if problems:
            raise ValueError("; ".join(problems))
        return cls(
            public_url=public_url,
            allow_private_endpoints=private in _TRUE,
            health_interval_seconds=interval,
            health_timeout_seconds=timeout,
            token_ttl_seconds=int(ttl),
            operators=operators,
            trusted_notifiers=trusted,
            registration=mode,
            trusted_proxies=proxies,
            **quotas,
            **imprint,
        )


class _Quotas(TypedDict):
    """Numbers that go into the settings as they are."""

    tokens_per_hour: int
    tokens_per_hour_contributor: int
    tokens_per_hour_prefix: int
    registrations_per_day_prefix: int
    registration_work: int
    relay_streams_per_rig: int
    relay_streams_per_prefix: int
    relay_requests_per_minute: int
    reports_per_hour_prefix: int


def _quotas(environ: Mapping[str, str], problems: list[str]) -> _Quotas:
    def number(name: str, default: int, low: int = 1, high: int = 1_000_000) -> int:
        return int(_number(environ, name, default, low, high, problems))

    return _Quotas(
        tokens_per_hour=number("LUCKRIG_TRACKER_TOKENS_PER_HOUR", 60),
        tokens_per_hour_contributor=number("LUCKRIG_TRACKER_TOKENS_PER_HOUR_CONTRIBUTOR", 600),
        tokens_per_hour_prefix=number("LUCKRIG_TRACKER_TOKENS_PER_HOUR_PREFIX", 600),
        registrations_per_day_prefix=number("LUCKRIG_TRACKER_REGISTRATIONS_PER_DAY_PREFIX", 50),
        registration_work=number("LUCKRIG_TRACKER_REGISTRATION_WORK", 0, 0, MAX_WORK_BITS),
        relay_streams_per_rig=number(
            "LUCKRIG_TRACKER_RELAY_STREAMS_PER_RIG", MAX_STREAMS, 1, MAX_STREAMS
        ),
        relay_streams_per_prefix=number("LUCKRIG_TRACKER_RELAY_STREAMS_PER_PREFIX", 32),
        relay_requests_per_minute=number("LUCKRIG_TRACKER_RELAY_REQUESTS_PER_MINUTE", 240),
        reports_per_hour_prefix=number("LUCKRIG_TRACKER_REPORTS_PER_HOUR_PREFIX", 5),
    )


class _Imprint(TypedDict):
    """Who runs this tracker: texts that go into the settings as they are."""

    operator_name: str
    contact: str
    jurisdiction: str
    address: str
    dmca_agent: str


def _imprint(environ: Mapping[str, str], problems: list[str]) -> _Imprint:
    def text(name: str, max_chars: int, *, lines: bool = False) -> str:
        return _text(environ, name, max_chars, problems, lines=lines)

    contact = text("LUCKRIG_TRACKER_CONTACT", MAX_CONTACT_CHARS)
    if contact and not _is_contact(contact):
        problems.append("LUCKRIG_TRACKER_CONTACT must be an e-mail address or an https:// address")
    return _Imprint(
        operator_name=text("LUCKRIG_TRACKER_OPERATOR_NAME", MAX_OPERATOR_NAME_CHARS),
        contact=contact,
        jurisdiction=text("LUCKRIG_TRACKER_JURISDICTION", MAX_JURISDICTION_CHARS),
        address=text("LUCKRIG_TRACKER_ADDRESS", MAX_ADDRESS_CHARS, lines=True),
        dmca_agent=text("LUCKRIG_TRACKER_DMCA_AGENT", MAX_ADDRESS_CHARS, lines=True),
    )


def _text(
    environ: Mapping[str, str], name: str, max_chars: int, problems: list[str], *, lines: bool
) -> str:
    """A text for people, without the spaces around it; `lines`: it may have several."""
    text = environ.get(name, "").replace("\r\n", "\n").strip()
    try:
        check_note(text, field=name)
        deceives = False
    except PeerError:
        deceives = True
    if deceives or len(text) > max_chars or (not lines and ("\n" in text or "\t" in text)):
        kind = "plain text" if lines else "one line of plain text"
        problems.append(f"{name} must be {kind}, at most {max_chars} characters")
        return ""
    return text


def _is_contact(text: str) -> bool:
    if not text.startswith("https://"):
        return _EMAIL.fullmatch(text) is not None
    try:
        url = urlsplit(text)
        return bool(url.hostname) and "@" not in url.netloc and not re.search(r"[\s<>\"]", text)
    except ValueError:
        return False


def _mode(environ: Mapping[str, str], problems: list[str]) -> RegistrationMode:
    match environ.get("LUCKRIG_TRACKER_REGISTRATION", "open"):
        case "open" | "invite" | "closed" as mode:
            return mode
        case _:
            problems.append("LUCKRIG_TRACKER_REGISTRATION must be open, invite or closed")
            return "closed"


def _user_ids(environ: Mapping[str, str], name: str, problems: list[str]) -> frozenset[str]:
    listed = environ.get(name, "").split(",")
    ids = frozenset(each.strip() for each in listed if each.strip())
    if not all(map(is_user_id, ids)):
        problems.append(f"{name} must be user ids, u1…, with commas between")
    return ids


def _networks(environ: Mapping[str, str], problems: list[str]) -> tuple[Network, ...]:
    listed = environ.get("LUCKRIG_TRACKER_TRUSTED_PROXIES", "").split(",")
    try:
        return tuple(ipaddress.ip_network(name.strip()) for name in listed if name.strip())
    except ValueError:
        problems.append(
            "LUCKRIG_TRACKER_TRUSTED_PROXIES must be addresses or networks such as 10.0.0.0/8,"
            " with commas between"
        )
        return ()


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
