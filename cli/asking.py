"""Questions of commands that may also be told everything on the command line; all on stderr."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import click
import msgspec

from luckrig.cli.output import note
from luckrig.cli.prompts import ask_line, ask_number, ask_yes
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.reports import CopyrightClaim, CounterNotice

MAX_FILE_BYTES: Final = 65_536

Answer = TypeVar("Answer")
Form = TypeVar("Form", CopyrightClaim, CounterNotice)


def can_ask() -> bool:
    """Whether somebody sits there."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, *, default: str | None = None, max_chars: int | None = None) -> str:
    """An answer in one line. default: "" where none is fine. Raises click.Abort on Ctrl-C."""
    while True:
        text = ask_line(question, default=default).strip()
        if max_chars is None or len(text) <= max_chars:
            return text
        note(f"At most {max_chars} characters.")


def choose(question: str, choices: Sequence[tuple[Answer, str]]) -> Answer:
    """One of several, by its number."""
    for number, (_, words) in enumerate(choices, start=1):
        note(f"  {number}  {words}")
    return choices[ask_number(question, len(choices)) - 1][0]


def agree(statement: str) -> bool:
    """A statement that counts only if somebody says yes to it."""
    return ask_yes(statement, default=False)


def read_form(path: Path, kind: type[Form]) -> Form:
    """A form that was filled in beforehand, in TOML. Raises LuckrigError with what is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES)
        return msgspec.toml.decode(raw, type=kind)
    except OSError as error:
        raise _refused(f"Can't read {path}: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        fields = ", ".join(kind.__struct_fields__)
        raise _refused(f"{path}: {error}. It is TOML with {fields}.") from error


def ask_form(kind: type[Form], questions: Sequence[tuple[str, str]]) -> Form:
    """The same by asking. questions: field, what is asked; one with a ? at its end is a statement.

    Raises LuckrigError where a statement isn't made: without it the form is none.
    """
    answers: dict[str, object] = {}
    for name, question in questions:
        if not question.endswith("?"):
            answers[name] = ask(question)
        elif agree(question):
            answers[name] = True
        else:
            raise _refused("Without this statement the law doesn't know such a notice.")
    try:
        return msgspec.convert(answers, type=kind)
    except msgspec.ValidationError as error:
        raise _refused(f"{error}.") from error


def need(value: str | None, name: str, question: Callable[[], str]) -> str:
    """What an option said, or what is answered. Raises click.UsageError where nobody can be asked.

    name: the option's.
    """
    if value is not None:
        return value
    if not can_ask():
        raise click.UsageError(f"Missing option '{name}'.", click.get_current_context())
    return question()


def _refused(message: str) -> LuckrigError:
    return LuckrigError("invalid_request", message)


CLAIM_QUESTIONS: Final = (
    ("work", "The work that was copied, and where yours can be seen"),
    ("address", "Your postal address"),
    ("phone", "Your telephone number"),
    ("signature", "Your full name, as your signature"),
    (
        "accurate",
        "Under penalty of perjury: this notice is accurate, and you are the owner or may act for"
        " the owner?",
    ),
)
COUNTER_QUESTIONS: Final = (
    ("name", "Your name"),
    ("address", "Your postal address"),
    ("phone", "Your telephone number"),
    ("signature", "Your full name, as your signature"),
    (
        "mistaken",
        "Under penalty of perjury: you believe in good faith that it was removed by mistake?",
    ),
    (
        "consent",
        "You consent to the jurisdiction of the court for your address, and accept service of"
        " process from whoever sent the notice?",
    ),
)
