"""/transparency: every number is counted from what happened, when it happened."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from luckrig.protocol.errors import PeerError
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import ACTIONS, CATEGORIES, Category
from luckrig.protocol.transparency import (
    ActionCount,
    AppealCounts,
    CategoryNotices,
    OpenCases,
    Provisional,
    TransparencyReport,
    Undone,
)
from luckrig.tracker.domain.cases import AppealRecord, DecisionRecord, ReportRecord, due_at
from luckrig.tracker.domain.transparency import (
    Facts,
    count,
    current_year,
    parse_period,
    periods_of,
)
from luckrig.tracker.service.transparency import READ_EVERY_SECONDS, TransparencyService
from luckrig.tracker.store.counters import Counters
from luckrig.tracker.store.interface import Store
from luckrig.tracker.store.memory_cases import MemoryCases
from tests.tracker.factories import NOW, make_node, owner_key, seeded
from tests.tracker.trackers import Clock, running_tracker

HOUR, DAY = 3600, 86_400
ROOT = "r1" + "a" * 32
USER = "u1" + "b" * 32
NODE = "n1" + "c" * 32


def at(text: str) -> int:
    """2026-11-21 08:30 UTC -> Unix seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def a_report(
    case: str,
    received: str,
    *,
    category: Category = "terms",
    trusted: bool = False,
    number: int = 0,
) -> ReportRecord:
    """A report with texts that must never be shown."""
    received_at = at(received)
    return ReportRecord(
        report_id=f"{case}-{number}",
        case_id=case,
        ticket_hash=f"{case}-{number}",
        subject_kind="node",
        subject_id=NODE,
        category=category,
        reason="MARKER",
        evidence="MARKER",
        name="MARKER",
        email="MARKER@example.org",
        claim=None,
        language="en",
        reporter_id=USER,
        trusted=trusted,
        received_at=received_at,
        due_at=due_at(category, received_at),
    )


def a_decision(name: str, decided: str, **changes: Any) -> DecisionRecord:
    """A ban of a rig, on the terms, unless the changes say otherwise."""
    decision = DecisionRecord(
        decision_id=name,
        case_id=None,
        target_kind="node",
        target_id=NODE,
        action="ban",
        category=None,
        ground="terms",
        rule="",
        reason="MARKER",
        decided_by=USER,
        decided_at=at(decided),
    )
    return replace(decision, **changes)


def an_appeal(name: str, decision: str, received: str, **changes: Any) -> AppealRecord:
    """The affected one's, unanswered unless the changes say otherwise."""
    appeal = AppealRecord(
        appeal_id=name,
        decision_id=decision,
        by="affected",
        appellant=USER,
        text="MARKER",
        counter_notice=None,
        received_at=at(received),
    )
    return replace(appeal, **changes)


STORY = Facts(
    reports=[
        a_report("c1", "2026-01-10", category="child_safety", trusted=True),
        a_report("c1", "2026-01-10 02:00", category="child_safety", number=1),
        a_report("c2", "2026-03-01", category="copyright"),
        a_report("c3", "2026-06-30 23:59:59"),
        a_report("c4", "2026-12-31 20:00"),
    ],
    decisions=[
        a_decision("d1", "2026-01-10", case_id="c1", action="hide", automated=True, ground="law",
                   undone_at=at("2026-01-10 10:00")),
        a_decision("d2", "2026-01-10 10:00", case_id="c1", ground="law", category="child_safety"),
        a_decision("d3", "2026-03-09", case_id="c2", action="dismiss"),
        a_decision("d4", "2026-07-01 00:00", case_id="c3", target_kind="user", action="suspend",
                   undone_at=at("2026-08-01")),
        a_decision("d5", "2026-07-02", target_kind="network", action="suspend",
                   undone_at=at("2027-01-05")),
    ],
    appeals=[
        an_appeal("a1", "d4", "2026-07-02", upheld=False, answered_at=at("2026-08-01"),
                  answered_by=USER, answer="MARKER"),
        an_appeal("a2", "d2", "2026-02-01", upheld=True, answered_at=at("2026-02-02"),
                  answered_by=USER, answer="MARKER", same_reviewer=True),
        an_appeal("a3", "d3", "2026-12-20", by="reporter"),
    ],
    read_at=at("2027-02-01"),
)  # fmt: skip


def numbers(period: str, facts: Facts = STORY) -> TransparencyReport:
    return count(facts, parse_period(period, now=facts.read_at), tracker=ROOT)


def of(report: TransparencyReport, category: Category) -> tuple[int, int, int, int, int | None]:
    """received, trusted, decided, late, median."""
    (row,) = [each for each in report.notices if each.category == category]
    return row.received, row.trusted, row.decided, row.late, row.median_seconds


