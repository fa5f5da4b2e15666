"""The node proxy's settings. The only place in the node proxy that knows environment variables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast, get_args

from luckrig.nodeproxy.filters.pack import RulePack
from luckrig.nodeproxy.opening import Wishes
from luckrig.nodeproxy.server.limits import ServerLimits
from luckrig.protocol.address import is_origin

OutputMode: TypeAlias = Literal["record", "block", "off"]
"""What happens to replies: checked after they went out, checked before, or not checked."""

_URL: Final = re.compile(r"(?P<origin>https?://[^/?#@]+)(?P<path>(?:/[\w.~%-]+)*)/?", re.ASCII)
_HEADER_TEXT: Final = re.compile(r"[!-~]{1,1024}")
_METRICS_TOKEN: Final = re.compile(r"[!-~]{16,1024}")
_MODEL: Final = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, kw_only=True)
class ModerationSettings:
    """A moderation service, and what is asked of it.

    origin: http(s)://host[:port]. path: of its moderations endpoint. key: its bearer token.
    model: the one to ask for, or the service's own choice. timeout_seconds: for all that is asked
    about one text, 0.1 to 60. folder: where flags are noted.
    """

    origin: str
    path: str
    folder: Path
    key: str | None = field(default=None, repr=False)
    model: str | None = None
    timeout_seconds: float = 5.0
    output: OutputMode = "record"


@dataclass(frozen=True, kw_only=True)
class SubtextPace:
    """How sealed streams leave: a frame each tick, or as soon as so many events wait."""

    tick_seconds: float = 0.1
    events: int = 8


@dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """What an owner can set.

    origins: http(s)://host[:port] under which clients reach it, lower case: the endpoints of its
    descriptor, and where it listens; behind a tunnel {tracker}/n/{node_id}. It answers to no other
    Host, and to no proof for another URL.
    page_origins: of the tracker whose pages may ask it, http(s)://host[:port]; none behind a
    tunnel, where they come from the same origin.
    endpoints: those of its descriptor, letter for letter; it proves to a tracker that it is there.
    max_active: requests at the engine at once; None: as many as it runs in parallel, by its own
    word. max_queue: requests waiting for their turn. max_wait_seconds, max_turn_seconds,
    tell_seconds: see steps/wait.py.
    engine_head_timeout_seconds: how long the engine may think before its first byte; a long
    prompt on a CPU takes minutes. engine_idle_timeout_seconds: the longest pause between tokens.
    rules: the owner's packs, beside the shipped ones, which always apply.
    metrics_token: whoever has it may read /metrics. trust_loopback: whether this machine itself may
    without one; False where a reverse proxy or a tunnel brings strangers in from there.
    models: the only ones to offer; None for all that the engine has. wishes: when the owner wants
    requests. state_path: where the owner's pause outlives a restart; None for nowhere.
    subtext: how sealed streams leave.
    """

    origins: frozenset[str]
    endpoints: tuple[str, ...] = ()
    page_origins: frozenset[str] = frozenset()
    max_active: int | None = None
    max_queue: int = 32
    max_wait_seconds: float = 300.0
    max_turn_seconds: float = 900.0
    tell_seconds: float = 1.0
    engine_head_timeout_seconds: float = 300.0
    engine_idle_timeout_seconds: float = 120.0
    health_interval_seconds: float = 5.0
    limits: ServerLimits = field(default_factory=ServerLimits)
    moderation: ModerationSettings | None = None
    rules: tuple[RulePack, ...] = ()
    metrics_token: str | None = field(default=None, repr=False)
    trust_loopback: bool = True
    models: frozenset[str] | None = None
    wishes: Wishes = field(default_factory=Wishes)
    state_path: Path | None = None
    subtext: SubtextPace = field(default_factory=SubtextPace)

    @property
    def hosts(self) -> frozenset[str]:
        """The values of the Host header that it answers to."""
        return frozenset(origin.split("/")[2] for origin in self.origins)


def engine_api_key(environ: Mapping[str, str]) -> str | None:
    """The key that the owner's engine asks for, if it asks for one: LUCKRIG_ENGINE_KEY."""
    return environ.get("LUCKRIG_ENGINE_KEY") or None


def engine_context(environ: Mapping[str, str]) -> int | None:
    """The context length that ollama shall load models with, for all requests the same:
    LUCKRIG_ENGINE_CONTEXT, 256 to 10,000,000 tokens; None leaves it to ollama.

    Raises ValueError for anything else.
    """
    text = environ.get("LUCKRIG_ENGINE_CONTEXT")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{3,8}", text) or not 256 <= int(text) <= 10_000_000:
        raise ValueError("LUCKRIG_ENGINE_CONTEXT must be a whole number from 256 to 10000000")
    return int(text)


