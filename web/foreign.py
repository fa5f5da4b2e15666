"""Texts that strangers wrote, on their way into a page.

Three lines of defence. The protocol refuses deceptive text at the door (protocol/text.py);
`clean`, run on every value that a template prints, makes what slips through visible; autoescape
makes it text. Reordering stops at `<bdi>` in HTML and at `isolate` where no element may stand
(`<title>`, attributes, SVG).
"""

import unicodedata
from typing import Final

from markupsafe import Markup, escape

REPLACEMENT: Final = "\ufffd"
NOTE_EXCERPT_CHARS: Final = 180

_FSI: Final = "\u2068"
_PDI: Final = "\u2069"
_UNSAFE_CATEGORIES: Final = frozenset(("Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"))


def clean(text: str) -> str:
    """The text with every control, invisible and variation-selector character replaced by U+FFFD.

    Line feeds and tabs stay. Replaced, not dropped: a reader should see that something was there.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_plain(character) else REPLACEMENT for character in text)


def finalize(value: object) -> object:
    """Jinja's hook for every printed value: cleans texts, leaves finished markup alone."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return clean(value)
    return value


def isolate(text: str) -> Markup:
    """The text, cleaned, escaped and held in a bidi isolate (FSI … PDI)."""
    return Markup(f"{_FSI}{escape(clean(text))}{_PDI}")  # noqa: S704 -- escaped within


def excerpt(note: str, max_chars: int = NOTE_EXCERPT_CHARS) -> str:
    """The start of a note as one line, cut between words where it has any."""
    line = " ".join(note[: 8 * max_chars].split())
    if len(line) <= max_chars:
        return line
    cut = line[: max_chars - 1]
    at_word, _, _ = cut.rpartition(" ")
    return f"{at_word if len(at_word) > max_chars // 2 else cut}…"


def _is_plain(character: str) -> bool:
    if character in "\n\t":
        return True
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return False
    return unicodedata.category(character) not in _UNSAFE_CATEGORIES
