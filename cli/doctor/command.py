"""The command `luckrig doctor`, and how its answers look."""

import os
import platform
import time
from typing import Final

import click

from luckrig.cli.doctor.result import CheckResult, exit_code
from luckrig.cli.doctor.visit import Subject, Visit
from luckrig.cli.home import Home
from luckrig.cli.loop import run
from luckrig.cli.options import engine_option, is_given, json_option, tracker_option
from luckrig.cli.output import Cell, print_item, print_json
from luckrig.protocol.address import TrackerAddress

_MARKS: Final = {
    "ok": Cell("✓", "green"),
    "failed": Cell("✗", "bold red"),
    "skipped": Cell("\N{EN DASH}", "dim"),
}
_TITLE_COLUMNS: Final = 9


@click.command("doctor")
@click.option("--no-prompt", is_flag=True, help="Don't send your rig the short chat at the end.")
@engine_option
@tracker_option
@json_option
def doctor(no_prompt: bool, engine: str, tracker: TrackerAddress, as_json: bool) -> None:
    """Find out what keeps your rig from working, and what to do about it.

    Looks at keys, settings, clock, engine, models, tracker, rig, tunnel, map and token, and at last
    asks your own rig, through its public address, for 8 tokens of its first chat model. Tracker
    and engine are those of the rig that runs, or of config.toml, unless you name them. Nothing is
    changed.

    \b
    Exit codes: 0 all is well, 1 something isn't,
    3 the tracker or the engine can't be reached.
    """
    subject = Subject(
        home=Home.from_env(os.environ),
        environ=os.environ,
        tracker=tracker if is_given("tracker") else None,
        engine=engine if is_given("engine") else None,
        sends_prompt=not no_prompt,
        clock=time.time,
        monotonic=time.monotonic,
        system=platform.system(),
    )
    results = run(_look(subject, as_json=as_json))
    code = exit_code(results)
    if as_json:
        print_json({"ok": code == 0, "checks": results})
    else:
        _sum_up(results)
    click.get_current_context().exit(code)


async def _look(subject: Subject, *, as_json: bool) -> list[CheckResult]:
    results: list[CheckResult] = []
    async for result in Visit(subject).results():
        results.append(result)
        if not as_json:
            show(result)
    return results


def show(result: CheckResult) -> None:
    """One check: a line for what was found, one for what to do."""
    style = "dim" if result.outcome == "skipped" else ""
    lines = [Cell(result.found, style)]
    if result.fix is not None:
        lines.append(Cell(f"→ {result.fix}", "yellow"))
    print_item(_MARKS[result.outcome], Cell(result.check, style), lines, columns=_TITLE_COLUMNS)


def _sum_up(results: list[CheckResult]) -> None:
    count = sum(result.outcome == "failed" for result in results)
    text = "All is well." if not count else f"{count} to mend; begin with the first."
    print_item(Cell(""), Cell(""), [Cell(text, "bold")], columns=_TITLE_COLUMNS)
