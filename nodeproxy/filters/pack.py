"""Rule packs: their format, and everything that is wrong with one before it is used.

    name = "club"
    version = 1

    [[rule]]
    id = "example"              # unique in the pack
    category = "sexual/minors"  # OpenAI's moderation category; the only thing a client is told
    language = "en"
    all = ['first', 'second']   # every pattern must match ...
    within = 60                 # ... with at most this many characters between first and others

A rule of several patterns exists because a single word over-blocks. docs/RULES.md is for authors.
"""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import regex

MAX_PACK_BYTES: Final = 1_000_000
MAX_PACKS: Final = 200
PROBE_SECONDS: Final = 0.1
"""How long a pattern may take for a probe of a few thousand characters; sound ones need 1 ms."""

SHIPPED_FOLDER: Final = Path(__file__).parent / "packs"

_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
_Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]
_PROBE_PARTS: Final = ("a", "1", " ", "a ", "a1", "ab", ".", "あ", "-")
_PROBE_CHARS: Final = 4_000


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule as it stands in a pack. all: patterns, the rarest first. within: characters."""

    id: _Name
    category: Annotated[str, msgspec.Meta(pattern=r"^[a-z]+(?:[/-][a-z]+){0,3}\Z", max_length=64)]
    language: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?\Z")]
    all: Annotated[list[_Pattern], msgspec.Meta(min_length=1, max_length=8)]
    within: Annotated[int, msgspec.Meta(ge=0, le=500)] = 0


class _Pack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: _Name
    version: Annotated[int, msgspec.Meta(ge=1)]
    rule: Annotated[list[Rule], msgspec.Meta(min_length=1, max_length=2_000)]


class RulePack(msgspec.Struct, frozen=True):
    """A pack that passed every check."""

    name: str
    version: int
    rules: tuple[Rule, ...]

    @classmethod
    def from_toml(cls, text: bytes, *, lint: bool = True) -> "RulePack":
        """Raises ValueError naming the rule when the file is malformed or a pattern is wrong.

        lint: whether patterns are tried; 0.35 s for the shipped packs.
        """
        try:
            pack = msgspec.toml.decode(text, type=_Pack)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"rule pack: {error}") from error
        seen: set[str] = set()
        for rule in pack.rule:
            if rule.id in seen:
                raise ValueError(f"rule pack {pack.name}: rule {rule.id} stands twice")
            seen.add(rule.id)
            for pattern in rule.all if lint else ():
                _lint(rule.id, pattern)
        return cls(pack.name, pack.version, tuple(pack.rule))


def load_folder(path: Path, *, lint: bool = True, taken: Collection[str] = ()) -> list[RulePack]:
    """The packs of all *.toml files in a folder, by name; none when nothing is at that path.

    lint: see RulePack.from_toml. taken: names that other packs have. Raises ValueError naming the
    file, and the rule if it is one rule's fault; also for a folder that can't be read, since its
    owner believes that its rules apply.
    """
    try:
        if not os.path.lexists(path):
            return []
        files = sorted(file for file in path.iterdir() if file.suffix == ".toml")
    except OSError as error:
        raise ValueError(f"{path}: can't read this folder: {error.strerror}") from error
    if len(files) > MAX_PACKS:
        raise ValueError(f"{path}: more than {MAX_PACKS} rule packs")
    packs = [_load(file, lint=lint) for file in files]
    names = [*taken, *(pack.name for pack in packs)]
    for file, pack in zip(files, packs, strict=True):
        if names.count(pack.name) > 1:
            raise ValueError(f"{file}: another rule pack has the name {pack.name}")
    return packs


def shipped_packs() -> list[RulePack]:
    """The packs that every rig runs. Configuration adds to them; nothing takes one away.

    A test lints them, so that no start has to.
    """
    return load_folder(SHIPPED_FOLDER, lint=False)


def owner_packs(path: Path) -> list[RulePack]:
    """The packs in an owner's folder, which stand beside the shipped ones.

    Raises ValueError as load_folder() does, and for a pack that takes a shipped one's name.
    """
    return load_folder(path, taken=[pack.name for pack in shipped_packs()])


def _load(file: Path, *, lint: bool) -> RulePack:
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_PACK_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{file}: can't read this rule pack: {error.strerror}") from error
    if len(text) > MAX_PACK_BYTES:
        raise ValueError(f"{file}: a rule pack has at most {MAX_PACK_BYTES:,} bytes")
    try:
        return RulePack.from_toml(text, lint=lint)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def _lint(rule_id: str, text: str) -> None:
    try:
        pattern = regex.compile(text, regex.VERSION1)
    except regex.error as error:
        raise ValueError(f"rule {rule_id}: {error}") from error
    if pattern.search("") is not None:
        raise ValueError(f"rule {rule_id}: a pattern matches the empty text")
    try:
        for probe in _probes(text):
            pattern.search(probe, timeout=PROBE_SECONDS)
    except TimeoutError:
        raise ValueError(
            f"rule {rule_id}: a pattern runs away on a long text; look for nested quantifiers"
        ) from None


def _probes(pattern: str) -> Iterator[str]:
    """Long runs of what patterns repeat, and of the pattern's own letters, that end otherwise.

    After the end stands all that the pattern names: without it, regex may give up at once.
    """
    letters = sorted({letter for letter in pattern if letter.isalpha()})[:40]
    for part in (*_PROBE_PARTS, *letters):
        yield part * (_PROBE_CHARS // len(part)) + "\x00" + pattern
