"""Strict JSON of hostile bytes, decoded into typed values.

Two JSON readers that differ are a filter bypass: a filter reads one `messages`, the engine reads
another. So `decode` refuses what readers are known to read differently (a key given twice, in any
spelling; integers beyond 64 bits; bytes that aren't UTF-8) and what costs more to read than to
send (depth, number of values). msgspec then checks grammar and types, in C.

The scan rests on one observation: once no string holds an escaped quote, every quote is the edge of
a string. A split at the quotes then separates strings from structure, and what is left of the
structure is a few hundred bytes that a plain loop can walk.
"""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from itertools import compress
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

import msgspec

from luckrig.protocol.errors import PeerError

T = TypeVar("T")


class Limits(NamedTuple):
    """depth: arrays and objects in one another. values: scalars, arrays and objects; no keys."""

    depth: int = 32
    values: int = 10_000


DEFAULT_LIMITS: Final = Limits()
NO_HINTS: Final[Mapping[str, str]] = MappingProxyType({})

_MAX_REMEMBERED_MARKS: Final = 1024
_NAME_CHARS: Final = 64  # of an unknown field name in an error text
_KEY, _COLON, _OBJECT, _ARRAY = b"k:{["
_KEY_IS_1: Final = bytes.maketrans(b'k"', b"\1\0")
_WHITESPACE: Final = b" \t\r\n"
_NOT_MARKS: Final = bytes(set(range(256)) - set(b'":{}[]'))
_ESCAPED_QUOTE: Final = re.compile(rb"\\\"")
_LONG_INTEGER: Final = re.compile(rb"(?<![-+.\deE])-?\d{19,}+(?![.eE])")
_LONG_ZERO: Final = b"0" * 19  # the shortest integer that can need more than 64 bits
_DIGITS_AS_ZERO: Final = bytes.maketrans(b"123456789", b"000000000")
_INTEGERS: Final = range(-(2**63), 2**64)


def decode(
    body: bytes,
    type: type[T],
    *,
    limits: Limits = DEFAULT_LIMITS,
    hints: Mapping[str, str] = NO_HINTS,
) -> T:
    """Read one JSON document as `type`, or refuse it.

    hints: sentences appended to the error about a field; key: its path, list indexes left out
    ("messages[].role"). Raises PeerError: "invalid_json" when the body isn't strict JSON,
    "invalid_request" with `param` = path when a field is missing, unknown, or of the wrong type.
    No message quotes a value of the body; what a type's own ValueError says is passed on.
    """
    try:
        body.decode()  # msgspec doesn't look inside the strings of fields that it skips
    except UnicodeDecodeError as error:
        raise _not_json(f"byte {error.start} is not UTF-8") from None
    _scan(body, limits)
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.ValidationError as error:
        raise _wrong_type(str(error), hints) from None
    except msgspec.DecodeError as error:
        raise _not_json(str(error).removeprefix("JSON is malformed: ")) from None


def encode(obj: object) -> bytes:
    """Write compact JSON."""
    return msgspec.json.encode(obj)


def _scan(body: bytes, limits: Limits) -> None:
    """Refuse duplicate keys, depth, too many values and too long integers.

    Exact for every valid document. On others it may say anything, as long as it ends in linear
    time and lets nothing deep through: msgspec refuses them next.
    """
    if b"\\" in body and _ESCAPED_QUOTE.search(body):
        # The same JSON, written so that no quote is escaped.
        body = body.replace(rb"\\", rb"\u005c").replace(rb"\"", rb"\u0022")
    most_quotes = 4 * limits.values  # each value may be a string and may have a key
    parts = body.split(b'"', most_quotes + 1)
    structure = b'"'.join(parts[::2]).translate(None, _WHITESPACE)
    if len(parts) > most_quotes + 1 or _count_values(structure) > limits.values:
        raise _not_json(f"it holds more than {limits.values} values")
    if _LONG_ZERO in structure.translate(_DIGITS_AS_ZERO):
        _check_integers(structure)
    marks = structure.translate(None, _NOT_MARKS)
    read = _read_layout if len(marks) > _MAX_REMEMBERED_MARKS else _remembered_layout
    layout = read(marks, limits.depth)
    keys = _unescape(list(compress(parts[1::2], layout.is_key)))
    owned = list(zip(layout.owners, keys, strict=False))
    if len(set(owned)) < len(owned):
        [((_, twice), _)] = Counter(owned).most_common(1)
        raise _not_json(f"the key `{_printable(twice.decode())}` is given twice")


