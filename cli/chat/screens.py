"""Where a reply goes: onto a terminal, into a pipe, or out as JSON lines.

Each screen is for one turn. Whatever a rig says, its name and its texts included, goes through
model_text or a Sanitizer before it is printed.
"""

import sys
from collections.abc import Callable
from typing import Any, Final, Protocol, Self

import msgspec
from rich.console import Console
from rich.text import Text

from luckrig.cli.chat.turn import Found, TurnEvent
from luckrig.cli.chat.words import place, rig_facts, rig_name, so_far, summary
from luckrig.cli.model_text import Sanitizer
from luckrig.cli.output import note, print_json
from luckrig.cli.replay.player import Stage
from luckrig.cli.replay.words import milliseconds
from luckrig.client.chat_events import Waiting
from luckrig.client.history.replay import Kind, Replay, Rig

_FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAMES_PER_SECOND: Final = 10


class Screen(Protocol):
    """Shows one turn: a context manager around it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None:
        """Show what is left of the text, whatever ended it."""
        ...

    def see(self, event: TurnEvent) -> None:
        """Show what came."""
        ...

    def end(self, replay: Replay, finish_reason: str | None, kept: str | None) -> None:
        """After the turn: what it took. kept: the id of its replay, None where none is kept."""
        ...


class Progress:
    """The line below the text: what is waited for, then how quick it is.

    clock: monotonic seconds. Drawn in a thread of rich's: it only reads.
    """

    def __init__(self, clock: Callable[[], float], *, hint: str = "") -> None:
        self._clock = clock
        self._began = clock()
        self._hint = hint
        self._doing = "looking for a rig"
        self._pieces = 0
        self._first_ms = 0.0
        self._last_ms = 0.0

    def see(self, event: TurnEvent) -> None:
        """That happened now."""
        if isinstance(event, Found):
            self._doing = f"waiting for {rig_name(event.rig)}"
        elif isinstance(event, Waiting):
            self._doing = place(event.position, event.eta_seconds)
        else:
            self._pieces += 1
            self._first_ms = self._first_ms if self._pieces > 1 else event.at_ms
            self._last_ms = event.at_ms

    @property
    def words(self) -> str:
        """The line."""
        waited = milliseconds((self._clock() - self._began) * 1000)
        if not self._pieces:
            return f"{self._doing}  {waited}"
        return f"{so_far(self._pieces, self._first_ms, self._last_ms)}  {waited}"

    def __rich__(self) -> Text:
        """Part of rich's interface."""
        frame = _FRAMES[int(self._clock() * _FRAMES_PER_SECOND) % len(_FRAMES)]
        hint = f"  {self._hint}" if self._hint else ""
        return Text(
            f"{frame} {self.words}{hint}", style="dim", no_wrap=True, overflow="ellipsis", end=""
        )


class LiveScreen:
    """On a terminal: the text as it comes, with a line below it until it ends.

    known: the rig that is said already; its line isn't printed again.
    """

    def __init__(
        self, console: Console, *, clock: Callable[[], float], known: Rig | None, hint: str
    ) -> None:
        self._console = console
        self._known = known
        self._progress = Progress(clock, hint=hint)
        self._stage = Stage(console, self._progress)

    def __enter__(self) -> Self:
        self._stage.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._stage.__exit__()

    def see(self, event: TurnEvent) -> None:
        """See Screen."""
        self._progress.see(event)
        if isinstance(event, Found):
            if event.rig != self._known:
                self._console.print(rig_text(event))
        elif not isinstance(event, Waiting):
            self._stage.play(event)

    def end(self, replay: Replay, finish_reason: str | None, kept: str | None) -> None:
        """See Screen."""
        self._console.print(Text(summary(replay, finish_reason), style="dim"))


def rig_text(found: Found) -> Text:
    """The line that says which rig answers."""
    facts = "  ".join(rig_facts(found.rig, subtext=found.subtext))
    return Text.assemble((rig_name(found.rig), "bold cyan"), ("  " + facts, "dim"))


class PipeScreen:
    """The reply on stdout, and nothing else there; the rest on stderr, a line for each change."""

    def __init__(self) -> None:
        self._sanitizers: dict[Kind, Sanitizer] = {}
        self._place: int | None = None
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._print(self._sanitizer("text").end())
        if self._last not in ("", "\n"):
            self._print("\n")
        rest = {kind: each for kind, each in self._sanitizers.items() if kind != "text"}
        for sanitizer in rest.values():
            print(sanitizer.end(), file=sys.stderr)

    def see(self, event: TurnEvent) -> None:
        """See Screen."""
        if isinstance(event, Found):
            note("  ".join([rig_name(event.rig), *rig_facts(event.rig, subtext=event.subtext)]))
        elif isinstance(event, Waiting):
            if event.position != self._place:
                note(place(event.position, event.eta_seconds))
            self._place = event.position
        elif event.kind == "text":
            self._print(self._sanitizer("text").feed(event.text))
        else:
            if event.kind not in self._sanitizers:
                note(f"[{event.kind}]")
            text = self._sanitizer(event.kind).feed(event.text)
            print(text, end="", file=sys.stderr, flush=True)

    def end(self, replay: Replay, finish_reason: str | None, kept: str | None) -> None:
        """See Screen."""
        note(summary(replay, finish_reason))

    def _sanitizer(self, kind: Kind) -> Sanitizer:
        return self._sanitizers.setdefault(kind, Sanitizer())

    def _print(self, text: str) -> None:
        print(text, end="", flush=True)
        self._last = text[-1:] or self._last


class JsonScreen:
    """A JSON document on each line of stdout: docs/ARCHITECTURE.md has the list."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def see(self, event: TurnEvent) -> None:
        """See Screen."""
        print_json(event_document(event))

    def end(self, replay: Replay, finish_reason: str | None, kept: str | None) -> None:
        """See Screen."""
        print_json(end_document(replay, finish_reason, kept))


def event_document(event: TurnEvent) -> dict[str, Any]:
    """`{"event": "rig" | "queue" | "piece", …}`."""
    if isinstance(event, Found):
        rig = msgspec.to_builtins(event.rig)
        return {"event": "rig", "rig": rig, "subtext": event.subtext}
    if isinstance(event, Waiting):
        eta = event.eta_seconds
        return {"event": "queue", "position": event.position, "eta_seconds": eta}
    return {
        "event": "piece",
        "at_ms": round(event.at_ms, 3),
        "kind": event.kind,
        "text": event.text,
    }


def end_document(replay: Replay, finish_reason: str | None, kept: str | None) -> dict[str, Any]:
    """`{"event": "end", …}`."""
    return {
        "event": "end",
        "outcome": replay.outcome,
        "finish_reason": finish_reason,
        "figures": replay.figures,
        "replay": kept,
    }
