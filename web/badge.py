"""A badge that says how a rig is, as an SVG of some 700 bytes for other people's pages.

It asks for nothing: no script, no style, no font, no picture. A viewer may lack the fonts, so each
text is told how wide it may be.
"""

import unicodedata
from collections.abc import Mapping
from typing import Final

from markupsafe import Markup, escape

from luckrig.protocol.wire import NodeStatus
from luckrig.web.foreign import REPLACEMENT, clean
from luckrig.web.languages import english

MEDIA_TYPE: Final = "image/svg+xml"
MAX_LABEL_CHARS: Final = 32

_COLOURS: Final[Mapping[NodeStatus, str]] = {
    "available": "#1f7a3d",
    "busy": "#8a5a00",
    "starting": "#2a5d9f",
    "paused": "#5a5f66",
    "unavailable": "#a3302a",
    "unknown": "#5a5f66",
}
"""Each has a contrast of at least 5 to white."""
_GREY: Final = "#5a5f66"
_LABEL_COLOUR: Final = "#30343a"

_PADDING: Final = 6
_NARROW: Final = frozenset(" ijlIft.,:;|!'()[]/-")
_WIDE: Final = frozenset("mwMW@%")

_BADGE: Final = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img"'
    ' aria-label="{label}: {value}"><title>{label}: {value}</title>'
    '<rect width="{width}" height="20" rx="3" fill="{left}"/>'
    '<path d="M{split} 0h{rest}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{rest}z" fill="{right}"/>'
    '<g fill="#fff" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">'
    '<text x="6" y="14" textLength="{label_width}" lengthAdjust="spacingAndGlyphs">{label}</text>'
    '<text x="{value_x}" y="14" textLength="{value_width}" lengthAdjust="spacingAndGlyphs">'
    "{value}</text></g></svg>"
)


def draw_badge(label: str, status: NodeStatus | None) -> str:
    """label: what stands on the left, from anybody. status: None for a rig that isn't here."""
    # In English wherever it is shown: the page around it isn't ours, and caches keep one badge.
    value = "not on the map" if status is None else str(english()(f"shared.status.{status}"))
    shown = _shown(label)
    label_width, value_width = _width(shown), _width(value)
    split = label_width + 2 * _PADDING
    width = split + value_width + 2 * _PADDING
    picture = _BADGE.format(
        label=escape(shown),
        value=value,
        width=width,
        split=split,
        rest=width - split - 3,
        left=_LABEL_COLOUR,
        right=_GREY if status is None else _COLOURS[status],
        label_width=label_width,
        value_x=split + _PADDING,
        value_width=value_width,
    )
    return str(picture)


def _shown(label: str) -> str:
    """One short line that XML may hold; an SVG's text can't be held in a bidi isolate."""
    line = " ".join(clean(label[: 8 * MAX_LABEL_CHARS]).split())
    marks = sum(unicodedata.combining(character) > 0 for character in line)
    if marks > len(line) // 2:  # a pile of accents is as high as a page
        line = "".join(c for c in line if not unicodedata.combining(c))
    cut = line if len(line) <= MAX_LABEL_CHARS else f"{line[: MAX_LABEL_CHARS - 1]}…"
    return cut or REPLACEMENT


def _width(text: str) -> int:
    """About how wide the text is in Verdana of 11 px, in px."""
    return max(1, round(sum(map(_character_width, text))))


def _character_width(character: str) -> float:
    if unicodedata.combining(character):
        return 0
    if unicodedata.east_asian_width(character) in ("W", "F"):
        return 11
    if character in _WIDE:
        return 10
    if character in _NARROW:
        return 4.2
    return 7.6 if character.isupper() else 6.7
