"""The commands of `luckrig report`."""

import asyncio
import os
import re
import secrets
from pathlib import Path
from typing import Final, TypedDict, Unpack, get_args

import click

from luckrig.cli.asking import (
    CLAIM_QUESTIONS,
    agree,
    ask,
    ask_form,
    can_ask,
    choose,
    need,
    read_form,
)
from luckrig.cli.home import Home
from luckrig.cli.lazy import DefaultGroup
from luckrig.cli.options import ask_tracker, json_option, tracker_option
from luckrig.cli.output import note, print_json
from luckrig.cli.report.showing import (
    CATEGORY_HELP,
    Sent,
    print_preview,
    print_receipt,
    print_status,
)
from luckrig.cli.report.subject import Subject, find_subject, place_of
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import (
    MAX_EMAIL_CHARS,
    MAX_NAME_CHARS,
    MAX_REPORT_CHARS,
    AppealText,
    Category,
    CopyrightClaim,
    Language,
    ReportReply,
    ReportRequest,
    ReportStatus,
    check_report,
)

_FORM_ID_BYTES: Final = 24
_DASHED_TICKET: Final = re.compile(r"-[A-Za-z0-9_-]{42}")


class ReportGroup(DefaultGroup):
    """`luckrig report n1…` is `luckrig report new n1…`: nobody upset looks for a subcommand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Part of click's interface."""
        # A ticket may begin with a dash, which click would take for an option.
        return super().parse_args(
            ctx, [f"/report/{each}" if _DASHED_TICKET.fullmatch(each) else each for each in args]
        )


class Wrong(TypedDict):
    """What the command line says of a report; None: not said."""

    category: Category | None
    reason: str | None
    evidence: str | None
    name: str | None
    email: str | None
    language: Language


@click.group("report", cls=ReportGroup, default="new")
def command() -> None:
    """Tell a tracker's operators what is wrong.

    \b
        luckrig report n1…             a rig, by its id or name
        luckrig report u1…             a user
        luckrig report NOTE            a note, by its id
        luckrig report n1…/REQUEST     a reply, by its luckrig-request

    It asks for what it needs; `luckrig report new -h` lists the options. Anybody may report, with
    or without a key. A person reads it and decides; you get a private address that shows what.
    """


@command.command()
@click.argument("subject", metavar="[ID]", required=False)
@click.option(
    "--category",
    type=click.Choice(get_args(Category)),
    metavar="CATEGORY",
    help="child_safety or intimate_images (decided within 48 h); threat, privacy, illegal or"
    " copyright (72 h); terms (7 days).",
)
@click.option("--reason", metavar="TEXT", help=f"What is wrong; {MAX_REPORT_CHARS} characters.")
@click.option("--evidence", metavar="TEXT", help="Where it can be seen: addresses, quotes, times.")
@click.option("--name", help="Your name; only child_safety goes without.")
@click.option("--email", help="Your e-mail address, as above.")
@click.option(
    "--copyright",
    "claim_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What a copyright notice needs, in TOML: work, address, phone, signature, accurate.",
)
@click.option(
    "--language", type=click.Choice(get_args(Language)), default="en", help="To be answered in."
)
@click.option("--signed", is_flag=True, help="Sign with your key; trusted notifiers need to.")
@click.option(
    "--yes", is_flag=True, help="State that you report in good faith, and send without a question."
)
@json_option
@tracker_option
def new(
    subject: str | None,
    claim_file: Path | None,
    signed: bool,
    yes: bool,
    as_json: bool,
    tracker: TrackerAddress,
    **wrong: Unpack[Wrong],
) -> None:
    """Report a rig, a note, a user or a reply."""
    if not yes and not can_ask():
        raise click.UsageError("--yes states that you report in good faith; nobody can be asked.")
    key = Home.from_env(os.environ).load("user") if signed else None
    about = need(subject, "ID", lambda: ask("What is it about: id of a rig, user or note"))
    found = asyncio.run(_find(tracker, about))
    report = _filled(found, claim_file, **wrong)
    check_report(report)
    if not yes:
        by = None if key is None else derive_id("u1", key.public)
        print_preview(report, origin=tracker.origin, signed_by=by)
        if not agree("You report this in good faith, and it is true as far as you know?"):
            note("Nothing was sent.")
            raise click.exceptions.Exit(1)
    reply = asyncio.run(_send(tracker, report, key))
    if as_json:
        print_json(Sent(receipt=reply, report=report))
    else:
        print_receipt(reply)


