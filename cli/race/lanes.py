"""One contestant of a race: what came of it so far. Pure; texts in it are safe to print."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from rich.text import Text

from luckrig.cli.chat.options import Wishes
from luckrig.cli.chat.targets import read_target
from luckrig.cli.chat.turn import Found, TurnEvent
from luckrig.cli.chat.words import place, so_far
from luckrig.cli.model_text import Sanitizer
from luckrig.cli.replay.words import milliseconds, one_line, rate, tokens
from luckrig.client.calling.matching import Candidate, find
from luckrig.client.chat_events import Waiting
from luckrig.client.chats import CHAT_PATH
from luckrig.client.history.replay import Kind, Piece, Replay
from luckrig.client.wanted import read_wanted
from luckrig.protocol.errors import LuckrigError, PeerError
from luckrig.protocol.wire import NodeView

MIN_LANES: Final = 2
MAX_LANES: Final = 6
"""More panels than that nobody can follow."""
PICKED_LANES: Final = 4
"""Of one model, where no rig is named."""
_TAIL_CHARS: Final = 6_000
"""Of the text that a panel may show; the whole of it is in the replay."""

Stage = Literal["waiting", "running", "done", "failed"]
_STYLES: Final[dict[Kind, str]] = {
    "text": "", "reasoning": "dim italic", "tool": "cyan", "other": "yellow",
}  # fmt: skip


def line_up(words: Sequence[str], rigs: Sequence[NodeView], wishes: Wishes) -> list[Candidate]:
    """Who races: for each word a rig, no rig twice where the words leave a choice.

    One word that names no rig stands for up to PICKED_LANES rigs that serve it. Raises LuckrigError
    for what isn't on the map, and for fewer than MIN_LANES or more than MAX_LANES.
    """
    listed = list(rigs)
    if len(words) == 1:
        starters = _fitting(words[0], listed, wishes)[:PICKED_LANES]
    else:
        every = [_fitting(word, listed, wishes) for word in words]
        taken = {fitting[0].rig.id for fitting in every if len(fitting) == 1}
        starters = [_take(fitting, taken) for fitting in every]
    if not MIN_LANES <= len(starters) <= MAX_LANES:
        there = f"only {one_line(starters[0].rig.name)} fits" if len(starters) == 1 else "too many"
        raise PeerError(
            "invalid_request", f"A race needs {MIN_LANES} to {MAX_LANES} contestants: {there}."
        )
    return starters


def _take(fitting: list[Candidate], taken: set[str]) -> Candidate:
    """The first whose rig isn't taken, which it is then; the first where all are."""
    free = [each for each in fitting if each.rig.id not in taken]
    chosen = (free or fitting)[0]
    taken.add(chosen.rig.id)
    return chosen


def _fitting(word: str, rigs: list[NodeView], wishes: Wishes) -> list[Candidate]:
    """Those that can answer now first, then other GPUs than those before, then the rarest."""
    model = read_target(word, rigs)
    wanted = read_wanted(model or word, _given(wishes.constraints), {})
    found = find(rigs, wanted, path=CHAT_PATH, speed=lambda rig, offer: None)
    found.sort(key=lambda each: (each.rig.status != "available", -each.rig.scarcity, each.rig.id))
    seen: set[str | None] = set()
    first: list[Candidate] = []
    for each in found:
        if each.rig.hardware.gpu not in seen:
            first.append(each)
        seen.add(each.rig.hardware.gpu)
    return first + [each for each in found if each not in first]


def _given(constraints: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in constraints.items() if value is not None}


@dataclass
class Lane:
    """One contestant. candidate: as the map shows it, one model of one rig.

    replay, finish_reason: once it has ended. kept: the id of its replay, where one was written.
    """

    number: int
    candidate: Candidate
    stage: Stage = "waiting"
    error: LuckrigError | None = None
    replay: Replay | None = None
    finish_reason: str | None = None
    kept: str | None = None
    subtext: bool = False
    text: str = ""
    tail: Text = field(default_factory=Text)
    _doing: str = "asking"
    _pieces: int = 0
    _first_ms: float = 0.0
    _last_ms: float = 0.0
    _kind: Kind | None = None
    _sanitizer: Sanitizer = field(default_factory=Sanitizer)

    @property
    def name(self) -> str:
        """The rig's."""
        return one_line(self.candidate.rig.name)

    @property
    def hardware(self) -> str:
        """The rig's GPU, or what else there is."""
        hardware = self.candidate.rig.hardware
        return one_line(hardware.gpu or hardware.cpu or "no GPU")

    @property
    def model(self) -> str:
        """What its rig calls it."""
        return one_line(self.candidate.offer.model)

    @property
    def quantization(self) -> str:
        """As the rig says; "" where it doesn't."""
        return one_line(self.candidate.offer.quantization or "")

    @property
    def wanted(self) -> str:
        """Its request's model: that one, at that rig."""
        return f"{self.candidate.offer.model}@{self.candidate.rig.id}"

    def see(self, event: TurnEvent) -> str | None:
        """That happened. Returns what is worth a line of its own."""
        if isinstance(event, Found):
            self._doing, self.subtext = "waiting for its first token", event.subtext
            return None
        if isinstance(event, Waiting):
            self._doing = place(event.position, event.eta_seconds)
            return self._doing
        return self._add(event)

    def end(self, error: LuckrigError | None) -> str:
        """It has ended. Returns how, in a line."""
        self._append(self._sanitizer.end())
        self.error = error
        self.stage = "done" if error is None else "failed"
        return self.status

    @property
    def status(self) -> str:
        """How it is now."""
        if self.error is not None:
            return f"{self.error.code}: {one_line(' '.join(self.error.message.split()))}"
        if self.stage == "done" and self.replay is not None:
            figures = self.replay.figures
            first = f"first {milliseconds(figures.ttft_ms)}"
            return f"{first}  {rate(figures)} tok/s  {tokens(figures)} tok"
        if self.stage == "waiting":
            return self._doing
        return so_far(self._pieces, self._first_ms, self._last_ms)

    def _add(self, piece: Piece) -> str | None:
        is_first = not self._pieces
        self._pieces += 1
        self._first_ms = piece.at_ms if is_first else self._first_ms
        self._last_ms = piece.at_ms
        self.stage = "running"
        if piece.kind != self._kind:
            self._append(self._sanitizer.end() + ("" if self._kind is None else "\n"))
            self._kind, self._sanitizer = piece.kind, Sanitizer()
        self._append(self._sanitizer.feed(piece.text))
        if piece.kind == "text":
            self.text += piece.text
        return f"first token after {milliseconds(piece.at_ms)}" if is_first else None

    def _append(self, text: str) -> None:
        self.tail.append(text, style=_STYLES[self._kind or "text"])
        if len(self.tail) > 2 * _TAIL_CHARS:
            self.tail = self.tail[-_TAIL_CHARS:]


def lanes_of(starters: Iterable[Candidate]) -> list[Lane]:
    """A lane for each, numbered from 1."""
    return [Lane(number, candidate) for number, candidate in enumerate(starters, start=1)]
