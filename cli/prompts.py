"""One line from whoever sits at the terminal. Ctrl-C always ends the wait for it.

click.prompt and click.confirm miss a Ctrl-C that comes after the question was written and before
the read sleeps: Python's handler is only due when the read returns, and nothing makes it return. A
key typed as soon as the question shows hits that moment on a busy machine, and so does a signal
that the system hands to another thread. Here nothing is read before there is something to read.

Questions go to stderr: stdout is for what was asked of the command.
"""

import os
import select
import sys
from typing import Final

import click

from luckrig.cli.output import note, safe

SIGNAL_SECONDS: Final = 0.1
"""How long a Ctrl-C that interrupted nothing may stay unnoticed: too short to be felt."""

_YES: Final = ("y", "yes")
_NO: Final = ("n", "no")


def ask_line(question: str, *, default: str | None = None) -> str:
    """A line without its end. default: what Enter means; "" isn't shown, None takes no empty line.

    Raises click.Abort on Ctrl-C and at the end of the input.
    """
    shown = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        if line := _read_line(shown):
            return line
        if default is not None:
            return default


def ask_number(question: str, highest: int) -> int:
    """From 1 to highest. Raises click.Abort as above."""
    while True:
        line = ask_line(question).strip()
        if line.isascii() and line.isdigit() and 1 <= int(line[:9]) <= highest:
            return int(line)
        note(f"A number from 1 to {highest}.")


def ask_yes(question: str, *, default: bool) -> bool:
    """Yes or no. default: what Enter means. Raises click.Abort as above."""
    shown = f"{question} [{'Y/n' if default else 'y/N'}]: "
    while True:
        said = _read_line(shown).strip().lower()
        if said in _YES:
            return True
        if said in _NO:
            return False
        if not said:
            return default
        note("y or n.")


def _read_line(shown: str) -> str:
    try:
        print(safe(shown), end="", file=sys.stderr, flush=True)
        _wait_for_line()
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        raise click.Abort from None
    if not line:
        raise click.Abort
    return line.removesuffix("\n")


def _wait_for_line() -> None:
    """Return when a line was typed; signals are handled each time that select returns.

    A pipe is read at once: lines that Python has in its buffer are none to select. A terminal gives
    one line to each read, so that there the buffer is empty. Windows' select knows sockets only.
    """
    if os.name != "nt" and sys.stdin.isatty():
        while not select.select([sys.stdin], [], [], SIGNAL_SECONDS)[0]:
            pass
