"""Answers of a tracker with hostile text in every field that takes any."""

from collections.abc import Iterator
from typing import Any, cast

import msgspec

from tests.cli.test_output import ATTACKS, FORBIDDEN

POISON = "".join(ATTACKS) + "".join(sorted(FORBIDDEN)) + "\r\nopen\x85\n  reason  faked\u2028"
"""Everything at once: what sets clipboards, fakes links, moves cursors, turns and breaks lines."""


def poisoned(document: msgspec.Struct, poison: str = POISON) -> tuple[bytes, int]:
    """The same answer as JSON, hostile wherever its type allows; and in how many fields.

    A field whose type refuses the text stays: there the client is what refuses it.
    """
    kind, plain = type(document), msgspec.to_builtins(document)
    count = 0
    for holder, key in list(_texts(plain)):
        before = holder[key]
        for text in (poison, poison[:40], "\x1b]0;x"):
            holder[key] = text
            if _is_one(plain, kind):
                count += 1
                break
            holder[key] = before
    return msgspec.json.encode(plain), count


def _is_one(plain: Any, kind: type[msgspec.Struct]) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(plain), type=kind)
    except msgspec.ValidationError:
        return False
    return True


def _texts(plain: Any) -> Iterator[tuple[Any, Any]]:
    """Where each text is: its list or dict, and its place there."""
    items: Any = cast("Any", plain).items() if isinstance(plain, dict) else enumerate(plain)
    for key, value in items:
        if isinstance(value, str):
            yield plain, key
        elif isinstance(value, dict | list):
            yield from _texts(value)