def _count_values(structure: bytes) -> int:
    """One more than the commas in each array or object, none in an empty one, and the root."""
    count = structure.count
    opened, empty = count(b"[") + count(b"{"), count(b"[]") + count(b"{}")
    return max(opened, 1 + count(b",") + opened - empty)  # max: "[][][]" has no commas


def _check_integers(structure: bytes) -> None:
    for match in _LONG_INTEGER.finditer(structure):
        digits = match[0]
        # The length goes first: int() of a long text takes quadratic time.
        if len(digits) > 20 or int(digits) not in _INTEGERS:
            raise _not_json("an integer needs more than 64 bits")


class _Layout(NamedTuple):
    """is_key: for each string, 1 if it is a key, else 0. owners: see _owners."""

    is_key: bytes
    owners: list[int]


def _read_layout(marks: bytes, depth: int) -> _Layout:
    marks = marks.replace(b'":', b"k")  # k: a key and its colon
    is_key = marks.translate(_KEY_IS_1, b":{}[]")
    return _Layout(is_key, _owners(marks.translate(None, b'"'), depth))


# Bodies of one program are laid out alike. It holds no text: quotes, colons and brackets.
_remembered_layout = lru_cache(maxsize=256)(_read_layout)


def _owners(marks: bytes, depth: int) -> list[int]:
    """Number the objects and arrays; give for each key the number of the one it stands in."""
    owners: list[int] = []
    outer: list[int] = []
    owner = newest = 0
    for mark in marks:
        if mark == _KEY:
            owners.append(owner)
        elif mark == _OBJECT or mark == _ARRAY:
            outer.append(owner)
            owner = newest = newest + 1
            if len(outer) > depth:
                raise _not_json(f"it is nested deeper than {depth} levels")
        elif mark == _COLON or not outer:
            break  # no key before it, or nothing to close: msgspec reads no further than this
        else:
            owner = outer.pop()
    return owners


def _unescape(keys: list[bytes]) -> list[bytes]:
    """Resolve escapes, so that one key has one spelling."""
    if b"\\" not in b"".join(keys):
        return keys
    try:
        return [msgspec.json.decode(b'"%b"' % key, type=str).encode() for key in keys]
    except msgspec.DecodeError:
        raise _not_json("a key holds an invalid escape") from None


_AT: Final = re.compile(r" - at (?:`key` in )?`\$\.?([^`]*)`\Z")
_FIELD: Final = re.compile(r"Object (missing required|contains unknown) field `(.*)`", re.DOTALL)


def _wrong_type(text: str, hints: Mapping[str, str]) -> PeerError:
    """Turn msgspec's message into ours: the path becomes `param`, values of the body go."""
    at = _AT.match(text, max(text.rfind(" - at "), 0))
    fault, path = (text[: at.start()], at[1]) if at else (text, "")
    field = _FIELD.fullmatch(fault)
    if field:
        path = f"{path}.{_printable(field[2])}".removeprefix(".")
        missing = field[1] == "missing required"
        fault = "it is missing" if missing else "no such field (names are case-sensitive)"
    elif fault.startswith("Invalid") and " value " in fault:
        fault = "this value is not allowed"  # msgspec would quote it
    fault = re.sub(" matching regex .*", " of another form", fault)  # a hint says it better
    hint = hints.get(re.sub(r"\[\d+\]", "[]", path), "")
    message = f"`{path or 'body'}`: {fault[:1].lower()}{fault[1:]}. {hint}".rstrip()
    return PeerError("invalid_request", message, param=path or None)


def _not_json(fault: str) -> PeerError:
    return PeerError("invalid_json", f"The body is not strict JSON: {fault}.")


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() and c != "`" else "?" for c in name[:_NAME_CHARS])
