"""$LUCKRIG_HOME/config.toml: what an owner chose for their rig.

Flags of `luckrig node start` win over it, environment variables too. luckrig always writes the
whole file, every key with its comment; a file that it writes over is kept beside it as
config.toml.bak, since it may hold comments of the owner's own.
"""

import json
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from luckrig.cli.home import Home
from luckrig.cli.options import EngineType, ListenAddressType, parse_text
from luckrig.nodeproxy.hours import load_zone
from luckrig.nodeproxy.opening import Wishes
from luckrig.protocol.address import is_origin, parse_tracker_address
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.schedule import MAX_WINDOWS, Schedule, parse_windows
from luckrig.protocol.text import check_name, check_note

CONFIG_FILE: Final = "config.toml"
BACKUP_FILE: Final = "config.toml.bak"
MAX_CONFIG_BYTES: Final = 65_536

_Share = Annotated[int, msgspec.Meta(ge=1, le=100)]


class _Section(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    pass


class RigSection(_Section, frozen=True, kw_only=True):
    """What the rig is and where. None: not chosen."""

    name: str | None = None
    note: str | None = None
    engine: str | None = None
    models: Annotated[list[str], msgspec.Meta(min_length=1, max_length=64)] | None = None
    tracker: str | None = None
    listen: str | None = None
    endpoint: str | None = None
    tunnel: bool | None = None


class ScheduleSection(_Section, frozen=True, kw_only=True):
    """When it is open. open: windows, see protocol/schedule.py. timezone: the machine's if None."""

    open: Annotated[list[str], msgspec.Meta(max_length=MAX_WINDOWS)] | str | None = None
    timezone: str | None = None

    @property
    def windows(self) -> list[str]:
        """The windows' texts; none when the rig is always open."""
        texts = [self.open] if isinstance(self.open, str) else self.open or []
        return [text for text in texts if text.strip()]


class LimitsSection(_Section, frozen=True, kw_only=True):
    """How much it takes. None: the default, or no such limit."""

    max_active: Annotated[int, msgspec.Meta(ge=1, le=1024)] | None = None
    max_queue: Annotated[int, msgspec.Meta(ge=0, le=1024)] | None = None
    tokens_per_day: Annotated[int, msgspec.Meta(ge=1, le=10**12)] | None = None
    max_celsius: Annotated[float, msgspec.Meta(ge=20, le=120)] | None = None
    max_watts: Annotated[float, msgspec.Meta(ge=1, le=100_000)] | None = None


class IdleSection(_Section, frozen=True, kw_only=True):
    """Whether it only works while its owner doesn't. busy_percent: of the busiest GPU."""

    only: bool | None = None
    busy_percent: _Share | None = None


class Config(_Section, frozen=True, kw_only=True):
    """The whole file."""

    rig: RigSection = RigSection()
    schedule: ScheduleSection = ScheduleSection()
    limits: LimitsSection = LimitsSection()
    idle: IdleSection = IdleSection()

    def wishes(self, local_zone: str) -> Wishes:
        """What the owner wants. local_zone: the machine's time zone, if none was chosen."""
        timezone = self.schedule.timezone or local_zone
        schedule = None
        if self.schedule.windows:
            windows = parse_windows(self.schedule.windows)
            schedule = Schedule(windows=windows, timezone=timezone)
        percent = self.idle.busy_percent
        return Wishes(
            schedule=schedule,
            timezone=timezone,
            tokens_per_day=self.limits.tokens_per_day,
            max_celsius=self.limits.max_celsius,
            max_watts=self.limits.max_watts,
            idle_only=bool(self.idle.only),
            busy_share=Wishes().busy_share if percent is None else percent / 100,
        )


def config_path(home: Home) -> Path:
    """Where the file is, or would be."""
    return home.path / CONFIG_FILE


def read_config(path: Path) -> Config:
    """What is written there; nothing when there is no file.

    Raises LuckrigError with the file, the key and what is allowed.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        return Config()
    if len(content) > MAX_CONFIG_BYTES:
        raise _refused(path, f"longer than {MAX_CONFIG_BYTES} bytes")
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(path, f"no TOML: {error}") from error
    try:
        config = msgspec.convert(tables, Config)
    except msgspec.ValidationError as error:
        raise _refused(path, _explain(str(error))) from error
    check_config(config, source=str(path))
    return config


def check_config(config: Config, *, source: str) -> None:
    """What the types don't say. source: names it in errors. Raises LuckrigError."""
    rig, hours = config.rig, config.schedule
    checks: list[tuple[str, str | None, Callable[[str], object]]] = [
        ("rig.name", rig.name, partial(check_name, field="name")),
        ("rig.note", rig.note, partial(check_note, field="note")),
        ("rig.engine", rig.engine, partial(parse_text, EngineType())),
        ("rig.tracker", rig.tracker, parse_tracker_address),
        ("rig.listen", rig.listen, partial(parse_text, ListenAddressType())),
        ("rig.endpoint", rig.endpoint, _check_origin),
        ("schedule.open", ";".join(hours.windows) or None, lambda text: parse_windows([text])),
        ("schedule.timezone", hours.timezone, load_zone),
    ]
    for key, text, check in checks:
        try:
            if text is not None:
                check(text)
        except ValueError as error:
            raise _refused(source, f"{key}: {str(error).rstrip('.')}") from error
        except LuckrigError as error:
            raise _refused(source, f"{key}: {error.message.rstrip('.')}") from error


def write_config(path: Path, config: Config) -> Path | None:
    """Write the whole file, commented. Where one was with other content, it becomes a .bak.

    Returns where the file before is kept, None when there was none or the same one. Raises
    LuckrigError on what read_config would refuse, OSError.
    """
    check_config(config, source=str(path))
    content = config_text(config).encode("utf-8")
    home = Home(path.parent)
    kept = None
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        before = content
    if before != content:
        home.replace_file(BACKUP_FILE, before)
        kept = path.with_name(BACKUP_FILE)
    home.replace_file(path.name, content)
    return kept


def config_text(config: Config) -> str:
    """The file: each key with its comment; keys without a value as an example in a comment."""
    lines = list(_HEAD)
    chosen: dict[str, dict[str, Any]] = msgspec.to_builtins(config)
    for section, keys in _KEYS.items():
        lines += ["", f"[{section}]"]
        values = chosen.get(section, {})
        for key, (example, *comments) in keys.items():
            lines += [f"# {comment}" for comment in comments]
            is_set = values.get(key) is not None
            lines.append(
                f"{key} = {_toml(values[key])}" if is_set else f"# {key} = {_toml(example)}"
            )
    return "\n".join(lines) + "\n"


_HEAD: Final = (
    "# Your rig, your rules. luckrig reads this when the rig starts; flags of `luckrig node start`",
    "# win over it. A line that begins with # has no effect: take the # away to set it.",
    "# luckrig writes this file anew when you save a choice, and keeps yours as config.toml.bak.",
)
_KEYS: Final[dict[str, dict[str, tuple[Any, ...]]]] = {
    "rig": {
        "name": ("Attic 4090", "What the map calls it: 1 to 40 characters."),
        "note": ("320 W limit", "Tuning notes, for everybody to read: up to 4,000 characters."),
        "engine": ("auto", "auto, tiny, or its URL, such as http://127.0.0.1:11434."),
        "models": (["qwen3:8b"], "The only models to offer. Without it: all that the engine has."),
        "tracker": ("https://host#r1…", "The tracker's full address; its pages show it."),
        "listen": ("127.0.0.1:8788", "Where the rig listens."),
        "endpoint": ("https://rig.example", "Where clients reach it, if not where it listens."),
        "tunnel": (
            True,
            "Listen nowhere: connect to the tracker, which relays. Without it: listen.",
        ),
    },
    "schedule": {
        "open": (
            ["weekdays 22:00-07:00", "weekend 09:00-18:00"],
            "When it takes requests. Without it: always. Days: mon to sun, daily, weekdays,",
            "weekend. A window over midnight belongs to the day it begins on. The map shows it.",
        ),
        "timezone": ("Europe/Berlin", "Whose clock that is. Without it: this machine's."),
    },
    "limits": {
        "max_active": (2, "Requests at the engine at once. Without it: as many as it can run."),
        "max_queue": (32, "Requests waiting for their turn, 0 to 1024."),
        "tokens_per_day": (1_000_000, "Prompt and reply together; your own requests don't count."),
        "max_celsius": (80.0, "The hottest GPU's temperature from which on nothing new comes in."),
        "max_watts": (350.0, "The same for the power that all GPUs draw."),
    },
    "idle": {
        "only": (True, "Whether it closes while you use the GPU yourself."),
        "busy_percent": (30, "From how much use of the busiest GPU on, 1 to 100."),
    },
}


def _toml(value: object) -> str:
    """A value as TOML writes it. JSON's strings are TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _check_origin(text: str) -> None:
    if not is_origin(text):
        raise ValueError("an endpoint looks like https://host[:port]")


def _explain(error: str) -> str:
    """msgspec's words in ours: the key first, and the keys that exist for one that doesn't."""
    what, _, where = error.partition(" - at `$")
    section = where.strip("`").strip(".")
    if "unknown field" not in what:
        return f"{section}: {what[0].lower()}{what[1:].replace(' | null', '')}"
    unknown = what.rpartition("unknown field ")[2].strip("`")
    known = _KEYS[section] if section in _KEYS else _KEYS
    key = f"{section}.{unknown}" if section else unknown
    return f"{key} is no key; there are {', '.join(known)}"


def _refused(source: object, why: str) -> LuckrigError:
    return LuckrigError("invalid_request", f"{source}: {why}.")