def actions(report: TransparencyReport) -> dict[str, tuple[int, int, int]]:
    """What was done -> law, terms, total; without what nobody did."""
    return {
        f"{row.action} {row.target_kind}": (row.law, row.terms, row.total)
        for row in report.actions
        if row.total
    }


def test_notices_are_counted_by_category_with_the_median_time_to_a_decision() -> None:
    year = numbers("2026")
    assert of(year, "child_safety") == (2, 1, 2, 0, 9 * HOUR)
    assert of(year, "copyright") == (1, 0, 1, 1, 8 * DAY)
    assert of(year, "terms") == (2, 0, 1, 0, 1)
    assert of(year, "threat") == (0, 0, 0, 0, None)
    assert year.notices[0].category == "child_safety"
    assert {row.category for row in year.notices} == set(CATEGORIES)


def test_decisions_are_counted_by_action_target_and_ground() -> None:
    assert actions(numbers("2026")) == {
        "ban node": (1, 0, 1),
        "suspend user": (0, 1, 1),
        "suspend network": (0, 1, 1),
        "dismiss None": (0, 0, 1),
    }


def test_every_kind_of_decision_is_listed_also_when_nobody_made_it() -> None:
    listed = {(row.action, row.target_kind) for row in numbers("2026-04").actions}
    possible = {(action, kind) for kind, actions in ACTIONS.items() for action in actions}
    assert listed == possible | {("dismiss", None)}


def test_what_a_trusted_notifiers_word_hid_is_counted_on_its_own() -> None:
    provisional = numbers("2026-01").provisional
    assert (provisional.hidden, provisional.ended, provisional.waiting) == (1, 1, 0)
    assert numbers("2026-01").automated == 0
    still = replace(STORY, decisions=[replace(STORY.decisions[0], undone_at=None)])
    assert numbers("2026", still).provisional.waiting == 1


@pytest.mark.parametrize("changes", [{"action": "ban"}, {"case_id": None}, {"action": "dismiss"}])
def test_a_decision_by_a_program_would_be_counted(changes: dict[str, Any]) -> None:
    """So the zero on the page is a result."""
    hidden = STORY.decisions[0]
    facts = replace(STORY, decisions=[*STORY.decisions, replace(hidden, **changes)])
    assert numbers("2026", facts).automated == 1


def test_appeals_are_counted_when_they_come_and_when_they_are_answered() -> None:
    year = numbers("2026").appeals
    assert (year.received, year.by_affected, year.by_reporter) == (3, 2, 1)
    assert (year.upheld, year.overturned, year.same_reviewer) == (1, 1, 1)
    assert year.median_seconds == (1 * DAY + 30 * DAY) / 2
    assert year.open == 1
    july, august = numbers("2026-07").appeals, numbers("2026-08").appeals
    assert (july.received, july.overturned, july.open) == (1, 0, 1)
    assert (august.received, august.overturned, august.open) == (0, 1, 0)


def test_undone_decisions_are_counted_when_they_were_undone() -> None:
    year = numbers("2026").undone
    assert (year.after_appeal, year.otherwise) == (1, 0)
    next_year = numbers("2027").undone
    assert (next_year.after_appeal, next_year.otherwise) == (0, 1)


def test_open_cases_are_those_of_the_periods_end() -> None:
    assert numbers("2026-01").open_cases.total == 0
    assert numbers("2026-06").open_cases == numbers("2026-H1").open_cases
    assert (numbers("2026-H1").open_cases.total, numbers("2026-H1").open_cases.late) == (1, 0)
    march = replace(STORY, read_at=at("2026-03-05"))
    assert (numbers("2026", march).open_cases.total, numbers("2026", march).open_cases.late) == (
        1,
        1,
    )


def test_the_parts_of_a_year_add_up_to_it() -> None:
    year = numbers("2026")
    months = [numbers(f"2026-{month:02}") for month in range(1, 13)]
    for parts in (months, [numbers("2026-H1"), numbers("2026-H2")]):
        for field in ("received", "decided", "late"):
            assert sum(getattr(row, field) for part in parts for row in part.notices) == sum(
                getattr(row, field) for row in year.notices
            )
        assert sum(row.total for part in parts for row in part.actions) == 4
        assert sum(part.appeals.received for part in parts) == year.appeals.received
        assert parts[-1].open_cases == year.open_cases


def test_a_period_that_is_over_never_changes() -> None:
    """However much happens later."""
    before = replace(STORY, read_at=at("2026-07-01"))
    first = numbers("2026-H1", before)
    assert first.complete
    assert msgspec.structs.replace(first, periods=[]) == msgspec.structs.replace(
        numbers("2026-H1"), periods=[]
    )
    assert not numbers("2026", before).complete
    assert numbers("2026", before).as_of == before.read_at + 1


