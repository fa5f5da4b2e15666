"""/transparency: a period's numbers, and the same as CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar, Final

from luckrig.protocol.transparency import Seconds, TransparencyReport
from luckrig.web.languages import Words
from luckrig.web.pages import Site
from luckrig.web.tables import write_csv

CSV_HEADER: Final = ("measure", "of", "value", "unit")

Row = tuple[str, str, int | None, str]
"""measure, of what, the value or None, its unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a table: a label, then numbers as they are printed."""

    label: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransparencyPage:
    """One period's numbers."""

    template: ClassVar[str] = "transparency.html"

    site: Site
    report: TransparencyReport

    @property
    def notices(self) -> list[Line]:
        """Received, by trusted notifiers, decided, late, median time."""
        lines = [
            Line(
                label=self.site.words(f"category.{each.category}.name"),
                cells=(
                    f"{each.received:,}",
                    f"{each.trusted:,}",
                    f"{each.decided:,}",
                    f"{each.late:,}",
                    format_duration(each.median_seconds, self.site.words),
                ),
            )
            for each in self.report.notices
        ]
        total = (
            f"{sum(each.received for each in self.report.notices):,}",
            f"{sum(each.trusted for each in self.report.notices):,}",
            f"{sum(each.decided for each in self.report.notices):,}",
            f"{sum(each.late for each in self.report.notices):,}",
            "",  # a median of medians would be a number that nothing took
        )
        return [*lines, Line(label=self.site.words("transparency.all"), cells=total)]

    @property
    def actions(self) -> list[Line]:
        """On a law, on the terms, together."""
        lines: list[Line] = []
        for each in self.report.actions:
            if each.target_kind is None:
                key, grounds = f"transparency.did.{each.action}", ("", "")
            else:
                key = f"transparency.did.{each.action}_{each.target_kind}"
                grounds = (f"{each.law:,}", f"{each.terms:,}")
            label = self.site.words(key)
            lines.append(Line(label=label, cells=(*grounds, f"{each.total:,}")))
        return lines

    @property
    def appeal_time(self) -> str:
        """The median from an appeal to its answer."""
        return format_duration(self.report.appeals.median_seconds, self.site.words)

    @property
    def json_path(self) -> str:
        """The same numbers for machines."""
        return f"/transparency.json?period={self.report.period}"

    @property
    def csv_path(self) -> str:
        """The same numbers for spreadsheets."""
        return f"/transparency.csv?period={self.report.period}"


def format_duration(seconds: Seconds, words: Words) -> str:
    """A median in a language: "3 h 12 min", "2 days 4 h"; "—" where there is none."""
    if seconds is None:
        return "—"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days >= 2:
        return words("transparency.time.days", days=days, hours=hours % 24)
    if hours:
        return words("transparency.time.hours", hours=hours, minutes=minutes % 60)
    if minutes:
        return words("transparency.time.minutes", minutes=minutes)
    return words("transparency.time.seconds", seconds=seconds)


def make_csv(report: TransparencyReport) -> str:
    """RFC 4180, with a line for each number; docs/TRANSPARENCY.md lists the measures."""
    return write_csv(chain([CSV_HEADER], rows(report)))


def rows(report: TransparencyReport) -> Iterator[Row]:
    """Every number of the report. Those of the period itself are Unix seconds."""
    yield ("version", "", report.version, "")
    yield ("since", report.period, report.since, "unix_seconds")
    yield ("until", report.period, report.until, "unix_seconds")
    yield ("as_of", report.period, report.as_of, "unix_seconds")
    yield ("complete", report.period, int(report.complete), "boolean")
    for notices in report.notices:
        yield ("notices_received", notices.category, notices.received, "notices")
        yield ("notices_trusted", notices.category, notices.trusted, "notices")
        yield ("notices_decided", notices.category, notices.decided, "notices")
        yield ("notices_late", notices.category, notices.late, "notices")
        yield ("notices_median", notices.category, notices.median_seconds, "seconds")
    for action in report.actions:
        of = (
            action.action if action.target_kind is None else f"{action.action}_{action.target_kind}"
        )
        yield ("actions_law", of, action.law, "decisions")
        yield ("actions_terms", of, action.terms, "decisions")
        yield ("actions_total", of, action.total, "decisions")
    yield ("automated", "", report.automated, "decisions")
    yield ("provisional", "hidden", report.provisional.hidden, "decisions")
    yield ("provisional", "ended", report.provisional.ended, "decisions")
    yield ("provisional", "waiting", report.provisional.waiting, "decisions")
    yield ("undone", "after_appeal", report.undone.after_appeal, "decisions")
    yield ("undone", "otherwise", report.undone.otherwise, "decisions")
    appeals = report.appeals
    yield ("appeals", "received", appeals.received, "appeals")
    yield ("appeals", "by_affected", appeals.by_affected, "appeals")
    yield ("appeals", "by_reporter", appeals.by_reporter, "appeals")
    yield ("appeals", "upheld", appeals.upheld, "appeals")
    yield ("appeals", "overturned", appeals.overturned, "appeals")
    yield ("appeals", "same_reviewer", appeals.same_reviewer, "appeals")
    yield ("appeals", "median", appeals.median_seconds, "seconds")
    yield ("appeals", "open", appeals.open, "appeals")
    yield ("open_cases", "total", report.open_cases.total, "cases")
    yield ("open_cases", "late", report.open_cases.late, "cases")
