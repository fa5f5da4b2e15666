"""The report form and reports' pages in every state that changes their shape."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from luckrig.protocol.reports import (
    ACTIONS,
    CATEGORIES,
    Action,
    AppealView,
    DecisionNotice,
    ReportStatus,
    SubjectKind,
    TargetKind,
)
from luckrig.web.languages import load_languages
from luckrig.web.pages import LanguageLink, Page, Site
from luckrig.web.report_pages import FIELDS, LIMITS, Problem, ReportPage, TicketPage
from tests.web.rigs import NOW, SITE, make_id

NODE_ID = make_id("n1", "reported")
TICKET = "Tk-_" + "a" * 39
FORM_ID = "f" * 32
FILLED: Mapping[str, str] = {
    "subject_kind": "reply",
    "subject_id": f"{NODE_ID}/req_0123456789abcdef",
    "category": "copyright",
    "reason": "It prints my whole novel.\n\nAll of it.",
    "evidence": "https://novel.example/",
    "name": "Ada Author",
    "email": "ada@novel.example",
    "work": "A Novel, https://novel.example/",
    "address": "1 Street\nTown",
    "phone": "+44 20 0000 0000",
    "accurate": "yes",
    "signature": "Ada Author",
    "good_faith": "yes",
}


def site_in(language: str, *, path: str = "/report", contact: str = "ops@luckrig.example") -> Site:
    """What a translated page says of its tracker, asked for with ?lang=."""
    languages = load_languages()
    links = [
        LanguageLink(
            language=code,
            name=words.name,
            path=f"{path}?lang={code}",
            is_current=code == language,
        )
        for code, words in languages.items()
    ]
    return replace(
        SITE, words=languages[language], lang=language, languages=tuple(links), contact=contact
    )


def problems(*, claim: bool) -> dict[str, Problem]:
    """All that can be wrong at once. claim: with the category copyright."""
    limits = {name: Problem("report.error.too_long", limit) for name, limit in LIMITS.items()}
    found = {name: limits.get(name, Problem(f"report.error.{name}")) for name in FIELDS}
    hidden = ("category",) if claim else ("work", "address", "phone", "accurate", "signature")
    return {name: problem for name, problem in found.items() if name not in hidden}


def report_page(language: str, **values: str) -> ReportPage:
    """The form, with some of it filled in."""
    return ReportPage(site=site_in(language), form_id=FORM_ID, values=values)


def make_notice(
    action: Action = "ban",
    kind: TargetKind = "node",
    target_id: str = NODE_ID,
    *,
    text: str = "It says it is a 4090 and is none.",
    appeal: AppealView | None = None,
    expires_at: int | None = None,
    undone_at: int | None = None,
    automated: bool = False,
) -> DecisionNotice:
    """A decision of yesterday."""
    return DecisionNotice(
        decision_id=f"{action}-{kind}-decision",
        target_kind=kind,
        target_id=target_id,
        action=action,
        category="terms",
        ground="terms",
        rule=text[:100],
        reason=text,
        automated=automated,
        decided_at=NOW - 86_400,
        expires_at=expires_at,
        undone_at=undone_at,
        undone_reason=None if undone_at is None else text,
        appeal_until=NOW + 179 * 86_400,
        appeal=appeal,
    )


def make_appeal(text: str = "It is one.", *, answered: bool = False) -> AppealView:
    """The reporter's appeal."""
    return AppealView(
        appeal_id="appeal-0123456789",
        decision_id="ban-node-decision",
        by="reporter",
        text=text,
        received_at=NOW - 3600,
        answered_at=NOW - 60 if answered else None,
        upheld=False if answered else None,
        answer=text if answered else None,
        same_reviewer=answered,
    )


def ticket_page(
    language: str,
    *decisions: DecisionNotice,
    subject_kind: SubjectKind = "node",
    late: bool = False,
) -> TicketPage:
    """A report of two days ago."""
    status = ReportStatus(
        subject_kind=subject_kind,
        subject_id=NODE_ID,
        category="terms",
        received_at=NOW - 2 * 86_400,
        due_at=NOW - 60 if late else NOW + 5 * 86_400,
        closed_at=NOW - 86_400 if decisions else None,
        decisions=list(decisions),
    )
    return TicketPage(
        site=site_in(language, path=f"/report/{TICKET}"), ticket=TICKET, status=status
    )


def sample_pages(language: str) -> Iterator[tuple[str, Page]]:
    """Name → page."""
    form = report_page(language, **FILLED)
    yield "form", report_page(language)
    yield "form prefilled", report_page(language, subject_kind="node", subject_id=NODE_ID)
    for category in CATEGORIES:
        yield f"form {category}", replace(form, values={**FILLED, "category": category})
    yield "form with every fault", replace(report_page(language), problems=problems(claim=False))
    claim = report_page(language, category="copyright")
    yield "form copyright with every fault", replace(claim, problems=problems(claim=True))
    one = {"reason": Problem("report.error.reason")}
    yield "form with one fault", replace(form, values={**FILLED, "reason": ""}, problems=one)
    busy = replace(form, alert="report.error.busy", wait=("error.wait_minutes", 40))
    yield "form too often", busy
    yield "form refused", replace(form, alert="report.error.refused", refused="No.")
    yield "form of yesterday", replace(form, alert="report.error.form")
    waiting = ticket_page(language)
    yield "ticket new", replace(waiting, news="new")
    yield "ticket late", ticket_page(language, late=True)
    yield "ticket dismissed", ticket_page(language, make_notice("dismiss"))
    for kind, actions in ACTIONS.items():
        for action in actions:
            yield f"ticket {action} {kind}", ticket_page(language, make_notice(action, kind))
    yield "ticket hidden", ticket_page(language, make_notice("hide", automated=True))
    undone = make_notice(undone_at=NOW - 60, expires_at=NOW + 86_400)
    yield "ticket undone", ticket_page(language, undone)
    appealed = ticket_page(language, make_notice(appeal=make_appeal()))
    yield "ticket appealed", replace(appealed, news="appealed")
    answered = make_notice(appeal=make_appeal(answered=True), undone_at=NOW - 60)
    yield "ticket answered", ticket_page(language, answered, make_notice("dismiss"))
    for refused in ("missing", "too_long", "appeal_refused", "decision_conflict"):
        yield (
            f"ticket appeal {refused}",
            replace(
                ticket_page(language, make_notice()),
                refused=f"appeal.{refused}",
                appeal_to="ban-node-decision",
                appeal_text="…",
            ),
        )
    old = ticket_page(language, make_notice())
    yield "ticket too late", replace(old, site=replace(old.site, now=NOW + 200 * 86_400))
