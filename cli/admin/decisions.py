"""`luckrig admin decide`, its short forms, and what takes decisions back."""

import asyncio
import shlex
import time
from collections.abc import Callable
from typing import Final, Literal, TypedDict, Unpack, get_args

import click

from luckrig.cli.admin.options import (
    Target,
    ground_options,
    operator_key,
    reason_option,
    target_of,
)
from luckrig.cli.options import Command, ask_tracker, json_option, tracker_option
from luckrig.cli.output import note, print_json, safe_line, say, say_line
from luckrig.cli.statements import DONE, SUBJECT_WORDS, outcome
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.desk import CaseDetail, DecisionRequest, DecisionView
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import ACTIONS, MAX_SUSPENSION_DAYS, Action, Ground

Verdict = Literal["uphold", "overturn"]

_TARGET: Final = "u1…|n1…|NETWORK"


class How(TypedDict):
    """The options that every decision takes."""

    reason: str
    ground: Ground
    rule: str
    as_json: bool
    tracker: TrackerAddress


def _how(command: Command) -> Command:
    """The options of How."""
    return reason_option(ground_options(json_option(tracker_option(command))))


def _case_option(command: Command) -> Command:
    return click.option("--case", "case_id", metavar="CASE", help="The case that this decides.")(
        command
    )


def _days_option(*, required: bool) -> Callable[[Command], Command]:
    return click.option(
        "--days",
        type=click.IntRange(1, MAX_SUSPENSION_DAYS),
        required=required,
        help="How long a suspension lasts.",
    )


@click.command("decide")
@click.argument("case_id", metavar="CASE")
@click.argument("action", type=click.Choice(get_args(Action)))
@click.option("--target", metavar="ID", help="Whom or what.  [default: what was reported]")
@_days_option(required=False)
@_how
def decide(
    case_id: str, action: Action, target: str | None, days: int | None, **how: Unpack[How]
) -> None:
    """Decide a case; it is closed then. `luckrig admin case CASE` lists the targets."""
    if (action == "suspend") != (days is not None):
        raise click.UsageError("--days goes with suspend, and only with it.")
    if target is None:
        chosen = asyncio.run(_subject(how["tracker"], case_id, action, operator_key()))
    else:
        chosen = target_of(target)
    _decide(chosen, action, case_id=case_id, days=days, **how)


@click.command("dismiss")
@click.argument("case_id", metavar="CASE")
@_how
def dismiss(case_id: str, **how: Unpack[How]) -> None:
    """Close a case and do nothing. Whoever reported reads the reason."""
    chosen = asyncio.run(_subject(how["tracker"], case_id, "dismiss", operator_key()))
    _decide(chosen, "dismiss", case_id=case_id, **how)


@click.command("ban")
@click.argument("target", metavar=_TARGET)
@_case_option
@_how
def ban(target: str, case_id: str | None, **how: Unpack[How]) -> None:
    """Ban a user, a rig or a network for good; for some days: luckrig admin suspend

    A user's running requests end at every rig within seconds. A rig vanishes from the map.
    """
    _decide(target_of(target), "ban", case_id=case_id, **how)


@click.command("suspend")
@click.argument("target", metavar=_TARGET)
@_days_option(required=True)
@_case_option
@_how
def suspend(target: str, days: int, case_id: str | None, **how: Unpack[How]) -> None:
    """Keep a user, a rig or a network out for some days; it ends by itself."""
    _decide(target_of(target), "suspend", case_id=case_id, days=days, **how)


@click.command("limit")
@click.argument("target", metavar="u1…|n1…")
@_case_option
@_how
def limit(target: str, case_id: str | None, **how: Unpack[How]) -> None:
    """Give a user the limited tier, or take a rig off every list."""
    _decide(target_of(target), "limit", case_id=case_id, **how)


@click.command("hide")
@click.argument("target", metavar="NOTE")
@_case_option
@_how
def hide(target: str, case_id: str | None, **how: Unpack[How]) -> None:
    """Show a note to nobody."""
    _decide(target_of(target), "hide", case_id=case_id, **how)


@click.command("undo")
@click.argument("decision_id", metavar="DECISION")
@reason_option
@json_option
@tracker_option
def undo(decision_id: str, reason: str, as_json: bool, tracker: TrackerAddress) -> None:
    """Take a decision back. An earlier one that still runs holds again."""
    view = asyncio.run(_undo(tracker, decision_id, reason, operator_key()))
    _print_undone(view, as_json=as_json)


@click.command("lift")
@click.argument("target", metavar=f"{_TARGET}|NOTE")
@reason_option
@json_option
@tracker_option
def lift(target: str, reason: str, as_json: bool, tracker: TrackerAddress) -> None:
    """Take back whatever decision holds somebody or something now."""
    view = asyncio.run(_lift(tracker, target_of(target).id, reason, operator_key()))
    _print_undone(view, as_json=as_json)


