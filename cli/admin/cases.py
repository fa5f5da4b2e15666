"""`luckrig admin cases`, `case`, `hold` and `release`."""

import asyncio
import time

import click
import msgspec

from luckrig.cli.admin.options import operator_key, private_reason_option
from luckrig.cli.admin.showing import print_case, print_page
from luckrig.cli.moments import utc
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import note, print_json, say
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.desk import CaseDetail, CasePage, CaseView
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import MAX_SUSPENSION_DAYS, MIN_HOLD_DAYS


class CaseList(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig admin cases --json` prints. open, appealed: how many there are in all."""

    cases: list[CaseView]
    open: int
    appealed: int


@click.command("cases")
@click.option("--appealed", is_flag=True, help="Those with an appeal without an answer instead.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=40, show_default=True, help="At most so many."
)
@json_option
@tracker_option
def cases(appealed: bool, limit: int, as_json: bool, tracker: TrackerAddress) -> None:
    """List what waits for a decision, the gravest first, then the most urgent."""
    page, found = asyncio.run(_cases(tracker, appealed, limit, operator_key()))
    if as_json:
        print_json(CaseList(cases=found, open=page.open, appealed=page.appealed))
    else:
        print_page(page, found, appealed=appealed, now=time.time())


@click.command("case")
@click.argument("case_id", metavar="CASE")
@json_option
@tracker_option
def case(case_id: str, as_json: bool, tracker: TrackerAddress) -> None:
    """Show one case with all there is to decide it by.

    That an operator looked at a child safety case stands in the audit log.
    """
    detail = asyncio.run(_case(tracker, case_id, operator_key()))
    if as_json:
        print_json(detail)
        return
    print_case(detail, now=time.time())
    if detail.case.closed_at is None:
        note(f"\nluckrig admin decide {case_id} dismiss|limit|hide|suspend|ban --target ID")


@click.command("hold")
@click.argument("case_id", metavar="CASE")
@click.option(
    "--days",
    type=click.IntRange(MIN_HOLD_DAYS, MAX_SUSPENSION_DAYS),
    default=MIN_HOLD_DAYS,
    show_default=True,
    help="From now on.",
)
@private_reason_option
@json_option
@tracker_option
def hold(case_id: str, days: int, reason: str, as_json: bool, tracker: TrackerAddress) -> None:
    """Keep all that a case is about, whatever anybody deletes: a legal hold."""
    detail = asyncio.run(_hold(tracker, case_id, days, reason, operator_key()))
    if as_json:
        print_json(detail)
    elif detail.hold is not None:
        say(f"Case {case_id} is held until {utc(detail.hold.until)}.")


@click.command("release")
@click.argument("case_id", metavar="CASE")
@private_reason_option
@json_option
@tracker_option
def release(case_id: str, reason: str, as_json: bool, tracker: TrackerAddress) -> None:
    """End a legal hold: what was to be deleted goes at the next round."""
    detail = asyncio.run(_hold(tracker, case_id, 0, reason, operator_key()))
    if as_json:
        print_json(detail)
    else:
        say(f"Case {case_id} is no longer held.")


async def _cases(
    address: TrackerAddress, appealed: bool, limit: int, key: PrivateKey
) -> tuple[CasePage, list[CaseView]]:
    from luckrig.client.operators import cases as fetch

    found: list[CaseView] = []
    async with ask_tracker(address) as client:
        page = await fetch(client, operator_key=key, appealed=appealed)
        found += page.cases
        while page.next is not None and page.cases and len(found) < limit:
            page = await fetch(client, operator_key=key, appealed=appealed, after=page.next)
            found += page.cases
    return page, found[:limit]


async def _case(address: TrackerAddress, case_id: str, key: PrivateKey) -> CaseDetail:
    from luckrig.client.operators import case as fetch

    async with ask_tracker(address) as client:
        return await fetch(client, case_id, operator_key=key)


async def _hold(
    address: TrackerAddress, case_id: str, days: int, reason: str, key: PrivateKey
) -> CaseDetail:
    from luckrig.client.operators import hold as put

    async with ask_tracker(address) as client:
        return await put(client, case_id, days=days, reason=reason, operator_key=key)
