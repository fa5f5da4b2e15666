"""Public texts: names, notes, hardware and model names that strangers will read.

Text can lie about itself: right-to-left overrides reorder it, zero-width and variation-selector
characters hide in it, stacked marks smear over its neighbours. Such text is refused, with the
reason, rather than cleaned: a name that silently changes is a second surprise.
"""

import unicodedata
from typing import Final

from luckrig.protocol.errors import PeerError

MAX_NAME_CHARS: Final = 40
MAX_LABEL_CHARS: Final = 120
"""Hardware, model and engine names: long ones exist ("NVIDIA RTX PRO 6000 Blackwell …")."""
MAX_NOTE_CHARS: Final = 4000

_MIXABLE: Final = {
    "LATIN",
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "KATAKANA-HIRAGANA",
    "HANGUL",
    "BOPOMOFO",
    "IDEOGRAPHIC",
}
"""Latin and East Asia's; `ー` alone is both kinds of kana, `々` is an ideographic mark."""

MAX_COMBINING_MARKS: Final = 2
"""Per base character. Vietnamese needs two; more is decoration that covers other lines."""

_REFUSED_CATEGORIES: Final = {
    "Cc": "control characters",
    "Cf": "invisible formatting characters",
    "Co": "private-use characters",
    "Cs": "lone surrogates",
    "Cn": "unassigned characters",
    "Zl": "line separators",
    "Zp": "paragraph separators",
}


def check_name(text: str, *, field: str) -> None:
    """Refuse a name that is empty, too long, not one line, or deceptive."""
    _check(text, field=field, max_chars=MAX_NAME_CHARS)


def check_label(text: str, *, field: str) -> None:
    """The same for hardware, model and engine names, which may be longer."""
    _check(text, field=field, max_chars=MAX_LABEL_CHARS)


def check_note(text: str, *, field: str) -> None:
    """Refuse a note that is too long or deceptive. It may be empty and have lines and tabs."""
    if len(text) > MAX_NOTE_CHARS:
        raise _refused(field, f"is longer than {MAX_NOTE_CHARS} characters")
    _check_characters(text.replace("\n", " ").replace("\t", " "), field)


def _check(text: str, *, field: str, max_chars: int) -> None:
    if not text or text != text.strip():
        raise _refused(field, "is empty, or starts or ends with a space")
    if len(text) > max_chars:
        raise _refused(field, f"is longer than {max_chars} characters")
    _check_characters(text, field)
    _check_scripts(text, field)


def _check_scripts(text: str, field: str) -> None:
    """Refuse letters that pass for others: a Cyrillic one in a Latin word, a bold or wide one.

    A name is written in one script, or in Latin together with those of East Asia, which nobody
    mistakes for each other. Two names may still look alike in two scripts, all Latin and all
    Cyrillic: pages show a part of the id next to every name.
    """
    if text.isascii():
        return
    scripts: set[str] = set()
    for character in text:
        if not character.isalpha():
            continue
        if unicodedata.normalize("NFKC", character) != character:
            raise _refused(field, f"holds {character!r}, a decorated letter; write it plainly")
        scripts.add(_script_of(character))
    if len(scripts) > 1 and not scripts <= _MIXABLE:
        found = ", ".join(sorted(script.capitalize() for script in scripts))
        raise _refused(field, f"mixes the letters of several scripts ({found})")


def _script_of(character: str) -> str:
    """The script of a letter, as the first word of its Unicode name says it."""
    return unicodedata.name(character).split()[0]


def _check_characters(text: str, field: str) -> None:
    if text.isascii() and text.isprintable():
        return
    if unicodedata.normalize("NFC", text) != text:
        raise _refused(field, "is not in Unicode normal form NFC")
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in _REFUSED_CATEGORIES:
            raise _refused(field, f"holds {_REFUSED_CATEGORIES[category]}")
        if _is_variation_selector(character):
            raise _refused(field, "holds variation selectors")
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > MAX_COMBINING_MARKS:
            raise _refused(field, "stacks more than two marks on one character")


def _is_variation_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _refused(field: str, why: str) -> PeerError:
    return PeerError("unsafe_text", f"{field} {why}.", param=field)