@click.command("answer")
@click.argument("appeal_id", metavar="APPEAL")
@click.argument("verdict", type=click.Choice(get_args(Verdict)))
@reason_option
@json_option
@tracker_option
def answer(
    appeal_id: str, verdict: Verdict, reason: str, as_json: bool, tracker: TrackerAddress
) -> None:
    """Answer an appeal: the decision stands, or it was wrong.

    Whoever decided can't answer, unless the tracker has no other operator.
    """
    detail = asyncio.run(_answer(tracker, appeal_id, verdict, reason, operator_key()))
    if as_json:
        print_json(detail)
        return
    if verdict == "uphold":
        say("Answered: the decision stands.")
    elif _was_undone(detail, appeal_id):
        say("Answered: the decision is taken back.")
    else:
        say("Answered: the decision was wrong. It stands until you decide anew:")
        case_id = shlex.quote(detail.case.case_id)
        say_line(f"  luckrig admin decide {case_id} ACTION --target ID")


def _decide(
    target: Target,
    action: Action,
    *,
    case_id: str | None,
    days: int | None = None,
    **how: Unpack[How],
) -> None:
    if action not in ("dismiss", *ACTIONS[target.kind]):
        allowed = ", ".join(ACTIONS[target.kind])
        raise LuckrigError(
            "invalid_request",
            f"What can be done to a {SUBJECT_WORDS[target.kind]}: {allowed}.",
            param="action",
        )
    request = DecisionRequest(
        case_id=case_id,
        target_kind=target.kind,
        target_id=target.id,
        action=action,
        ground=how["ground"],
        rule=how["rule"],
        reason=how["reason"],
        days=days,
    )
    view = asyncio.run(_send(how["tracker"], request, operator_key()))
    if how["as_json"]:
        print_json(view)
        return
    decision, decision_id = view.notice, view.notice.decision_id
    if action == "dismiss":
        say_line(f"Dismissed case {case_id}.")
    else:
        done = outcome(decision, now=time.time())
        what = f"{SUBJECT_WORDS[decision.target_kind].capitalize()} {decision.target_id}"
        say_line(f"{what}: {done}.")
    undo_it = f"luckrig admin undo {shlex.quote(decision_id)}"
    note(safe_line(f"Decision {decision_id}; undo it: {undo_it}"))


def _print_undone(view: DecisionView, *, as_json: bool) -> None:
    if as_json:
        print_json(view)
        return
    decision = view.notice
    what = f"{SUBJECT_WORDS[decision.target_kind]} {decision.target_id}"
    say_line(f"Taken back: {what} is no longer {DONE[decision.action]}.")
    note("Another decision that still runs holds again; `luckrig admin lift` takes that back, too.")


def _was_undone(detail: CaseDetail, appeal_id: str) -> bool:
    appealed = {each.decision_id for each in detail.appeals if each.appeal_id == appeal_id}
    return any(
        each.notice.decision_id in appealed and each.notice.undone_at is not None
        for each in detail.decisions
    )


async def _subject(
    address: TrackerAddress, case_id: str, action: Action, key: PrivateKey
) -> Target:
    """What was reported; for a dismissal, which does nothing, the nearest thing to it."""
    from luckrig.client.operators import case

    async with ask_tracker(address) as client:
        targets = (await case(client, case_id, operator_key=key)).targets
    for target in targets:
        if action == "dismiss":
            return Target(target.kind, target.id)
        if target.relation == "subject" and action in ACTIONS[target.kind]:
            return Target(target.kind, target.id)
    choices = "; ".join(f"{each.relation} {each.id}" for each in targets)
    raise LuckrigError("invalid_request", f"Say whom or what with --target: {choices}.")


async def _send(address: TrackerAddress, request: DecisionRequest, key: PrivateKey) -> DecisionView:
    from luckrig.client.operators import decide as send

    async with ask_tracker(address) as client:
        return await send(client, request, operator_key=key)


async def _undo(
    address: TrackerAddress, decision_id: str, reason: str, key: PrivateKey
) -> DecisionView:
    from luckrig.client.operators import undo as send

    async with ask_tracker(address) as client:
        return await send(client, decision_id, reason=reason, operator_key=key)


async def _lift(
    address: TrackerAddress, target_id: str, reason: str, key: PrivateKey
) -> DecisionView:
    from luckrig.client.operators import lift as send

    async with ask_tracker(address) as client:
        return await send(client, target_id, reason=reason, operator_key=key)


async def _answer(
    address: TrackerAddress, appeal_id: str, verdict: Verdict, text: str, key: PrivateKey
) -> CaseDetail:
    from luckrig.client.operators import answer as send

    async with ask_tracker(address) as client:
        upholds = verdict == "uphold"
        return await send(client, appeal_id, uphold=upholds, text=text, operator_key=key)