def test_periods_are_those_that_something_happened_in_and_this_year() -> None:
    assert periods_of(replace(STORY, reports=[], decisions=[], appeals=[])) == ["2027"]
    periods = periods_of(STORY)
    assert periods[:5] == ["2027", "2027-H1", "2027-01", "2026", "2026-H2"]
    assert "2026-08" in periods
    assert "2026-05" not in periods
    assert len(periods) == len(set(periods))


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-H1", "2026-01-01", "2026-07-01"),
        ("2026-H2", "2026-07-01", "2027-01-01"),
        ("2024-02", "2024-02-01", "2024-03-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
    ],
)
def test_periods_are_of_the_calendar_in_utc(name: str, since: str, until: str) -> None:
    period = parse_period(name, now=at("2027-01-01"))
    assert (period.since, period.until) == (at(since), at(until))


@pytest.mark.parametrize(
    "name",
    ["", "26", "2026-13", "2026-00", "2026-H3", "2026-h1", "2026-1", "1999", "2026-11-21", "2028",
     "2027-02", "2027-H2", "٢٠٢٦", "2026\n", "2026-H1 ", "=2026", "-2026"],
)  # fmt: skip
def test_what_is_no_period_that_has_begun_is_refused(name: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_period(name, now=at("2027-01-31 23:59:59"))
    assert (caught.value.code, caught.value.param) == ("invalid_request", "period")


def test_the_default_is_the_year_of_now() -> None:
    assert current_year(at("2026-12-31 23:59:59")).name == "2026"
    assert current_year(at("2027-01-01")).name == "2027"


def test_no_id_and_no_text_is_in_the_numbers() -> None:
    text = msgspec.json.encode(numbers("2026")).decode()
    for secret in ("MARKER", USER, NODE, "c1", "d1", "a1"):
        assert f'"{secret}' not in text


class CountedCases(MemoryCases):
    """Counts how often it is read."""

    reads = 0

    async def reports_between(self, since: int, until: int) -> list[ReportRecord]:
        self.reads += 1
        return await super().reports_between(since, until)


async def test_the_store_is_read_once_a_minute_whoever_asks() -> None:
    cases, clock = CountedCases(Counters()), Clock()
    service = TransparencyService(cases, tracker=ROOT, clock=clock)
    for period in (None, "2026", "2026-11", None):
        await service.report(period)
    assert cases.reads == 1
    clock.now += READ_EVERY_SECONDS
    assert (await service.report()).as_of == int(clock.now) + 1
    assert cases.reads == 2


async def test_numbers_are_those_of_what_really_happened(store: Store) -> None:
    """Two reports, one by a trusted notifier, an operator's ban, an appeal: through the API."""
    operator, notifier, owner = PrivateKey(b"o" * 32), PrivateKey(b"n" * 32), owner_key(1)
    names = [derive_id("u1", key.public) for key in (operator, notifier)]
    async with running_tracker(
        store, operators=frozenset(names[:1]), trusted_notifiers=frozenset(names[1:])
    ) as tracker:
        rig = make_node(1)
        assert (await tracker.publish(rig)).status_code == 200
        report = {
            "form_id": "f" * 32,
            "subject_kind": "node",
            "subject_id": rig.node_id,
            "category": "child_safety",
            "reason": "MARKER",
            "good_faith": True,
        }
        trusted = report | {"form_id": "g" * 32}
        assert (await tracker.http.post("/api/v1/reports", json=report)).status_code == 200
        for path, body, key in (
            ("/api/v1/reports", trusted, notifier),
            (
                "/api/v1/admin/decisions",
                {
                    "case_id": None,
                    "target_kind": "node",
                    "target_id": rig.node_id,
                    "action": "ban",
                    "ground": "law",
                    "reason": "MARKER",
                },
                operator,
            ),
        ):
            if "target_id" in body:
                tracker.clock.now += 3 * HOUR
                cases = (await tracker.get("/api/v1/admin/cases", key=operator)).json()
                body |= {"case_id": cases["cases"][0]["case_id"]}
            reply = await tracker.ask(path, json.dumps(body).encode(), key=key)
            assert reply.status_code == 200, reply.text
        appeal = {"decision_id": reply.json()["notice"]["decision_id"], "text": "MARKER"}
        reply = await tracker.ask("/api/v1/me/appeals", json.dumps(appeal).encode(), key=owner)
        assert reply.status_code == 200, reply.text
        reply = await tracker.http.get("/transparency.json")
        page = await tracker.http.get("/transparency")
    assert "MARKER" not in reply.text + page.text
    year = msgspec.json.decode(reply.content, type=TransparencyReport)
    assert of(year, "child_safety") == (2, 1, 2, 0, 3 * HOUR)
    assert actions(year) == {"ban node": (1, 0, 1)}
    assert (year.automated, year.provisional) == (0, Provisional(hidden=1, ended=1, waiting=0))
    assert (year.appeals.received, year.appeals.open) == (1, 1)
    assert year.open_cases.total == 0


async def test_json_has_an_etag_and_says_what_it_cannot_read() -> None:
    async with running_tracker() as tracker:
        reply = await tracker.http.get("/transparency.json")
        report = msgspec.json.decode(reply.content, type=TransparencyReport)
        assert report.period == f"{datetime.fromtimestamp(NOW, UTC):%Y}"
        assert report.periods == [report.period]
        etag = {"if-none-match": reply.headers["etag"]}
        again = await tracker.http.get("/transparency.json", headers=etag)
        assert (again.status_code, again.content) == (304, b"")
        for query in ("period=3000", "period=2026&period=2027", "day=1"):
            refused = await tracker.http.get(f"/transparency.json?{query}")
            assert refused.status_code == 400, query
            assert refused.json()["error"]["code"] == "invalid_request"


async def test_csv_holds_the_same_numbers() -> None:
    async with running_tracker() as tracker:
        reply = await tracker.http.get("/transparency.csv?period=2026")
        assert reply.headers["content-type"].startswith("text/csv; charset=utf-8")
        assert reply.headers["content-disposition"] == (
            'attachment; filename="transparency-2026.csv"'
        )
        rows = list(csv.reader(io.StringIO(reply.text)))
        assert rows[0] == ["measure", "of", "value", "unit"]
        values = {(measure, of): value for measure, of, value, _ in rows[1:]}
        assert len(values) == len(rows) - 1
        assert values["since", "2026"] == str(at("2026-01-01"))
        assert values["automated", ""] == "0"
        assert values["notices_median", "threat"] == ""
        etag = {"if-none-match": reply.headers["etag"]}
        again = await tracker.http.get("/transparency.csv?period=2026", headers=etag)
        assert again.status_code == 304


async def test_a_bad_period_is_an_error_page_on_the_page_and_the_language_is_let_through() -> None:
    async with running_tracker() as tracker:
        assert (await tracker.http.get("/transparency?lang=ja")).status_code == 200
        refused = await tracker.http.get("/transparency?period=<script>")
        assert refused.status_code == 400
        assert "<script>" not in refused.text
        assert refused.headers["content-type"].startswith("text/html")


def random_facts(rng: Random, many: int) -> Facts:
    """Reports, decisions and appeals at random times of one year."""
    start = at("2026-01-01")
    categories = list(CATEGORIES)
    times = [start + rng.randrange(365 * DAY) for _ in range(many)]
    stamps = [f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}" for time in times]
    reports = [
        a_report(f"c{rng.randrange(many)}", stamp, category=rng.choice(categories), number=number)
        for number, stamp in enumerate(stamps)
    ]
    decisions: list[DecisionRecord] = []
    for number in range(many):
        case_id = f"c{rng.randrange(many)}"
        joined = [each.received_at for each in reports if each.case_id == case_id]
        # A case takes reports until a person has decided.
        decided = max(joined, default=start) + rng.randrange(30 * DAY)
        undone = rng.choice([None, decided + rng.randrange(90 * DAY)])
        decisions.append(
            replace(
                a_decision(f"d{number}", "2026-01-01", case_id=case_id),
                decided_at=min(decided, at("2026-12-31 23:59:59")),
                undone_at=undone,
            )
        )
    appeals = [
        an_appeal(f"a{number}", f"d{number}", stamp)
        for number, stamp in enumerate(stamps[: many // 3])
    ]
    return Facts(reports, decisions, appeals, read_at=at("2027-06-01"))


@pytest.mark.parametrize("seed", range(20))
def test_parts_add_up_whatever_happened(seed: int) -> None:
    facts = random_facts(seeded(seed), 60)
    year = numbers("2026", facts)
    months = [numbers(f"2026-{month:02}", facts) for month in range(1, 13)]
    assert sum(row.received for row in year.notices) == 60
    assert sum(row.received for month in months for row in month.notices) == 60
    assert sum(row.decided for month in months for row in month.notices) == sum(
        row.decided for row in year.notices
    )
    assert sum(row.total for month in months for row in month.actions) == 60
    assert year.appeals.received == 20
    for row in (row for month in months for row in month.notices):
        assert (row.median_seconds is None) == (row.decided == 0)
        assert row.late <= row.decided


def test_every_field_is_documented() -> None:
    """docs/TRANSPARENCY.md has a row for each, and names the fields inside."""
    text = (Path(__file__).parents[2] / "docs" / "TRANSPARENCY.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(TransparencyReport.__struct_fields__)
    for type_ in (CategoryNotices, ActionCount, Provisional, Undone, AppealCounts, OpenCases):
        for name in type_.__struct_fields__:
            assert f"`{name}`" in text or name == "category", name