@command.command()
@click.argument("ticket", metavar="TICKET-OR-URL")
@json_option
@tracker_option
def status(ticket: str, as_json: bool, tracker: TrackerAddress) -> None:
    """Show what has become of a report."""
    place, checked = place_of(ticket, tracker)
    found = asyncio.run(_status(place, checked))
    if as_json:
        print_json(found)
    else:
        print_status(found, ticket=checked, origin=place.origin)


@command.command()
@click.argument("ticket", metavar="TICKET-OR-URL")
@click.option("--text", help="Why the decision is wrong.")
@click.option("--decision", metavar="ID", help="Which one.  [default: the last]")
@json_option
@tracker_option
def appeal(
    ticket: str, text: str | None, decision: str | None, as_json: bool, tracker: TrackerAddress
) -> None:
    """Have another operator look at what was decided about your report."""
    place, checked = place_of(ticket, tracker)
    said = need(
        text, "--text", lambda: ask("Why is the decision wrong", max_chars=MAX_REPORT_CHARS)
    )
    found = asyncio.run(_appeal(place, checked, decision, said))
    if as_json:
        print_json(found)
    else:
        print_status(found, ticket=checked, origin=place.origin)


def _filled(subject: Subject, claim_file: Path | None, **wrong: Unpack[Wrong]) -> ReportRequest:
    """The report, with answers for what the command line doesn't say."""
    category = wrong["category"] or _ask_category()
    reason = need(
        wrong["reason"], "--reason", lambda: ask("What is wrong", max_chars=MAX_REPORT_CHARS)
    )
    evidence = wrong["evidence"]
    if evidence is None:
        evidence = _optional(
            wrong["reason"], "Where it can be seen: addresses, quotes, times", MAX_REPORT_CHARS
        )
    name, email = _sender(category, wrong["name"], wrong["email"])
    return ReportRequest(
        form_id=secrets.token_urlsafe(_FORM_ID_BYTES),
        subject_kind=subject.kind,
        subject_id=subject.id,
        category=category,
        reason=reason,
        evidence=evidence,
        name=name,
        email=email,
        good_faith=True,  # --yes, or the question that comes before it is sent
        language=wrong["language"],
        copyright=_claim(category, claim_file),
    )


def _ask_category() -> Category:
    if not can_ask():
        raise click.UsageError("Missing option '--category'.", click.get_current_context())
    return choose("What is it", list(CATEGORY_HELP.items()))


def _optional(said: str | None, question: str, max_chars: int) -> str:
    """Asked only in a conversation: whoever gave a reason as an option has said all."""
    if said is not None or not can_ask():
        return ""
    return ask(f"{question} (Enter for none)", default="", max_chars=max_chars)


def _sender(category: Category, name: str | None, email: str | None) -> tuple[str, str]:
    """Name and e-mail address, which the law asks for; child safety is taken without."""
    if category == "child_safety":
        return name or "", email or ""
    return (
        need(name, "--name", lambda: ask("Your name", max_chars=MAX_NAME_CHARS)),
        need(email, "--email", lambda: ask("Your e-mail address", max_chars=MAX_EMAIL_CHARS)),
    )


def _claim(category: Category, file: Path | None) -> CopyrightClaim | None:
    if file is not None:
        return read_form(file, CopyrightClaim)
    if category != "copyright":
        return None
    if not can_ask():
        raise click.UsageError("Missing option '--copyright'.", click.get_current_context())
    return ask_form(CopyrightClaim, CLAIM_QUESTIONS)


async def _find(address: TrackerAddress, text: str) -> Subject:
    async with ask_tracker(address) as client:
        return await find_subject(client, text)


async def _send(
    address: TrackerAddress, report: ReportRequest, key: PrivateKey | None
) -> ReportReply:
    from luckrig.client.reports import send_report

    async with ask_tracker(address) as client:
        return await send_report(client, report, reporter_key=key)


async def _status(address: TrackerAddress, ticket: str) -> ReportStatus:
    from luckrig.client.reports import report_status

    async with ask_tracker(address) as client:
        return await report_status(client, ticket)


async def _appeal(
    address: TrackerAddress, ticket: str, decision_id: str | None, text: str
) -> ReportStatus:
    from luckrig.client.reports import appeal_report, report_status

    async with ask_tracker(address) as client:
        if decision_id is None:
            decisions = (await report_status(client, ticket)).decisions
            if not decisions:
                raise LuckrigError("appeal_refused", "Nothing has been decided yet.")
            decision_id = decisions[-1].decision_id
        appeal_text = AppealText(decision_id=decision_id, text=text)
        return await appeal_report(client, ticket, appeal_text)
