"""A conversation at a terminal: turns with one rig, and the few commands that begin with /."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.text import Text

from luckrig.cli.chat.keyboard import Interrupted, Interrupts, Keyboard
from luckrig.cli.chat.options import Wishes
from luckrig.cli.chat.screens import LiveScreen, PipeScreen, Screen, rig_text
from luckrig.cli.chat.session import Session
from luckrig.cli.chat.turn import Found, TurnEvent
from luckrig.cli.chat.words import rig_name, shared, who_reads
from luckrig.cli.home import write_new_file
from luckrig.cli.output import console, note, safe, safe_json, safe_line
from luckrig.client.history.replay import Piece, Rig
from luckrig.client.wanted import AUTO, read_wanted
from luckrig.protocol.errors import LuckrigError

BLOCK: Final = '"""'
"""Begins and ends a text of several lines, as in other chat programs."""

HELP: Final = (
    ("/rig", "which rig answers; /rig NAME: talk to that one; /rig any: to whichever fits"),
    ("/model", "which model; /model NAME: another one"),
    ("/system", "the system message; /system TEXT: another one; /system none: without"),
    ("/new", "forget what was said"),
    ("/save FILE", "write what was said to FILE, as JSON; never over another file"),
    ("/quit", "end, as Ctrl-D does"),
    (BLOCK, f"begins a message of several lines; {BLOCK} ends it. Pasted lines are one message."),
    ("Ctrl-C", "stops a reply and keeps the conversation"),
)
_GONE: Final = frozenset(
    (
        "node_offline", "node_not_found", "model_not_found", "rig_offline", "rig_paused",
        "rig_lost", "relay_full", "queue_full", "queue_timeout", "engine_unavailable",
        "engine_loading",
    )
)  # fmt: skip
"""A rig that isn't there any more: another may take over, if the user didn't name this one."""


@dataclass
class Heard:
    """What a turn brought, as far as the conversation needs it."""

    rig: Rig | None = None
    subtext: bool = False
    text: str = ""

    def see(self, event: TurnEvent) -> None:
        """Part of a turn."""
        if isinstance(event, Found):
            self.rig, self.subtext = event.rig, event.subtext
        elif isinstance(event, Piece) and event.kind == "text":
            self.text += event.text