def metrics_token(environ: Mapping[str, str]) -> str | None:
    """Who has it may read /metrics from afar: LUCKRIG_METRICS_TOKEN, or None.

    Raises ValueError, without the value, for one that could be guessed or can't stand in a header.
    """
    token = environ.get("LUCKRIG_METRICS_TOKEN") or None
    if token is not None and not _METRICS_TOKEN.fullmatch(token):
        raise ValueError("LUCKRIG_METRICS_TOKEN must be 16 to 1024 visible ASCII characters")
    return token


def subtext_pace(environ: Mapping[str, str]) -> SubtextPace:
    """Read LUCKRIG_SUBTEXT_TICK_MS, 10 to 1000, and LUCKRIG_SUBTEXT_EVENTS, 1 to 64.

    Raises ValueError that lists every problem.
    """
    problems: list[str] = []
    tick_ms = _whole_number(environ, "LUCKRIG_SUBTEXT_TICK_MS", 100, range(10, 1001), problems)
    events = _whole_number(environ, "LUCKRIG_SUBTEXT_EVENTS", 8, range(1, 65), problems)
    if problems:
        raise ValueError("; ".join(problems))
    return SubtextPace(tick_seconds=tick_ms / 1000, events=events)


def _whole_number(
    environ: Mapping[str, str], name: str, default: int, allowed: range, problems: list[str]
) -> int:
    text = environ.get(name)
    if not text:
        return default
    if not re.fullmatch(r"[0-9]{1,8}", text) or int(text) not in allowed:
        problems.append(f"{name} must be a whole number from {allowed[0]} to {allowed[-1]}")
        return default
    return int(text)


def moderation_settings(environ: Mapping[str, str], *, folder: Path) -> ModerationSettings | None:
    """Read LUCKRIG_MODERAT… variables; None without LUCKRIG_MODERATION_URL.

    Raises ValueError that lists every problem and quotes no value. A key, or the wish to block
    replies, without an address is a problem too: whoever set it believes that texts are checked.
    """
    problems: list[str] = []
    url = _moderation_url(environ, problems)
    key = environ.get("LUCKRIG_MODERATION_KEY") or None
    if key is not None and not _HEADER_TEXT.fullmatch(key):
        problems.append("LUCKRIG_MODERATION_KEY must be 1 to 1024 visible ASCII characters")
    model = environ.get("LUCKRIG_MODERATION_MODEL") or None
    if model is not None and not _MODEL.fullmatch(model):
        problems.append("LUCKRIG_MODERATION_MODEL must be 1 to 200 visible ASCII characters")
    timeout_seconds = _timeout_seconds(environ, problems)
    output = environ.get("LUCKRIG_MODERATE_OUTPUT") or "record"
    if output not in get_args(OutputMode):
        problems.append("LUCKRIG_MODERATE_OUTPUT must be record, block or off")
    if not environ.get("LUCKRIG_MODERATION_URL") and (key is not None or output == "block"):
        problems.append(
            "LUCKRIG_MODERATION_URL must be set when LUCKRIG_MODERATION_KEY is,"
            " or when LUCKRIG_MODERATE_OUTPUT is block"
        )
    if problems:
        raise ValueError("; ".join(problems))
    if url is None:
        return None
    origin, path = url
    return ModerationSettings(
        origin=origin,
        path=path,
        folder=folder,
        key=key,
        model=model,
        timeout_seconds=timeout_seconds,
        output=cast(OutputMode, output),
    )


def _moderation_url(environ: Mapping[str, str], problems: list[str]) -> tuple[str, str] | None:
    """Origin and path, the path completed when only its beginning was given."""
    text = environ.get("LUCKRIG_MODERATION_URL")
    if not text:
        return None
    found = _URL.fullmatch(text)
    if found is None or len(text) > 500 or not is_origin(found["origin"]):
        problems.append(
            "LUCKRIG_MODERATION_URL must look like https://host[:port][/v1/moderations]"
        )
        return None
    path = found["path"]
    if not path.endswith("/moderations"):
        path += "/moderations" if path.endswith("/v1") else "/v1/moderations"
    return found["origin"], path


def _timeout_seconds(environ: Mapping[str, str], problems: list[str]) -> float:
    text = environ.get("LUCKRIG_MODERATION_TIMEOUT") or "5"
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 60:
        problems.append("LUCKRIG_MODERATION_TIMEOUT must be a number of seconds from 0.1 to 60")
    return value
