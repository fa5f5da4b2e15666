"""The words of the pages in every language: one file each, read once, never changed.

A language is `words/<its code>.toml`: tables of texts with {named} placeholders, addressed by
dotted keys ("report.title"). A text that counts something is a table of its plural forms, chosen
by the value `n`. A third language is one more file; protocol.reports.Language lists those in which
reports are answered. tests/web/test_languages.py: all files say the same things.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Any, Final, cast

from markupsafe import Markup, escape

from luckrig.web.foreign import clean

DEFAULT_LANGUAGE: Final = "en"
MAX_ACCEPT_CHARS: Final = 500
"""Of an Accept-Language header; browsers send some 50. A longer one is as good as none."""
MAX_ACCEPT_ITEMS: Final = 20

_FOLDER: Final = Path(__file__).parent / "words"
_PLURAL_FORMS: Final = frozenset(("one", "other"))
_RANGE: Final = re.compile(
    r"(?P<tag>\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8})"
    r"(?:[ \t]*;[ \t]*[qQ]=(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)
"""RFC 9110, 12.5.4."""


@dataclass(frozen=True, slots=True)
class Words:
    """One language. language: its BCP 47 code. name: what it calls itself.

    texts: key → its plural forms, by name; those without plural have `other` only.
    """

    language: str
    name: str
    texts: Mapping[str, Mapping[str, str]]
    _read: Mapping[str, Mapping[str, "_Pieces"]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        read = {
            key: {form: _pieces(text) for form, text in forms.items()}
            for key, forms in self.texts.items()
        }
        object.__setattr__(self, "_read", read)

    def __call__(self, key: str, /, **values: str | int) -> Markup:
        """The text of a key, with its placeholders filled: cleaned and escaped, ready to print.

        Markup among the values stays markup; numbers get their thousands separated. Raises KeyError
        for an unknown key or a missing value.
        """
        forms = self._read[key]
        form = "one" if "one" in forms and values.get("n") == 1 else "other"
        end, gaps = forms[form]
        if not gaps:  # most of the thousand texts on the map's page
            return end
        filled = [f"{before}{_shown(values[name])}" for before, name in gaps]
        return Markup("".join((*filled, end)))  # noqa: S704 -- each piece is escaped

    def has(self, key: str) -> bool:
        """Whether there is a text with that key."""
        return key in self.texts

    def below(self, beginning: str) -> dict[str, str]:
        """The texts whose keys begin so, without that beginning: for scripts, placeholders and all.

        Those that count something have no place there.
        """
        return {
            key.removeprefix(beginning): forms["other"]
            for key, forms in self.texts.items()
            if key.startswith(beginning)
        }


@cache
def load_languages() -> Mapping[str, Words]:
    """Every language that this package came with, by code, the default one first.

    Raises ValueError for a file that isn't one: that is a fault of the package.
    """
    codes = sorted(
        (path.stem for path in _FOLDER.glob("*.toml")),
        key=lambda code: (code != DEFAULT_LANGUAGE, code),
    )
    return MappingProxyType({code: _load(_FOLDER / f"{code}.toml") for code in codes})


def english() -> Words:
    """The words of the pages that aren't translated, and for all who didn't ask for others."""
    return load_languages()[DEFAULT_LANGUAGE]


def name_of(language: str) -> str:
    """What a language calls itself; its code where it isn't one of ours, or no longer."""
    words = load_languages().get(language)
    return language if words is None else words.name


def choose_language(codes: Sequence[str], *, asked: str | None, accept: str | None) -> str:
    """One of `codes`, the first of which is the default.

    asked: the value of ?lang=; anything that isn't one of the codes is no wish. accept: an
    Accept-Language header, as the visitor's browser sent it.
    """
    if asked is not None and asked in codes:
        return asked
    for wanted in _accepted(accept or ""):
        language = wanted.partition("-")[0].lower()
        if language == "*":
            return codes[0]
        if language in codes:
            return language
    return codes[0]


def _accepted(header: str) -> list[str]:
    """Language tags, the most wanted first. A header that breaks the grammar names none."""
    if len(header) > MAX_ACCEPT_CHARS:
        return []
    weighted: list[tuple[float, str]] = []
    for item in header.split(",", MAX_ACCEPT_ITEMS):
        matched = _RANGE.fullmatch(item.strip(" \t"))
        if matched is None:
            return []
        weighted.append((float(matched["weight"] or 1), matched["tag"]))
    weighted.sort(key=lambda each: -each[0])  # stable: among equals, the first is meant
    return [tag for weight, tag in weighted if weight > 0]


def _load(path: Path) -> Words:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    name: object = tables.pop("name", None)
    if not isinstance(name, str):
        raise ValueError(f"{path.name}: a language says first what it calls itself")
    texts: dict[str, Mapping[str, str]] = {}
    _collect(tables, "", texts)
    return Words(path.stem, name, MappingProxyType(texts))


def _collect(table: dict[str, Any], prefix: str, texts: dict[str, Mapping[str, str]]) -> None:
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, str):
            texts[key] = MappingProxyType({"other": value})
            continue
        if not isinstance(value, dict):
            raise ValueError(f"{key} is no text")
        inner = cast("dict[str, Any]", value)
        forms = {form: text for form, text in inner.items() if isinstance(text, str)}
        # A table of texts may have a text named "other" beside its others.
        if "other" in forms and forms.keys() == inner.keys() and forms.keys() <= _PLURAL_FORMS:
            texts[key] = MappingProxyType(forms)
        else:
            _collect(inner, f"{key}.", texts)


_Pieces = tuple[Markup, tuple[tuple[Markup, str], ...]]
"""A text, escaped: what comes last, and before that each placeholder with the text before it."""


def _pieces(text: str) -> _Pieces:
    gaps: list[tuple[Markup, str]] = []
    rest = Markup()
    for literal, name, _, _ in Formatter().parse(text):
        rest = escape(literal)
        if name is not None:
            gaps.append((rest, name))
            rest = Markup()
    return rest, tuple(gaps)


def _shown(value: str | int) -> str:
    """Ready to print."""
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, Markup) else escape(clean(value))