class Conversation:
    """Reads, asks and shows until it is over.

    model: what a request's `model` is. The rig that answered first goes on answering: a
    conversation isn't handed round among strangers.
    """

    def __init__(
        self,
        session: Session,
        keyboard: Keyboard,
        interrupts: Interrupts,
        *,
        model: str,
        wishes: Wishes,
    ) -> None:
        self._session = session
        self._keyboard = keyboard
        self._interrupts = interrupts
        self._model = model
        self._wishes = wishes
        self._messages: list[Mapping[str, Any]] = []
        self._rig: Rig | None = None
        self._out = console()
        self._err = console(stderr=True)
        self._is_quit = False
        self._commands: Mapping[str, Callable[[str], None]] = {
            "/help": self._help,
            "/rig": self._choose_rig,
            "/model": self._choose_model,
            "/system": self._choose_system,
            "/new": self._forget,
            "/save": self._save,
            "/quit": self._quit,
        }

    async def run(self) -> None:
        """The whole of it."""
        self._err.print(Text("luckrig chat", style="bold"), Text(self._about(), style="dim"))
        self._err.print(Text(who_reads(subtext=self._wishes.subtext), style="yellow"))
        self._err.print(Text("/help says more. Ctrl-C stops a reply, Ctrl-D ends.", style="dim"))
        was_interrupted = False
        while not (self._is_quit or self._keyboard.is_over):
            try:
                text = await self._interrupts.until_interrupted(self._typed())
            except Interrupted:
                if was_interrupted:
                    break
                note("\nCtrl-C again, Ctrl-D or /quit ends.")
                was_interrupted = True
                continue
            was_interrupted = False
            if text.strip():
                await self._take(text)
        if self._keyboard.is_over:
            note("")

    def _about(self) -> str:
        asked = "" if self._model == AUTO else f"  {safe_line(self._model)}"
        return f"{asked}  {'sealed' if self._wishes.subtext else ''}".rstrip()

    async def _typed(self) -> str:
        self._err.print()
        self._mark("> ")
        text = await self._keyboard.text()
        was_cut = self._keyboard.was_cut
        if text.lstrip().startswith(BLOCK):
            text = text.lstrip().removeprefix(BLOCK)
            while BLOCK not in text and not self._keyboard.is_over:
                self._mark(". ")
                text += "\n" + await self._keyboard.text()
                was_cut = was_cut or self._keyboard.was_cut
            text = " " + text.partition(BLOCK)[0].strip("\n")  # never a command
        if was_cut:
            note("A terminal cuts lines at 4,095 bytes. Longer ones: luckrig chat < FILE")
            return ""
        return text

    def _mark(self, mark: str) -> None:
        self._err.print(Text(mark, style="bold green"), end="")

    async def _take(self, text: str) -> None:
        if not text.startswith("/"):
            await self._say(text.strip())
            return
        name, _, rest = text.partition(" ")
        if name not in self._commands:
            note(safe_line(f"There is no {name}. /help lists what there is."))
            note("A message may begin with /, if a space comes before it.")
            return
        try:
            self._commands[name](rest.strip())
        except LuckrigError as error:
            self._fail(error)

    async def _say(self, text: str) -> None:
        """One turn, with another rig if the one of the last turns is gone."""
        self._messages.append({"role": "user", "content": text})
        try:
            await self._turn()
        except Interrupted:
            if self._messages[-1]["role"] == "user":
                note("\nstopped before anything came")
        except LuckrigError as error:
            self._fail(error)
        if self._messages[-1]["role"] == "user":
            self._messages.pop()  # nothing came: it may be asked again

    async def _turn(self) -> None:
        try:
            await self._ask(self._rig)
        except LuckrigError as error:
            has_text = self._messages[-1]["role"] != "user"
            if has_text or self._rig is None or self._is_named or error.code not in _GONE:
                raise
            gone, self._rig = rig_name(self._rig), None
            note(safe_line(f"{gone} is gone: {error.message} Asking another rig."))
            await self._ask(None)

    @property
    def _is_named(self) -> bool:
        return read_wanted(self._model, None, {}).node is not None

    async def _ask(self, rig: Rig | None) -> None:
        """Raises LuckrigError, Interrupted."""
        model = self._model
        if rig is not None and not self._is_named:
            model = f"{model}@{rig.node_id}"
        turn = self._session.turn(self._wishes.ask(self._messages, model=model))
        heard, screen = Heard(), self._screen()

        def show(event: TurnEvent) -> None:
            heard.see(event)
            screen.see(event)

        try:
            with screen:
                await self._interrupts.until_interrupted(turn.run(show))
        finally:
            kept = self._session.keep(turn.replay)
            self._rig = heard.rig or self._rig
            if heard.text:
                self._messages.append({"role": "assistant", "content": heard.text})
            self._tell_shared()
            if turn.replay is not None and turn.replay.outcome != "failed":
                screen.end(turn.replay, turn.finish_reason, kept)

    def _tell_shared(self) -> None:
        while self._session.measured:
            self._err.print(Text(shared(self._session.measured.pop(0)), style="dim"))

    def _screen(self) -> Screen:
        if not self._out.is_terminal:
            return PipeScreen()
        clock = self._session.moments.monotonic
        return LiveScreen(self._out, clock=clock, known=self._rig, hint="Ctrl-C stops it")

    def _fail(self, error: LuckrigError) -> None:
        self._err.print(Text(f"error: {safe(' '.join(error.message.split()))}", style="red"))

    def _help(self, _: str) -> None:
        width = max(len(name) for name, _ in HELP)
        for name, words in HELP:
            note(f"{name.ljust(width)}  {words}")

    def _choose_rig(self, name: str) -> None:
        if not name:
            if self._rig is None:
                note("No rig has answered yet.")
            else:
                self._err.print(rig_text(Found(rig=self._rig, subtext=self._wishes.subtext)))
            return
        model = self._model.partition("@")[0]
        chosen = model if name == "any" else f"{model}@{name}"
        read_wanted(chosen, None, {})
        self._model, self._rig = chosen, None
        note("Whichever rig fits answers next." if name == "any" else "That rig answers next.")

    def _choose_model(self, name: str) -> None:
        if not name:
            note(safe_line(self._model if self._rig is None else self._rig.model))
            return
        _, at, rig = self._model.partition("@")
        chosen = name if "@" in name else f"{name}{at}{rig}"
        read_wanted(chosen, None, {})
        self._model, self._rig = chosen, None
        note(safe_line(f"{chosen} answers next."))

    def _choose_system(self, text: str) -> None:
        if not text:
            note(safe(self._wishes.system or "There is no system message."))
            return
        system = None if text == "none" else text
        self._wishes = replace(self._wishes, system=system)
        note("No system message from now on." if system is None else "From the next message on.")

    def _forget(self, _: str) -> None:
        self._messages.clear()
        note("Forgotten.")

    def _save(self, name: str) -> None:
        if not name:
            note("To which file? /save FILE")
            return
        system = self._wishes.system
        first = [] if system is None else [{"role": "system", "content": system}]
        document = {"model": self._model, "messages": [*first, *self._messages]}
        content = msgspec.json.format(msgspec.json.encode(document)).decode("utf-8")
        path = Path(name).expanduser()
        try:
            write_new_file(path, f"{safe_json(content)}\n".encode())
        except FileExistsError:
            note(safe_line(f"{path} exists. Choose another name."))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            note(safe_line(f"Can't write {path}: {why}."))
        else:
            note(safe_line(f"Wrote {path}."))

    def _quit(self, _: str) -> None:
        self._is_quit = True
