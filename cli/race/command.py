"""The command `luckrig race`."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import click
from rich.live import Live

from luckrig.cli.chat.options import Wishes, piped_text, request_options
from luckrig.cli.chat.session import Session, open_session
from luckrig.cli.chat.turn import TurnEvent
from luckrig.cli.chat.words import who_reads
from luckrig.cli.model_text import model_text
from luckrig.cli.options import json_option, tracker_option
from luckrig.cli.output import console, note, print_json, safe_line
from luckrig.cli.race.lanes import Lane, lanes_of, line_up
from luckrig.cli.race.results import document, print_results, winners
from luckrig.cli.race.view import grid, render
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError

DEFAULT_PROMPT: Final = "Explain in three sentences why the sky is blue."
_FRAME_SECONDS: Final = 1 / 15

Say = Callable[[Lane, str], None]


@click.command("race")
@click.argument("words", nargs=-1, required=True, metavar="MODEL[@RIG]|RIG…")
@click.option("-p", "--prompt", metavar="TEXT", help="What all are asked; it may be piped in.")
@request_options
@json_option
@tracker_option
def command(
    words: tuple[str, ...],
    prompt: str | None,
    no_replays: bool,
    invite: str | None,
    as_json: bool,
    tracker: TrackerAddress,
    **wishes: Any,
) -> None:
    """Send one prompt to several rigs at once, and watch them side by side.

    Two to six contestants: a model at a rig, a rig (its id, the first characters of it, or its
    exact name), or a model. A model alone races on up to four rigs that serve it.

    \b
    luckrig race qwen3:8b
    luckrig race --prompt "Why is the sky blue?" qwen3:8b@n1abcdefgh "Attic 4090" n1defghijk
    """
    asked = prompt or piped_text() or DEFAULT_PROMPT
    asyncio.run(
        _run(tracker, words, asked, Wishes(**wishes), invite, as_json, keeps_replays=not no_replays)
    )


async def _run(
    tracker: TrackerAddress,
    words: Sequence[str],
    prompt: str,
    wishes: Wishes,
    invite: str | None,
    as_json: bool,
    *,
    keeps_replays: bool,
) -> None:
    async with open_session(tracker, invite=invite, keeps_replays=keeps_replays) as session:
        lanes = lanes_of(line_up(words, await session.rigs(), wishes))
        if not as_json:
            note(who_reads(subtext=wishes.subtext).replace("The rig that answers", "All of them"))
            note(safe_line(f"Asked: {prompt}"))
        try:
            await _race(session, lanes, prompt, wishes, as_json=as_json)
        finally:
            for lane in lanes:
                lane.kept = session.keep(lane.replay)
    if as_json:
        print_json(document(prompt, lanes))
    else:
        print_results(lanes)
    if all(lane.error is not None for lane in lanes):
        raise click.exceptions.Exit(1)


async def _race(
    session: Session, lanes: list[Lane], prompt: str, wishes: Wishes, *, as_json: bool
) -> None:
    target = console()
    size = grid(len(lanes), columns=target.width, lines=target.height)
    if as_json:
        await _all(session, lanes, prompt, wishes, say=lambda lane, words: None)
    elif size is None or not target.is_terminal or target.is_dumb_terminal:
        await _all(session, lanes, prompt, wishes, say=_say_line)
        for lane in lanes:
            print(f"{lane.number}  {lane.name}  {lane.model}\n")
            print(model_text(lane.text).rstrip("\n") + "\n")
    else:
        across, lines = size
        with Live(console=target, auto_refresh=False, vertical_overflow="crop") as live:

            def draw(winner: Lane | None = None) -> None:
                frame = render(lanes, target, across=across, lines=lines, winner=winner)
                live.update(frame, refresh=True)

            drawing = asyncio.create_task(_draw_on(draw))
            try:
                await _all(session, lanes, prompt, wishes, say=lambda lane, words: None)
            finally:
                drawing.cancel()
                with suppress(asyncio.CancelledError):
                    await drawing
                draw(_first(lanes))


async def _draw_on(draw: Callable[[], None]) -> None:
    while True:
        draw()
        await asyncio.sleep(_FRAME_SECONDS)


def _first(lanes: Sequence[Lane]) -> Lane | None:
    number = winners(lanes)["total_ms"]
    return None if number is None else lanes[number - 1]


async def _all(
    session: Session, lanes: Sequence[Lane], prompt: str, wishes: Wishes, *, say: Say
) -> None:
    """All at once; one that fails doesn't end the others."""
    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(_one(session, lane, prompt, wishes, say))


async def _one(session: Session, lane: Lane, prompt: str, wishes: Wishes, say: Say) -> None:
    messages = [{"role": "user", "content": prompt}]

    def show(event: TurnEvent) -> None:
        if (words := lane.see(event)) is not None:
            say(lane, words)

    turn = session.turn(wishes.ask(messages, model=lane.wanted))
    failure: LuckrigError | None = None
    try:
        await turn.run(show)
    except LuckrigError as error:
        failure = error
    finally:
        lane.replay, lane.finish_reason = turn.replay, turn.finish_reason
    say(lane, lane.end(failure))


def _say_line(lane: Lane, words: str) -> None:
    note(safe_line(f"{lane.number}  {lane.name}: {words}"))
