"""From a form's fields to the typed requests that services take."""

import re
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from luckrig.protocol.errors import PeerError

Wanted = TypeVar("Wanted")

_FIELD_NAMES: Final = 40
"""Characters of a field's name that an error repeats."""
_MISSING: Final = re.compile(r"Object missing required field `(?P<name>\w+)`")


def convert(fields: Mapping[str, object], kind: type[Wanted]) -> Wanted:
    """Fields as `kind`; numbers and booleans may be written out. Empty ones are as if absent.

    Raises PeerError invalid_request, which names the field where it is known.
    """
    given = {name: value for name, value in fields.items() if value != ""}
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from None


def _refusal(problem: str) -> PeerError:
    missing = _MISSING.match(problem)
    if missing is not None:
        name = missing["name"][:_FIELD_NAMES]
        return PeerError("invalid_request", f"Fill in: {name.replace('_', ' ')}.", param=name)
    text, _, where = problem.partition(" - at `$.")
    param = where.removesuffix("`")[:_FIELD_NAMES] or None
    return PeerError("invalid_request", f"{param}: {text}." if param else f"{text}.", param=param)
