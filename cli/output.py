"""Everything the command line prints goes through here.

Names, notes and model output come from strangers. A terminal obeys some characters (ESC and C1
sequences set the clipboard, fake links, move the cursor) and bidirectional controls reorder a
line, so safe() makes them visible instead. rich does not: it passes ESC and C1 on.

rich is imported where it is used, so that `luckrig --help` and `luckrig token` start without it.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_UNCUT_COLUMNS: Final = 10_000
"""The width for pipes and files: nothing is wrapped or cut."""

_C0_AND_DEL: Final = [*range(0x20), 0x7F]
_C1: Final = range(0x80, 0xA0)
_BIDI: Final = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_LINE_BREAKS: Final = [0x2028, 0x2029]
_SURROGATES: Final = range(0xD800, 0xE000)

_VISIBLE: Final = {
    **{code: "\ufffd" for code in (*_C1, *_BIDI, *_LINE_BREAKS, *_SURROGATES)},
    **{code: chr(0x2400 + code) for code in _C0_AND_DEL if code not in (0x09, 0x0A)},
    0x7F: "\u2421",
}
"""Unicode has pictures for C0 and DEL (U+2400 …); the rest become the replacement character."""

_VISIBLE_BREAKS: Final = {0x09: "\u2409", 0x0A: "\u240a"}

_JSON_ESCAPES: Final = {code: f"\\u{code:04x}" for code in (0x7F, *_C1, *_BIDI, *_LINE_BREAKS)}
"""JSON must escape C0 and msgspec does; these it leaves as they are."""


@dataclass(frozen=True)
class Cell:
    """A table cell. style: a rich style such as "green" or "dim"."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class Column:
    """A table column. min_width: in terminal columns, so that short texts aren't broken."""

    title: str
    justify: Literal["left", "right"] = "left"
    min_width: int | None = None


def safe(text: str) -> str:
    """The text with everything that a terminal would obey made visible; \\n and \\t stay.

    Works character by character, so it may be given a stream's pieces one at a time.
    """
    return text.translate(_VISIBLE)


def safe_line(text: str) -> str:
    """The same as one line: a name with a line break could fake a second row of a table."""
    return safe(text).translate(_VISIBLE_BREAKS)


def say(text: str) -> None:
    """A line for people or scripts, on stdout."""
    print(safe(text))
    sys.stdout.flush()


def say_line(text: str) -> None:
    """The same for a sentence with a stranger's words in it: it stays one line."""
    say(safe_line(text))


def note(text: str) -> None:
    """A remark that must not end up in a script's variable, on stderr."""
    print(safe(text), file=sys.stderr)


def safe_json(text: str) -> str:
    """JSON that says the same, with nothing in it that a terminal would obey."""
    return text.translate(_JSON_ESCAPES)


def print_json(document: object) -> None:
    """One compact JSON document on stdout, with nothing in it that a terminal would obey."""
    print(safe_json(msgspec.json.encode(document).decode()))
    sys.stdout.flush()  # a command that goes on running must not keep its announcement in a buffer


def console(*, stderr: bool = False) -> "Console":
    """A rich console for our own markup-free text; wrap strangers' text in styled().

    Colour only on a terminal and without NO_COLOR. A pipe or file is never wrapped, unless COLUMNS
    asks for it.
    """
    from rich.console import Console

    file: IO[str] = sys.stderr if stderr else sys.stdout
    fits_all = not file.isatty() and "COLUMNS" not in os.environ
    return Console(
        file=file,
        width=_UNCUT_COLUMNS if fits_all else None,
        markup=False,
        highlight=False,
        emoji=False,
    )


def styled(text: str, style: str = "") -> "Text":
    """A stranger's text, made safe, for a rich console."""
    from rich.text import Text

    return Text(safe(text), style=style)


def table_fits(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]]) -> bool:
    """Whether print_table would have to break no line of it."""
    from rich.measure import Measurement

    target = console()
    uncut = target.options.update(max_width=_UNCUT_COLUMNS)
    return Measurement.get(target, uncut, _table(columns, rows)).maximum <= target.width


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]]) -> None:
    """A table on stdout. A cell may have several lines; rows are then set apart."""
    target = console()
    with target.capture() as capture:
        target.print(_table(columns, rows))
    for line in capture.get().splitlines():
        print(line.rstrip())


def print_item(mark: Cell, title: Cell, lines: Sequence[Cell], *, columns: int) -> None:
    """A line of a list as soon as there is one: a mark of one character, a title, and texts below
    each other, wrapped beside it. columns: the title's width."""
    from rich.table import Table
    from rich.text import Text

    target = console()
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1)
    grid.add_column(width=columns)
    grid.add_column(overflow="fold")
    for index, line in enumerate(lines):
        head = (styled(mark.text, mark.style), styled(title.text, title.style))
        grid.add_row(
            *(head if index == 0 else (Text(), Text())), styled(safe_line(line.text), line.style)
        )
    with target.capture() as capture:
        target.print(grid)
    for text in capture.get().splitlines():
        print(text.rstrip())
    sys.stdout.flush()


def print_facts(
    title: Cell | None, facts: Sequence[tuple[str, Cell | str]], *, stderr: bool = False
) -> None:
    """A title, and below it names and texts side by side; a text may have many lines.

    Each line of a text stands beside its name, so that no stranger's text looks like a name.
    """
    from rich.table import Table
    from rich.text import Text

    target = console(stderr=stderr)
    grid = Table.grid(padding=(0, 2, 0, 0))
    indent = "  " if title is not None else ""
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, fact in facts:
        cell = fact if isinstance(fact, Cell) else Cell(fact)
        grid.add_row(Text(f"{indent}{name}", style="dim"), styled(cell.text, cell.style))
    with target.capture() as capture:
        if title is not None:
            target.print(styled(safe_line(title.text), title.style))
        target.print(grid)
    for line in capture.get().splitlines():
        print(line.rstrip(), file=target.file)


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]]) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        leading=int(any("\n" in cell.text for row in cells for cell in row)),
    )
    for column in columns:
        table.add_column(
            Text(column.title, style="bold"),
            justify=column.justify,
            min_width=column.min_width,
            overflow="fold",
        )
    for row in cells:
        table.add_row(*[styled(cell.text, cell.style) for cell in row])
    return table
