"""The views of one text that rules look at, because the same words can be spelled many ways."""

import unicodedata
from collections.abc import Callable
from typing import Final

_INVISIBLE: Final = frozenset({"Cf", "Mn", "Me", "Cc", "Co"})
_KEPT: Final = frozenset("\n\t\r\u3099\u309a")
"""White space, and the voicing marks of kana: without them Japanese words become other words."""


def folded(text: str) -> str:
    """Compatibility-normalised, case-folded, without invisible characters and accents.

    Full-width letters, zero-width joiners inside words, variation selectors and combining marks
    all disappear.
    """
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text)
    kept = (
        character
        for character in decomposed
        if character in _KEPT or unicodedata.category(character) not in _INVISIBLE
    )
    # NFKD took voiced kana and Hangul apart; NFKC puts them together again.
    return unicodedata.normalize("NFKC", "".join(kept)).casefold()


VIEWS: Final[tuple[Callable[[str], str], ...]] = (folded,)
"""In the order they are tried. More views make evasion dearer; each costs time on every request."""
