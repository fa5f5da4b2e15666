"""Cases as operators see them in a terminal. Reports are the most hostile text there is."""

from collections.abc import Sequence
from typing import Final

from luckrig.cli.moments import due, utc
from luckrig.cli.nodes import SHORT_ID_CHARS
from luckrig.cli.output import Cell, Column, print_facts, print_table, safe_line, say
from luckrig.cli.statements import (
    CATEGORY_WORDS,
    SUBJECT_WORDS,
    Fact,
    appeal_facts,
    holds,
    notice_facts,
    outcome,
)
from luckrig.protocol.desk import (
    CaseDetail,
    CasePage,
    CaseView,
    DecisionView,
    HoldView,
    ReportView,
    TargetChoice,
)
from luckrig.protocol.reports import SubjectKind

_GRAVE: Final = 5
_SHORT: Final = {"intimate_images": "images"}
"""With it a row has 79 columns at most."""
_COLUMNS: Final = (
    Column("Case", min_width=16),
    Column("About"),
    Column("Category"),
    Column("Due"),
    Column("Reports", justify="right"),
    Column(""),
)


def print_cases(cases: Sequence[CaseView], *, now: float) -> None:
    """A table of cases, in the order they came."""
    rows: list[list[Cell | str]] = []
    for case in cases:
        grave = "bold red" if case.severity >= _GRAVE else ""
        marks = [f"{case.appeals} appeal{'s' * (case.appeals > 1)}"] * bool(case.appeals)
        rows.append(
            [
                safe_line(case.case_id),
                safe_line(short_subject(case.subject_kind, case.subject_id)),
                Cell(_SHORT.get(case.category, CATEGORY_WORDS[case.category]), grave),
                _due(case, now=now),
                str(case.reports),
                " ".join([*marks, *["held"] * case.held]),
            ]
        )
    print_table(_COLUMNS, rows)


def print_page(page: CasePage, cases: Sequence[CaseView], *, appealed: bool, now: float) -> None:
    """The list, and how much there is of it."""
    if not cases:
        say("No appeal waits for an answer." if appealed else "No case is open.")
    else:
        print_cases(cases, now=now)
    say(f"\n{page.open} open, {page.appealed} with an appeal. `luckrig admin case ID` shows one.")


def short_subject(kind: SubjectKind, subject_id: str) -> str:
    """What a case is about, as short as a table needs it."""
    shown = subject_id if kind == "note" else subject_id[:SHORT_ID_CHARS]
    return f"{SUBJECT_WORDS[kind]} {shown[:SHORT_ID_CHARS]}"


def print_case(detail: CaseDetail, *, now: float) -> None:
    """One case with all about it."""
    case = detail.case
    facts: list[Fact] = [
        ("category", f"{CATEGORY_WORDS[case.category]}, severity {case.severity} of 7"),
        ("opened", utc(case.opened_at)),
        _state(case, now=now),
    ]
    if detail.hold is not None:
        facts += _hold_facts(detail.hold)
    facts.append(("says", (detail.excerpt or "(nothing, or gone)").strip()))
    title = f"Case {case.case_id}: {SUBJECT_WORDS[case.subject_kind]} {case.subject_id}"
    print_facts(Cell(title, "bold"), facts)
    _section("To decide about", _target_facts(detail.targets, now=now))
    for report in detail.reports:
        _section(f"Report of {utc(report.received_at)}", _report_facts(report))
    if case.reports > len(detail.reports):
        say(f"\nand {case.reports - len(detail.reports)} older reports")
    for decision in detail.decisions:
        _section(f"Decision {decision.notice.decision_id}", _decision_facts(decision, now=now))
    for appeal in detail.appeals:
        _section(f"Appeal against {appeal.decision_id}", appeal_facts(appeal))
    if detail.earlier:
        say("\nEarlier cases about the same")
        print_cases(detail.earlier, now=now)


def _decision_facts(decision: DecisionView, *, now: float) -> list[Fact]:
    """A decision with who made it, and who took it back."""
    notice = decision.notice
    target = f"{SUBJECT_WORDS[notice.target_kind]} {notice.target_id}"
    style = "red" if holds(notice, now=now) else ""
    facts: list[Fact] = [
        ("about", target),
        ("outcome", Cell(outcome(notice, now=now), style)),
        ("by", decision.decided_by),
        *notice_facts(notice)[1:],
    ]
    if decision.undone_by is not None:
        facts.append(("taken back by", decision.undone_by))
    return facts


def _section(title: str, facts: Sequence[Fact]) -> None:
    say("")
    print_facts(Cell(title, "bold"), facts)


def _state(case: CaseView, *, now: float) -> Fact:
    if case.closed_at is not None:
        return ("decided", utc(case.closed_at))
    style = "red" if case.due_at < now else ""
    return ("due", Cell(f"{utc(case.due_at)}, {due(case.due_at, now=now)}", style))


def _due(case: CaseView, *, now: float) -> Cell:
    if case.closed_at is not None:
        return Cell("decided", "dim")
    return Cell(due(case.due_at, now=now), "red" if case.due_at < now else "")


def _hold_facts(hold: HoldView) -> list[Fact]:
    return [
        ("held", Cell(f"{utc(hold.since)} to {utc(hold.until)}, by {hold.by}", "yellow")),
        ("", hold.reason),
        ("", "\n".join(hold.subjects)),
    ]


def _target_facts(targets: Sequence[TargetChoice], *, now: float) -> list[Fact]:
    facts: list[Fact] = []
    for target in targets:
        name = target.relation if target.relation != "subject" else "reported"
        label = f"  {target.label}" if target.label else ""
        facts.append((name, f"{SUBJECT_WORDS[target.kind]} {target.id}{label}"))
        if target.in_force is not None:
            facts.append(("", Cell(f"now {outcome(target.in_force, now=now)}", "red")))
    return facts


def _report_facts(report: ReportView) -> list[Fact]:
    signed = [f"signed by {report.reporter_id}"] * (report.reporter_id is not None)
    trusted = ["a trusted notifier"] * report.trusted
    sender = f"{report.name or ''} <{report.email}>" if report.email else report.name or ""
    who = ", ".join([sender.strip() or "no name", *signed, *trusted])
    facts: list[Fact] = [
        ("category", f"{CATEGORY_WORDS[report.category]}, due {utc(report.due_at)}"),
        ("from", who),
        ("what is wrong", "(deleted)" if report.reason is None else report.reason),
    ]
    if report.evidence:
        facts.append(("evidence", report.evidence))
    if report.copyright is not None:
        claim = report.copyright
        facts += [
            ("work", claim.work),
            ("address", f"{claim.address}\n{claim.phone}"),
            ("signature", claim.signature),
        ]
    if report.language != "en":
        facts.append(("answer in", report.language))
    return facts
