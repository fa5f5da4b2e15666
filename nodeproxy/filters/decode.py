"""Texts hidden in a text: encodings, and characters that nobody sees.

Each decoder looks for a sign of its encoding first, so ordinary text costs little. What comes out
is never longer than what went in.
"""

import base64
import binascii
import html
import re
import urllib.parse
from collections.abc import Iterator
from typing import Final

from luckrig.nodeproxy.filters import tables

MAX_HIDDEN_RUN: Final = 8
"""Variation selectors or tag characters in a row that may stand in an honest text. An emoji has one
selector, a letter of Han one; the flag of England has six tags."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*")
_HEX: Final = re.compile(r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[\s,:;-]{0,2}){6,}")
_HEX_PREFIX: Final = re.compile(r"0x|\\x|[^0-9A-Fa-f]")
_ESCAPE: Final = re.compile(
    r"\\u\{([0-9A-Fa-f]{1,6})\}|\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|\\U([0-9A-Fa-f]{8})"
    r"|[Uu]\+([0-9A-Fa-f]{4,6})\s?"
)
_MORSE_RUN: Final = re.compile(r"[.·•\-−–—_]{1,5}(?:[ \t\n/|]+[.·•\-−–—_]{1,5}){4,}")
_MORSE_BLANK: Final = re.compile(r"\s{2,}|\s*[/|\n]\s*")
_MORSE_SIGNS: Final = {ord("·"): ".", ord("•"): "."} | dict.fromkeys(map(ord, "−–—_"), "-")
_SELECTORS: Final = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_TAGS: Final = "\U000e0000-\U000e007f"
_HIDDEN: Final = re.compile(f"[{_SELECTORS}{_TAGS}]")
_ANY_SELECTOR: Final = re.compile(f"[{_SELECTORS}]")
_TAG_RUN: Final = re.compile(f"[{_TAGS}]+")
_LONG_RUN: Final = re.compile(
    f"[{_SELECTORS}]{{{MAX_HIDDEN_RUN + 1},}}|[{_TAGS}]{{{MAX_HIDDEN_RUN + 1},}}"
)
_SIGNS: Final = re.compile("|".join(map(re.escape, tables.SIGN_LETTERS)))

_SHAPE: Final = bytes(
    0x68 if chr(code) in "0123456789abcdefABCDEF"
    else 0x78 if chr(code) == "x"
    else 0x61 if chr(code).isalnum() or chr(code) in "+/_"
    else 0x2E if chr(code) in ".-"
    else 0x20 if chr(code) in " \n\t\r,:;"
    else 0x2C
    for code in range(128)
) + bytes([0x2C]) * 128  # fmt: skip
"""Hexadecimal digits as h, x as it is, other letters as a, Morse's signs as dots, separators as
spaces."""
_ALL_LETTERS: Final = bytes(0x61 if code in b"ahx" else 0x20 for code in range(256))
_ASCII_RUN: Final = re.compile(rb"[\n\x20-\x7e]{6,}")
_HEX_SIGNS: Final = (b"hhhhhhhhhhhh", b"hh hh hh", b"xhh")


def hidden_texts(text: str) -> Iterator[tuple[str, str]]:
    """The name of each encoding that the text may hold, and what it decodes to."""
    shape = text.encode("utf-8", "replace").translate(_SHAPE)
    if b"aaaaaaaaaaaaaaaa" in shape.translate(_ALL_LETTERS):
        yield "base64", "\n".join(map(_from_base64, _BASE64.findall(text)))
    if any(sign in shape for sign in _HEX_SIGNS):
        yield "hex", "\n".join(map(_from_hex, _HEX.findall(text)))
    if "%" in text or "&" in text or "\\" in text or "U+" in text:
        yield "escapes", _unescaped(text)
    if b".. ." in shape or "·" in text or "•" in text:
        yield "morse", "\n".join(map(_from_morse, _MORSE_RUN.findall(text)))
    if "|" in text or "\\" in text:
        yield "signs", _SIGNS.sub(_sign_letter, text)
    if not text.isascii() and _HIDDEN.search(text) is not None:
        yield "selectors", _from_selectors(text)
        yield "tags", _TAG_RUN.sub(_from_tags, text)


def has_smuggled_run(text: str) -> bool:
    """Whether invisible characters stand in a row that no emoji, flag or letter of Han explains."""
    return not text.isascii() and _LONG_RUN.search(text) is not None


def _readable(data: bytes) -> str:
    """UTF-8, or the runs of ASCII in other bytes, such as those of an image."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return b"\n".join(_ASCII_RUN.findall(data.replace(b"\0", b""))).decode("ascii")


def _from_base64(run: str) -> str:
    letters = "".join(run.split()).replace("-", "+").replace("_", "/")
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    try:
        return _readable(base64.b64decode(letters + "=" * (-len(letters) % 4)))
    except binascii.Error:
        return ""


def _from_hex(run: str) -> str:
    digits = _HEX_PREFIX.sub("", run)
    return _readable(bytes.fromhex(digits[: len(digits) & ~1]))


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
    return _readable(
        bytes(code - 0xFE00 if code < 0xE0000 else code - 0xE0100 + 16 for code in codes)
    )


def _from_tags(run: re.Match[str]) -> str:
    return "".join(chr(ord(tag) - 0xE0000) for tag in run[0] if 0x20 <= ord(tag) - 0xE0000 < 0x7F)
