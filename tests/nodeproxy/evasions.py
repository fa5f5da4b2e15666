"""36 ways to write a phrase so that a plain search misses it, each as a function."""

import base64
import codecs
import html
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Final

from luckrig.nodeproxy.filters.tables import MORSE
from luckrig.nodeproxy.filters.views import SEAM

ZERO_WIDTH = "\u200b"


def _mapped(letters: str, signs: str) -> Callable[[str], str]:
    table = str.maketrans(dict(zip(letters, signs.split(), strict=True)))
    return lambda text: text.translate(table)


def _alphabet(first: int) -> Callable[[str], str]:
    return lambda text: "".join(
        chr(first + ord(letter) - ord("a")) if "a" <= letter <= "z" else letter for letter in text
    )


def _between(sign: str) -> Callable[[str], str]:
    """The sign between the letters of each word."""
    return lambda text: " ".join(sign.join(word) for word in text.split(" "))


def _selectors(text: str) -> str:
    return "😀" + "".join(
        chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16) for byte in text.encode()
    )


def _morse(text: str) -> str:
    signs = {letter: sign for sign, letter in MORSE.items()}
    return " / ".join(" ".join(signs[letter] for letter in word) for word in text.split())


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


EVASIONS: Final[Mapping[str, Callable[[str], str]]] = {
    "as it is": str,
    "upper case": str.upper,
    "alternating case": lambda text: "".join(
        letter.upper() if number % 2 else letter for number, letter in enumerate(text)
    ),
    "full width": lambda text: text.translate({code: code + 0xFEE0 for code in range(0x61, 0x7B)}),
    "mathematical bold": _alphabet(0x1D41A),
    "circled letters": _alphabet(0x24D0),
    "white on black squares": _alphabet(0x1F170),
    "regional indicators": _alphabet(0x1F1E6),
    "small capitals": _mapped("abcdeot", "ᴀ ʙ ᴄ ᴅ ᴇ ᴏ ᴛ"),
    "zero width between letters": _between(ZERO_WIDTH),
    "soft hyphens": _between("\u00ad"),
    "zalgo": lambda text: "".join(letter + "\u0336\u0315\u0321" for letter in text),
    "accents": _mapped("aeioucn", "á ë ï ö ü ç ñ"),
    "Cyrillic look-alikes": _mapped("aeocpxi", "а е о с р х і"),
    "Greek look-alikes": _mapped("aoipktv", "α ο ι ρ κ τ ν"),
    "dots between letters": _between("."),
    "spaces between letters": lambda text: "   ".join(" ".join(word) for word in text.split()),
    "spaces between all letters": lambda text: " ".join(text.replace(" ", "")),
    "hyphens and dots between letters": _between("-."),
    "underscores between letters": _between("_"),
    "new lines between letters": lambda text: "\n".join(text.replace(" ", "")),
    "leet digits": _mapped("aeiots", "4 3 1 0 7 5"),
    "leet digits, 1 for l": _mapped("aelots", "4 3 1 0 7 5"),
    "leet signs": _mapped("aist", "@ ! $ +"),
    "signs as letters": _mapped("cdhkotx", "( |) |-| |< () 7 ><"),
    "stretched letters": lambda text: "".join(letter * 3 for letter in text),
    "reversed": lambda text: text[::-1],
    "words reversed": lambda text: " ".join(word[::-1] for word in text.split()),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "tag characters": lambda text: "".join(chr(0xE0000 + ord(letter)) for letter in text),
    "variation selectors": _selectors,
    "base64 of base64": lambda text: _base64(_base64(text).encode().decode()),
    "hexadecimal": lambda text: text.encode().hex(" "),
    "percent signs and entities": lambda text: html.escape(
        "".join(f"%{ord(letter):02x}" for letter in text[:9])
    ) + "".join(f"&#{ord(letter)};" for letter in text[9:]),
    "escapes of programs": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "Morse": _morse,
}  # fmt: skip

SPLIT: Final[Mapping[str, Callable[[str], str]]] = {
    "over two messages": lambda text: text.replace(" ", SEAM),
    "inside a word": lambda text: text[:3] + SEAM + text[3:],
    "a letter for each message": SEAM.join,
    "percent signs alone": urllib.parse.quote,
}
