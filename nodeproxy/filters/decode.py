"""Texts hidden in a text: encodings, and characters that nobody sees.

One pass of an automaton says which encodings a text may hold, so ordinary text costs little. What
comes out is never longer than what went in.
"""

import binascii
import html
import re
import urllib.parse
from collections.abc import Iterable, Sequence
from typing import Final, Literal, get_args

from luckrig.nodeproxy.filters import tables
from luckrig.nodeproxy.filters.automaton import Automaton

MAX_HIDDEN_RUN: Final = 8
"""Variation selectors or tag characters in a row that may stand in an honest text. An emoji has one
selector, a letter of Han one; the flag of England has six tags."""

# What RE2 reads as well: classes written out, no \s.
_BLANK: Final = "\t-\r\x1c-\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_BASE64_LETTERS: Final = str.maketrans("-_", "+/", "\r\n")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*")
_HEX_PAIR: Final = rf"[0-9A-Fa-f]{{2}}[{_BLANK},:;-]{{0,2}}"
_HEX_FOUND: Final = rf"(?:(?:0x|\\x)?{_HEX_PAIR}){{6}}"
_HEX: Final = re.compile(rf"{_HEX_PAIR}+(?:(?:0x|\\x)?+{_HEX_PAIR}+){{5,}}+")
"""Possessive, and the first pair without its prefix: four times as fast on a table of numbers."""
_HEX_SEPARATORS: Final = re.compile(r"[^0-9A-Fa-f]+")
_ESCAPE: Final = re.compile(
    r"\\u\{([0-9A-Fa-f]{1,6})\}|\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|\\U([0-9A-Fa-f]{8})"
    rf"|[Uu]\+([0-9A-Fa-f]{{4,6}})[{_BLANK}]?"
)
_ENTITY_OR_PERCENT: Final = "&[#A-Za-z]|%[0-9A-Fa-f]{2}"
_MORSE_RUN: Final = re.compile(r"[.·•\-−–—_]{1,5}(?:[ \t\n/|]+[.·•\-−–—_]{1,5}){4,}")
_MORSE_BLANK: Final = re.compile(r"\s{2,}|\s*[/|\n]\s*")
_MORSE_SIGNS: Final = {ord("·"): ".", ord("•"): "."} | dict.fromkeys(map(ord, "−–—_"), "-")
_SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_TAGS: Final = "\U000e0000-\U000e007f"
_ANY_SELECTOR: Final = re.compile(f"[{_SELECTORS}]")
_TAG_RUN: Final = re.compile(f"[{_TAGS}]+")
_SIGNS: Final = re.compile(
    "|".join(re.escape(sign) for sign in tables.SIGN_LETTERS if len(sign) > 1)
)
_SIGN: Final = {ord(sign): letter for sign, letter in tables.SIGN_LETTERS.items() if len(sign) == 1}
_ASCII_RUN: Final = re.compile(rb"[\n\x20-\x7e]{6,}")

Encoding = Literal["base64", "hex", "escapes", "morse", "signs", "selectors", "tags", "smuggled"]
_FOUND_BY: Final[dict[Encoding, str]] = {
    "base64": "[A-Za-z0-9+/_-]{16}",
    "hex": _HEX_FOUND,
    "escapes": f"{_ENTITY_OR_PERCENT}|{_ESCAPE.pattern}",
    "morse": _MORSE_RUN.pattern,
    "signs": r"[|\\]",
    "selectors": _ANY_SELECTOR.pattern,
    "tags": _TAG_RUN.pattern,
    "smuggled": f"[{_SELECTORS}]{{{MAX_HIDDEN_RUN + 1}}}|[{_TAGS}]{{{MAX_HIDDEN_RUN + 1}}}",
}


_NONE: Final[Sequence[Encoding]] = ()


class Decoder:
    """Finds and decodes. Safe to use from several threads."""

    def __init__(self) -> None:
        """Compiles the automaton: some ms."""
        self._automaton = Automaton(_FOUND_BY[name] for name in get_args(Encoding))

    def encodings(self, text: str) -> Sequence[Encoding]:
        """What the text may hold. smuggled: invisible characters stand in a row that no emoji, flag
        or letter of Han explains."""
        found = self._automaton.found(text.encode("utf-8", "replace"))
        if len(found) == 1:
            return _NONE
        return [name for number, name in enumerate(_FOUND_BY) if number in found]


def decoded(text: str, encoding: Encoding) -> str:
    """What the text holds in an encoding; the whole text, decoded, where it's mixed with others."""
    match encoding:
        case "base64":
            return _readable(map(_from_base64, _BASE64.findall(text)))
        case "hex":
            return _readable(map(_from_hex, _HEX.findall(text)))
        case "escapes":
            return _unescaped(text)
        case "morse":
            return "\n".join(map(_from_morse, _MORSE_RUN.findall(text)))
        case "signs":
            return _SIGNS.sub(_sign_letter, text).translate(_SIGN)
        case "selectors":
            return _from_selectors(text)
        case "tags":
            return _TAG_RUN.sub(_from_tags, text)
        case "smuggled":
            return ""


def _readable(runs: Iterable[bytes]) -> str:
    """Runs of UTF-8 as they are; of other bytes, such as those of an image, the runs of ASCII."""
    texts: list[str] = []
    others: list[bytes] = []
    for run in runs:
        try:
            texts.append(run.decode("utf-8"))
        except UnicodeDecodeError:
            others.append(run)
    if others:
        joined = b"\n".join(others).replace(b"\0", b"")
        texts.append(b"\n".join(_ASCII_RUN.findall(joined)).decode("ascii"))
    return "\n".join(texts)


def _from_base64(run: str) -> bytes:
    letters = run.translate(_BASE64_LETTERS)
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return binascii.a2b_base64(letters + "=" * (-len(letters) % 4))
    except binascii.Error:
        return b""


def _from_hex(run: str) -> bytes:
    digits = _HEX_SEPARATORS.sub("", run.replace("0x", ""))
    return bytes.fromhex(digits[: len(digits) & ~1])


def _unescaped(text: str) -> str:
    """HTML's entities, URLs' percent signs and programs' backslashes, each once."""
    if "&" in text:
        text = html.unescape(text)
    if "%" in text:
        text = urllib.parse.unquote(text)
    return _ESCAPE.sub(_escaped, text)


def _escaped(escape: re.Match[str]) -> str:
    code = int(next(filter(None, escape.groups())), 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else ""


def _from_morse(run: str) -> str:
    words = _MORSE_BLANK.split(run.translate(_MORSE_SIGNS))
    return " ".join("".join(tables.MORSE.get(sign, "") for sign in word.split()) for word in words)


def _sign_letter(signs: re.Match[str]) -> str:
    return tables.SIGN_LETTERS[signs[0]]


def _from_selectors(text: str) -> str:
    """One byte per selector. U+FE0E and U+FE0F are what emoji have."""
    codes = map(ord, _ANY_SELECTOR.findall(text))
    data = bytes(code - 0xFE00 if code < 0xE0000 else code - 0xE0100 + 16 for code in codes)
    return _readable([data])


def _from_tags(run: re.Match[str]) -> str:
    return "".join(chr(ord(tag) - 0xE0000) for tag in run[0] if 0x20 <= ord(tag) - 0xE0000 < 0x7F)
