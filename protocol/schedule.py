"""Opening hours of a rig: their words, and the data that its descriptor carries.

    weekdays 22:00-07:00; weekend 09:00-18:00; mon,wed 20:00-23:30

Each window names days and two times of the rig's own clock. One that ends at or before its
beginning goes over midnight and belongs to the day on which it begins. `24:00` is the day's end.
What these times are as instants is computed by the rig alone: nodeproxy/hours.py.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal, cast, get_args

import msgspec

from luckrig.protocol.errors import PeerError

MAX_WINDOWS: Final = 16
MAX_TEXT_CHARS: Final = 1000

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: Final[tuple[Weekday, ...]] = get_args(Weekday)

_GROUPS: Final[dict[str, tuple[Weekday, ...]]] = {
    "daily": WEEK,
    "weekdays": WEEK[:5],
    "weekend": WEEK[5:],
}
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_WINDOW: Final = re.compile(
    rf"(?P<days>[a-z]+(?:\s*,\s*[a-z]+)*)\s+(?P<opens>{_CLOCK})\s*[-–]\s*"  # noqa: RUF001
    rf"(?P<closes>{_CLOCK}|24:00)"
)
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")


class OpenWindow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open from `opens` to `closes`, on each of these days. closes <= opens: until the next day."""

    days: Annotated[list[Weekday], msgspec.Meta(min_length=1, max_length=7)]
    opens: Annotated[str, msgspec.Meta(pattern=rf"^{_CLOCK}$", max_length=5)]
    closes: Annotated[str, msgspec.Meta(pattern=rf"^(?:{_CLOCK}|24:00)$", max_length=5)]


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a rig is open. timezone: an IANA name, such as Europe/Berlin."""

    windows: Annotated[list[OpenWindow], msgspec.Meta(min_length=1, max_length=MAX_WINDOWS)]
    timezone: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


def parse_windows(texts: Sequence[str]) -> list[OpenWindow]:
    """The windows that people write, each text one or several with ";" between them.

    Raises ValueError with the window that can't be read and what one looks like.
    """
    if sum(map(len, texts)) > MAX_TEXT_CHARS:
        raise ValueError(f"opening hours have at most {MAX_TEXT_CHARS} characters")
    parts = [part.strip() for text in texts for part in text.split(";") if part.strip()]
    if not parts:
        raise ValueError("opening hours need a window such as 'weekdays 22:00-07:00'")
    if len(parts) > MAX_WINDOWS:
        raise ValueError(f"opening hours have at most {MAX_WINDOWS} windows")
    return [_parse_window(part) for part in parts]


def _parse_window(text: str) -> OpenWindow:
    found = _WINDOW.fullmatch(text.lower())
    if found is None:
        raise ValueError(f"{text!r} is no window; one looks like 'weekdays 22:00-07:00'")
    names = {name.strip() for name in found["days"].split(",")}
    if unknown := names - {*_GROUPS, *WEEK}:
        raise ValueError(
            f"{sorted(unknown)[0]!r} is no day; days are {', '.join(WEEK)}, {', '.join(_GROUPS)}"
        )
    chosen = {day for name in names for day in _GROUPS.get(name, (cast(Weekday, name),))}
    window = OpenWindow(
        days=[day for day in WEEK if day in chosen], opens=found["opens"], closes=found["closes"]
    )
    if window.opens == window.closes:
        raise ValueError(f"{text!r} opens and closes at once; a whole day is 00:00-24:00")
    return window


def describe_windows(windows: Sequence[OpenWindow]) -> str:
    """The windows in words that parse_windows reads again: the same days and times."""
    return "; ".join(
        f"{','.join(name_days(window.days))} {window.opens}-{window.closes}" for window in windows
    )


def name_days(days: Sequence[Weekday]) -> list[str]:
    """The shortest names of these days: one of "daily", "weekdays", "weekend", or each day's."""
    named = [name for name, group in _GROUPS.items() if set(group) == set(days)]
    return named[:1] or list(days)


def check_schedule(schedule: Schedule, *, field: str) -> None:
    """What the types don't say: real windows, and a zone that is a name and nothing else.

    Raises PeerError invalid_request. Whether the zone exists depends on the machine, so that isn't
    asked.
    """
    if _ZONE.fullmatch(schedule.timezone) is None:
        raise _refused(f"{field}.timezone", "A time zone has a name such as Europe/Berlin.")
    for index, window in enumerate(schedule.windows):
        if window.opens == window.closes or len(set(window.days)) != len(window.days):
            raise _refused(
                f"{field}.windows[{index}]",
                "A window lasts some time, and names each day once.",
            )


def _refused(param: str, message: str) -> PeerError:
    return PeerError("invalid_request", message, param=param)
