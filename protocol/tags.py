"""Tags of a rig: the #words in its owner's note, nothing else. No field of their own is signed."""

import re
import unicodedata
from typing import Final

MAX_TAGS: Final = 8
"""Of one rig; the words after these are just words."""
MAX_TAG_CHARS: Final = 30

_TAG: Final = re.compile(rf"(?<![\w#\uff03&/])[#\uff03](\w[\w-]{{0,{MAX_TAG_CHARS - 1}}})(?![\w-])")
"""Not inside a word or an address (C#8, page/#top), and never the beginning of a longer one."""


def tags_of(note: str) -> list[str]:
    """The tags of a note as it spells them, without #, in its order; MAX_TAGS at most.

    A number alone is none (#1 counts something). Of two spellings the first one stays.
    """
    found: dict[str, str] = {}
    for tag in _TAG.findall(note):
        if not tag.replace("-", "").isdecimal():
            found.setdefault(tag_key(tag), tag)
        if len(found) == MAX_TAGS:
            break
    return list(found.values())


def tag_key(tag: str) -> str:
    """`Quiet`, `#quiet` and the full-width spelling are one tag."""
    return unicodedata.normalize("NFKC", tag).strip().removeprefix("#").casefold()
