"""Plays a reply back as it came. Time is passed in, so that a test needs none."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from luckrig.cli.model_text import Sanitizer
from luckrig.cli.replay.words import milliseconds
from luckrig.client.history.replay import Kind, Piece, Replay

_STYLES: Final[dict[Kind, str]] = {
    "text": "",
    "reasoning": "dim italic",
    "tool": "cyan",
    "other": "yellow",
}
_REFRESHES_PER_SECOND: Final = 30
"""Of the live row. Pieces themselves draw nothing: with --from, 200,000 may come at once."""


def paced(
    events: Sequence[Piece],
    *,
    speed: float,
    start_seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> Iterator[Piece]:
    """The pieces, each at its time; those before start_seconds at once.

    speed: 2 is twice as fast. A consumer that lags behind catches up: nothing drifts.
    """
    began = clock()
    for piece in events:
        due = began + (piece.at_ms / 1000 - start_seconds) / speed
        wait = due - clock()
        if wait > 0:
            sleep(wait)
        yield piece


class Progress:
    """The line below the text: where the recording is, and its tokens a second so far."""

    def __init__(
        self, replay: Replay, *, speed: float, start_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._total_ms = replay.figures.total_ms
        self._speed = speed
        self._start_ms = start_seconds * 1000
        self._clock = clock
        self._began = clock()
        self._pieces = 0
        self._first_ms: float | None = None
        self._last_ms = 0.0
        tokens = replay.figures.completion_tokens
        self._tokens_per_piece = tokens / len(replay.events) if tokens and replay.events else 1.0

    def see(self, piece: Piece) -> None:
        """That piece is played now."""
        self._pieces += 1
        self._first_ms = piece.at_ms if self._first_ms is None else self._first_ms
        self._last_ms = piece.at_ms

    @property
    def at_ms(self) -> float:
        """How far the recording is."""
        played = (self._clock() - self._began) * 1000 * self._speed
        return max(min(self._start_ms + played, self._total_ms), self._last_ms)

    def __rich__(self) -> Text:
        """Part of rich's interface."""
        speed = "" if self._speed == 1 else f"  {self._speed:g}x"
        so_far = f"{milliseconds(self.at_ms)} of {milliseconds(self._total_ms)}"
        return Text(f"> {so_far}  {self._rate()}{speed}", style="dim", no_wrap=True)

    def _rate(self) -> str:
        if self._first_ms is None:
            return "waiting for the first token"
        seconds = (self._last_ms - self._first_ms) / 1000
        if self._pieces < 2 or seconds <= 0:
            return ""
        return f"{(self._pieces - 1) * self._tokens_per_piece / seconds:.1f} tok/s"


class Below(Protocol):
    """A line below the text that is drawn again and again, in a thread of rich's."""

    def __rich__(self) -> Text:
        """Part of rich's interface."""
        ...


class Stage:
    """Where the text goes: rows that are full stay, the last one grows. A change of kind begins
    a new row, below a heading. Works on any console; a live one shows `below` under the text."""

    def __init__(self, console: Console, below: Below | None) -> None:
        self._console = console
        self._below = below
        self._sanitizer = Sanitizer()
        self._kind: Kind | None = None
        self._row = Text()
        self._spaces: str = ""  # after the row: wrapping would drop them before the next word
        self._live: Live | None = None

    def __enter__(self) -> "Stage":
        """Begin to show."""
        if self._below is not None:
            self._live = Live(
                get_renderable=self._frame,
                console=self._console,
                refresh_per_second=_REFRESHES_PER_SECOND,
                transient=True,  # what is above stays, the row and the line below it go
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Show what is left, whatever ended it."""
        self._append(self._sanitizer.end())
        if self._live is not None:
            self._live.stop()
        if self._row.plain:
            self._console.print(self._row)

    def play(self, piece: Piece) -> None:
        """Show a piece."""
        if piece.kind != self._kind:
            self._begin(piece.kind)
        self._append(self._sanitizer.feed(piece.text))

    def _begin(self, kind: Kind) -> None:
        last, self._row, self._spaces = self._row, Text(), ""
        if last.plain:
            self._print(last)
        if self._kind is not None or kind != "text":
            self._print(Text(f"[{'reply' if kind == 'text' else kind}]", style="dim"))
        self._kind = kind
        self._sanitizer = Sanitizer()

    def _append(self, text: str) -> None:
        text = self._spaces + text
        shown = text.rstrip(" ")
        self._spaces = text[len(shown) :]
        row = self._row.copy()  # a live console draws the row in a thread of its own
        row.append(shown, style=_STYLES[self._kind or "text"])
        wrapped = row.wrap(self._console, self._console.width, overflow="fold")
        *full, self._row = wrapped or [Text()]
        for row in full:
            self._print(row)

    def _print(self, row: Text) -> None:
        row.rstrip()
        self._console.print(row, no_wrap=True, crop=False, overflow="ignore")

    def _frame(self) -> Text:
        below = self._below.__rich__() if self._below is not None else Text()
        return Text("\n").join([self._row, below] if self._row.plain else [below])
