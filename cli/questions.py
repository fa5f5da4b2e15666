"""What `luckrig register` asks, once, of whoever sits there; all on stderr."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from luckrig.cli.config import Config
from luckrig.cli.output import note, safe_line
from luckrig.cli.prompts import ask_line, ask_yes
from luckrig.protocol.descriptor import Hardware, Offer
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.text import MAX_NAME_CHARS, check_name, check_note

MAX_LISTED: Final = 12
"""Models that are listed with their numbers: what fits a small terminal."""

_MAKERS: Final = re.compile(
    r"\b(?:nvidia|geforce|amd|radeon|intel|apple|graphics|laptop gpu|gpu)\b", re.IGNORECASE
)
_ASIDE: Final = re.compile(r"\([^()]*\)")
_CHOICE: Final = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")

Answer = TypeVar("Answer")


def name_for(hardware: Hardware) -> str:
    """A rig's name as good as any: "RTX 4090 rig". Always one that check_name takes."""
    source = hardware.gpu.partition(" + ")[0] if hardware.gpu else ""
    words = " ".join(_MAKERS.sub(" ", _ASIDE.sub(" ", source)).split())
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode("ascii")
    plain = " ".join(plain.split())[: MAX_NAME_CHARS - len(" rig")].strip()
    for name in (f"{plain} rig" if plain else "CPU rig", "A rig"):
        try:
            check_name(name, field="name")
        except LuckrigError:
            continue
        return name
    raise AssertionError("the last one is good")


def ask_choices(config: Config, hardware: Hardware, offers: Sequence[Offer]) -> Config:
    """Ask for what isn't chosen yet: name, note, models if there are several.

    Blocks the running loop. Raises click.Abort on Ctrl-C and at the end of the input.
    """
    rig = config.rig
    if rig.name is None:
        rig = msgspec.structs.replace(rig, name=_ask_name(name_for(hardware)))
    if rig.note is None:
        rig = msgspec.structs.replace(rig, note=_ask_note())
    if rig.models is None and len(offers) > 1:
        rig = msgspec.structs.replace(rig, models=_ask_models(offers))
    return msgspec.structs.replace(config, rig=rig)


def without_questions(config: Config, hardware: Hardware) -> Config:
    """The config with a name, and nothing else that wasn't chosen."""
    name = config.rig.name or name_for(hardware)
    return msgspec.structs.replace(config, rig=msgspec.structs.replace(config.rig, name=name))


def confirm() -> bool:
    """The one question that counts. Blocks the running loop; raises click.Abort as above."""
    return ask_yes("Put it on the map?", default=True)


def chosen_models(text: str, offers: Sequence[Offer]) -> list[str] | None:
    """The models of an answer such as "1, 3-4"; None for all of them. Raises LuckrigError."""
    numbers: set[int] = set()
    for part in text.replace(",", " ").split():
        found = _CHOICE.fullmatch(part)
        if found is None:
            raise LuckrigError("invalid_request", "Numbers, such as 1, 3 or 2-4; Enter for all.")
        first, last = int(found[1]), int(found[2] or found[1])
        if not 1 <= first <= last <= len(offers):
            raise LuckrigError("invalid_request", f"The numbers go from 1 to {len(offers)}.")
        numbers.update(range(first, last + 1))
    if not numbers or len(numbers) == len(offers):
        return None
    return [offers[number - 1].model for number in sorted(numbers)]


def _ask_name(suggested: str) -> str:
    def read(text: str) -> str:
        check_name(text.strip(), field="The name")
        return text.strip()

    return _ask("Name on the map", suggested, read)


def _ask_note() -> str:
    def read(text: str) -> str:
        check_note(text.strip(), field="The note")
        return text.strip()

    return _ask("Tuning note, for everybody to read (Enter for none)", "", read)


def _ask_models(offers: Sequence[Offer]) -> list[str] | None:
    note("Models:")
    for number, offer in enumerate(offers[:MAX_LISTED], start=1):
        note(f"  {number:>2}  {safe_line(offer.model)}")
    if len(offers) > MAX_LISTED:
        note(f"      and {len(offers) - MAX_LISTED} more, up to number {len(offers)}")
    return _ask("Which ones (numbers; Enter for all)", "", lambda text: chosen_models(text, offers))


def _ask(question: str, default: str, read: Callable[[str], Answer]) -> Answer:
    """Again and again until the answer is good."""
    while True:
        try:
            return read(ask_line(question, default=default))
        except LuckrigError as error:
            note(error.message)
