"""How numbers and times read on a page. Pure functions; every one has a table in the tests.

Those that make sentences are told in which language: their words stand under `shared` in words/.
Nothing here rounds a claim up: what can't be written short exactly is written out.
"""

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

from luckrig.protocol.descriptor import Capability
from luckrig.protocol.wire import NodeStatus, NodeView
from luckrig.web.languages import Words

_GIB: Final = 2**30
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

STATUSES: Final[tuple[NodeStatus, ...]] = (
    "available", "busy", "starting", "paused", "unavailable", "unknown",
)  # fmt: skip
"""In the order in which pages list them: those that answer first."""


class Scarcity(NamedTuple):
    """word: one of `shared.scarcity` in the page's language. percent: 0 to 100."""

    word: str
    percent: int


_SCARCITY_STEPS: Final = (
    (100, "only_one"),
    (80, "very_rare"),
    (55, "rare"),
    (30, "uncommon"),
    (0, "common"),
)
"""Lower bound in percent, and its key. "only one" states a fact, so 99 % is not enough."""


class HardwareName(NamedTuple):
    """A hardware name cut for typography; the parts joined are the name, letter for letter."""

    times: str
    maker: str
    model: str
    tail: str


_HARDWARE: Final = re.compile(
    r"(?P<times>\d+\s*[\u00d7x]\s+)?"
    r"(?P<maker>(?:\d+th Gen )?(?:NVIDIA|AMD|Intel(?:\(R\))?|Apple|Qualcomm)\s+"
    r"(?:(?:GeForce|Radeon)\s+)?)?"
    r"(?P<model>\S.*?)"
    r"(?P<tail>\s(?:Model \w Rev\b.*|\d+-Core Processor|CPU @ .*|@ .*|with Radeon .*))?"
)


def format_bytes(size_bytes: int) -> str:
    """Memory as it is sold: 25_769_803_776 -> "24 GB" (binary, like every data sheet of a GPU).

    One decimal below 10 GB, because 7.9 GB of 8 is what a small board really has.
    """
    gib = size_bytes / _GIB
    if gib >= 1023.5:
        return f"{_short(gib / 1024)} TB"
    if gib >= 0.95:
        return f"{_short(gib) if gib < 9.95 else round(gib)} GB"
    return f"{max(1, round(size_bytes / 2**20))} MB"


def format_tokens(tokens: int) -> str:
    """A context length: 32_768 -> "32k", 1_048_576 -> "1M", 32_000 -> "32k", 5_555 -> "5,555"."""
    for unit, suffix in ((2**20, "M"), (10**6, "M"), (2**10, "k"), (10**3, "k")):
        if tokens >= unit and tokens % unit == 0:
            return f"{tokens // unit}{suffix}"
    return f"{tokens:,}"


def format_parameters(parameters: int) -> str:
    """How many weights: 7_600_000_000 -> "7.6B", 494_000_000 -> "494M"."""
    for unit, suffix in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k")):
        # 999,960,000 would print as "1000M"; it is 1B to one decimal.
        if parameters >= unit * 0.9995:
            value = parameters / unit
            return f"{round(value) if value >= 99.95 else _short(value)}{suffix}"
    return str(parameters)


def format_age(at: int, now: int, words: Words) -> str:
    """A Unix time seen from `now`: "12 s ago", "3 min ago", "5 h ago", "4 days ago", a date.

    Times in the future (clocks differ) are "just now". static/app.js holds the same steps.
    """
    age = now - at
    if age < 5:
        return words("shared.live.just_now")
    if age < _MINUTE:
        return words("shared.live.seconds_ago", n=age)
    if age < _HOUR:
        return words("shared.live.minutes_ago", n=age // _MINUTE)
    if age < 2 * _DAY:
        return words("shared.live.hours_ago", n=age // _HOUR)
    if age < 30 * _DAY:
        return words("shared.live.days_ago", n=age // _DAY)
    return _utc(at).strftime("%Y-%m-%d")


def format_time(at: int) -> str:
    """Unix seconds -> "2026-11-20 23:18 UTC"."""
    return _utc(at).strftime("%Y-%m-%d %H:%M UTC")


def format_day(at: int) -> str:
    """Unix seconds -> "2026-11-20", UTC."""
    return _utc(at).strftime("%Y-%m-%d")


def format_iso_time(at: int) -> str:
    """Unix seconds -> "2026-11-20T23:18:07Z", for machines."""
    return f"{_utc(at).replace(tzinfo=None).isoformat()}Z"  # a tenth of what strftime costs


def describe_scarcity(scarcity: float, words: Words) -> Scarcity:
    """0 (everybody has one) to 1 (the only one), as a word and a percentage."""
    percent = scarcity_percent(scarcity)
    key = next(key for bound, key in _SCARCITY_STEPS if percent >= bound)
    return Scarcity(words(f"shared.scarcity.{key}"), percent)


def scarcity_percent(scarcity: float) -> int:
    """0 to 100, rounded down: 0.999 is one of few, not the only one."""
    return int(min(1.0, max(0.0, scarcity)) * 100 + 1e-9)


def describe_queue(node: NodeView, words: Words) -> str:
    """What a newcomer would meet: "idle, 2 slots free", "4 of 4 slots busy, 3 waiting".

    Empty while the rig takes no requests: an old queue says nothing then.
    """
    queue = node.queue
    if queue is None or node.status not in ("available", "busy"):
        return ""
    slots = queue.max_active
    if queue.active == 0 and queue.waiting == 0:
        return words("shared.live.idle", n=slots)
    if queue.waiting == 0:
        return words("shared.live.slots", n=slots, active=queue.active)
    return words("shared.live.waiting", n=slots, active=queue.active, waiting=queue.waiting)


def describe_capability(capability: Capability, words: Words) -> str:
    """What a model can do: "chat"."""
    return words(f"shared.capability.{capability}")


def format_number(number: int) -> str:
    """1200 -> "1,200"."""
    return f"{number:,}"


def count(number: int, noun: str, words: Words) -> str:
    """1 -> "1 rig", 1200 -> "1,200 rigs". noun: one of `shared.count` in the languages."""
    return words(f"shared.count.{noun}", n=number)


def short_id(node_id: str) -> str:
    """The first 8 characters of an id's hash: enough to tell rigs of one name apart by eye."""
    return node_id[2:10]


def group_id(full_id: str) -> list[str]:
    """A whole id in pieces that eyes can compare: kind, then eights."""
    return [full_id[:2], *(full_id[at : at + 8] for at in range(2, len(full_id), 8))]


def split_hardware_name(name: str) -> HardwareName:
    """ "2 x NVIDIA GeForce RTX 3090" -> ("2 x ", "NVIDIA GeForce ", "RTX 3090", "").

    A page sets times and model large, maker and tail small. A name of unknown make stays whole.
    """
    match = _HARDWARE.fullmatch(name)
    if match is None:
        return HardwareName("", "", name, "")
    return HardwareName(
        match["times"] or "", match["maker"] or "", match["model"], match["tail"] or ""
    )


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _utc(at: int) -> datetime:
    return datetime.fromtimestamp(at, tz=UTC)
