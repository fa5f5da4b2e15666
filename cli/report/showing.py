"""What a report looks like before it is sent, its receipt, and what has become of it."""

import shlex
import time
from typing import Final

import msgspec

from luckrig.cli.moments import due, utc
from luckrig.cli.output import Cell, note, print_facts, say, say_line
from luckrig.cli.statements import CATEGORY_WORDS, SUBJECT_WORDS, Fact, print_notice
from luckrig.protocol.reports import CATEGORIES, Category, ReportReply, ReportRequest, ReportStatus

CATEGORY_HELP: Final[dict[Category, str]] = {
    "child_safety": "sexual exploitation of children; needs no name",
    "intimate_images": "intimate images of somebody who never agreed to it",
    "threat": "a threat, or danger to somebody",
    "privacy": "somebody's private data",
    "illegal": "illegal in another way",
    "copyright": "a copyright notice, 17 USC 512(c)(3)",
    "terms": "against this tracker's terms: spam, deception, abuse",
}


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """What `luckrig report --json` prints."""

    receipt: ReportReply
    report: ReportRequest


def print_preview(report: ReportRequest, *, origin: str, signed_by: str | None) -> None:
    """All that is about to be sent, and to whom; on stderr, for a question follows."""
    facts: list[Fact] = [
        ("about", f"{SUBJECT_WORDS[report.subject_kind]} {report.subject_id}"),
        ("category", _category(report.category)),
        ("what is wrong", report.reason),
    ]
    if report.evidence:
        facts.append(("evidence", report.evidence))
    sender = f"{report.name} <{report.email}>" if report.email else report.name
    facts.append(("from", sender.strip() or "nobody: without your name"))
    if report.copyright is not None:
        claim = report.copyright
        facts += [
            ("work", claim.work),
            ("address", f"{claim.address}\n{claim.phone}"),
            ("signature", f"{claim.signature}, under penalty of perjury"),
        ]
    if signed_by is not None:
        facts.append(("signed by", signed_by))
    print_facts(Cell(f"To the operators of {origin}", "bold"), facts, stderr=True)
    note("They read all of it. Whoever it is about reads only the decision.")


def print_receipt(reply: ReportReply) -> None:
    """The private address, and until when a decision is due."""
    say(f"Reported. A person decides, by {utc(reply.due_at)}. What becomes of it:")
    say_line(reply.page)
    note("Keep this address to yourself: whoever has it reads and may appeal the decision.")


def print_status(status: ReportStatus, *, ticket: str, origin: str) -> None:
    """What has become of a report."""
    now = time.time()
    about = f"{SUBJECT_WORDS[status.subject_kind]} {status.subject_id}"
    state = "waits for a decision" if status.closed_at is None else "decided"
    facts: list[Fact] = [
        ("category", CATEGORY_WORDS[status.category]),
        ("received", utc(status.received_at)),
    ]
    if status.closed_at is None:
        style = "" if status.due_at >= now else "yellow"
        facts.append(("due", Cell(f"{utc(status.due_at)}, {due(status.due_at, now=now)}", style)))
    else:
        facts.append(("decided", utc(status.closed_at)))
    print_facts(Cell(f"Report about {about}: {state}", "bold"), facts)
    for decision in status.decisions:
        say("")
        page = shlex.quote(f"{origin}/report/{ticket}")
        chosen = (
            f" --decision {shlex.quote(decision.decision_id)}" if len(status.decisions) > 1 else ""
        )
        how = None if decision.automated else f"luckrig report appeal {page}{chosen}"
        print_notice(decision, now=now, appeal_with=how)


def _category(category: Category) -> str:
    return f"{CATEGORY_WORDS[category]}, to be decided within {CATEGORIES[category].hours} h"
