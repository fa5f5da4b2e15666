"""The command `luckrig chat`: what was asked for, and whether it is one reply or a conversation."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import click

from luckrig.cli.asking import can_ask
from luckrig.cli.chat.conversation import Conversation
from luckrig.cli.chat.keyboard import Keyboard, interrupts
from luckrig.cli.chat.options import Wishes, piped_text, request_options
from luckrig.cli.chat.screens import JsonScreen, LiveScreen, PipeScreen, Screen
from luckrig.cli.chat.session import Session, open_session
from luckrig.cli.chat.targets import read_target
from luckrig.cli.chat.words import shared, who_reads
from luckrig.cli.options import tracker_option
from luckrig.cli.output import console, note, print_json
from luckrig.client.wanted import AUTO, read_wanted
from luckrig.protocol.address import TrackerAddress

_NO_PROMPT: Final = "Give a PROMPT, or pipe one in."


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The command line. words: a model or rig, perhaps, and the prompt. piped: stdin, if it isn't
    a terminal."""

    words: tuple[str, ...]
    piped: str
    model: str | None
    wishes: Wishes
    as_json: bool


@click.command("chat")
@click.argument("words", nargs=-1, metavar="[MODEL[@RIG]|RIG] [PROMPT…]")
@click.option("-m", "--model", metavar="MODEL[@RIG]", help="Then all arguments are the prompt.")
@request_options
@click.option(
    "--share-timing",
    is_flag=True,
    envvar="LUCKRIG_SHARE_TIMING",
    show_envvar=True,
    help="Tell the tracker how quick the rig was: two numbers, shown before they leave.",
)
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
@tracker_option
def command(
    words: tuple[str, ...],
    model: str | None,
    no_replays: bool,
    share_timing: bool,
    invite: str | None,
    as_json: bool,
    tracker: TrackerAddress,
    **wishes: Any,
) -> None:
    """Talk to a rig.

    Without PROMPT on a terminal: a conversation, until Ctrl-D. With one, or with something piped
    in: one reply, as plain text on stdout; which rig, its queue and its speed are on stderr.
    The first word names a model or a rig if the map has it; RIG is an id, the first characters of
    it, or an exact name. Your key is made on first use.

    \b
    luckrig chat qwen3:8b
    luckrig chat "Why is the sky blue?"
    cat report.txt | luckrig chat qwen3:8b@n1abcdefgh "Summarise this."
    """
    asked = Asked(
        words=words, piped=piped_text(), model=model, wishes=Wishes(**wishes), as_json=as_json
    )
    if not (words or asked.piped or can_ask()):
        raise click.UsageError(_NO_PROMPT)
    asyncio.run(_run(tracker, asked, share_timing, invite, keeps_replays=not no_replays))


async def _run(
    tracker: TrackerAddress,
    asked: Asked,
    share_timing: bool,
    invite: str | None,
    *,
    keeps_replays: bool,
) -> None:
    async with open_session(
        tracker, invite=invite, keeps_replays=keeps_replays, share_timing=share_timing
    ) as session:
        model, prompt = await _read(session, asked)
        read_wanted(model, None, {})
        if prompt:
            await _answer(session, asked, model, prompt)
            return
        if asked.as_json or not can_ask():
            raise click.UsageError(_NO_PROMPT)
        async with interrupts() as caught:
            conversation = Conversation(
                session, Keyboard(), caught, model=model, wishes=asked.wishes
            )
            await conversation.run()


async def _read(session: Session, asked: Asked) -> tuple[str, str]:
    """(model, prompt)."""
    words, model = list(asked.words), asked.model
    rigs = await session.rigs() if words or model else []
    if model is not None:
        # A bare name that the map doesn't know is a model's: the error then says what there is.
        model = read_target(model, rigs) or model
    elif words and (target := read_target(words[0], rigs)) is not None:
        model, words = target, words[1:]
    return model or AUTO, "\n\n".join(filter(None, [" ".join(words).strip(), asked.piped]))


async def _answer(session: Session, asked: Asked, model: str, prompt: str) -> None:
    """One reply. Raises LuckrigError."""
    note(who_reads(subtext=asked.wishes.subtext))
    messages = [{"role": "user", "content": prompt}]
    turn = session.turn(asked.wishes.ask(messages, model=model))
    screen = _screen(session, as_json=asked.as_json)
    try:
        with screen:
            await turn.run(screen.see)
    finally:
        kept = session.keep(turn.replay)
        for measured in session.measured:
            if asked.as_json:
                print_json({"event": "share", "measured": measured})
            else:
                note(shared(measured))
        if turn.replay is not None:
            screen.end(turn.replay, turn.finish_reason, kept)


def _screen(session: Session, *, as_json: bool) -> Screen:
    if as_json:
        return JsonScreen()
    target = console()
    if target.is_terminal and not target.is_dumb_terminal:
        return LiveScreen(target, clock=session.moments.monotonic, known=None, hint="")
    return PipeScreen()
