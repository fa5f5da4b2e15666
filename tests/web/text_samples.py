"""The pages of words and numbers, with an operator who has said everything and one who hasn't."""

from collections.abc import Iterator

from luckrig.protocol.reports import ACTIONS, CATEGORIES
from luckrig.protocol.transparency import (
    ActionCount,
    AppealCounts,
    CategoryNotices,
    OpenCases,
    Provisional,
    TransparencyReport,
    Undone,
)
from luckrig.tracker.domain.stored_data import TABLES
from luckrig.web.pages import Page, Site
from luckrig.web.text_pages import (
    AboutPage,
    CompliancePage,
    Operator,
    PrivacyPage,
    TermsPage,
)
from luckrig.web.transparency_page import TransparencyPage
from tests.web.rigs import SITE

ROOT_ID = "r1" + "a" * 32
OPERATOR = Operator(
    name="Rig Commons e.V.",
    contact="desk@tracker.example",
    jurisdiction="Germany, courts of Freiburg",
    address="Rig Commons\nSome Street 1\n79098 Freiburg",
    dmca_agent="Kim Agent\n+49 000",
)


def text_pages(site: Site = SITE) -> Iterator[tuple[str, Page]]:
    """Every such page, with a name."""
    for kind, operator in (("", OPERATOR), (" bare", Operator())):
        yield f"terms{kind}", TermsPage(site=site, operator=operator)
        yield f"privacy{kind}", PrivacyPage(site=site, operator=operator, stored=tuple(TABLES))
        yield f"compliance{kind}", CompliancePage(site=site, operator=operator)
        yield f"about{kind}", AboutPage(site=site, operator=operator, root_id=ROOT_ID)
    yield "transparency", TransparencyPage(site=site, report=_report())


def _report() -> TransparencyReport:
    """A busy half-year: large numbers, and many periods."""
    return TransparencyReport(
        version=1,
        tracker=ROOT_ID,
        period="2026-H2",
        since=1_782_864_000,
        until=1_798_761_600,
        as_of=1_790_000_000,
        complete=False,
        notices=[
            CategoryNotices(
                category=category,
                received=123_456,
                trusted=1_234,
                decided=98_765,
                late=4_321,
                median_seconds=None if category == "terms" else 123_456,
            )
            for category in CATEGORIES
        ],
        actions=[
            ActionCount(action=action, target_kind=kind, law=1_234, terms=12_345, total=13_579)
            for kind, actions in ACTIONS.items()
            for action in actions
        ],
        automated=0,
        provisional=Provisional(hidden=12, ended=11, waiting=1),
        undone=Undone(after_appeal=34, otherwise=5),
        appeals=AppealCounts(
            received=321,
            by_affected=300,
            by_reporter=21,
            upheld=200,
            overturned=34,
            same_reviewer=0,
            median_seconds=400_000,
            open=87,
        ),
        open_cases=OpenCases(total=1_234, late=56),
        periods=[f"{year}-{month:02}" for year in (2026, 2025) for month in range(12, 0, -1)],
    )
