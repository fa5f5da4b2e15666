"""The operators' desk in a browser: what it shows, what its forms do, and how it says no."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from luckrig.protocol.reports import CATEGORIES
from luckrig.tracker.domain.cases import ReportRecord, due_at
from tests.tracker.browsers import Visitor, signed_in, text_of
from tests.tracker.factories import NOW, make_node
from tests.tracker.test_reports import (
    FIRST,
    FIRST_ID,
    OTHER_RIG,
    OWNER,
    OWNER_ID,
    RIG,
    SECOND,
    SECOND_ID,
    appeal,
    listed,
    report,
    statements,
)
from tests.tracker.trackers import Tracker, running_tracker
from tests.web.documents import Document

HOUR, DAY = 3600, 86_400


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker with two rigs and two operators."""
    async with running_tracker(operators=frozenset({FIRST_ID, SECOND_ID})) as running:
        for node in (RIG, OTHER_RIG):
            assert (await running.publish(node)).status_code == 200
        yield running


def case_links(page: Document) -> list[str]:
    """Where the list leads, in its order."""
    return [
        link.get("href") for link in page.all("a") if link.get("href").startswith("/operator/cases")
    ]


async def open_case(desk: Visitor) -> tuple[str, Document]:
    """The first case of the list: its address and its page."""
    path = case_links(await desk.open("/operator"))[0]
    return path, await desk.open(path)


def choices(page: Document, name: str = "what") -> list[str]:
    """What the form's radio buttons send."""
    return [field.get("value") for field in page.all("input") if field.get("name") == name]


async def store_reports(tracker: Tracker, count: int, **changes: Any) -> None:
    """Reports as the store has them: 10,000 through the API would take a minute."""
    for number in range(count):
        record = ReportRecord(
            report_id=f"r{number}",
            case_id=f"case-{number:011}",
            ticket_hash=f"t{number}",
            subject_kind="node",
            subject_id=RIG.node_id,
            category="terms",
            reason=f"reason number {number}",
            evidence="",
            name="A",
            email="a@example.org",
            claim=None,
            language="en",
            reporter_id=None,
            trusted=False,
            received_at=NOW + number,
            due_at=due_at("terms", NOW + number),
        )
        await tracker.store.cases.add_report(
            replace(record, **changes), uses=[], now=NOW, events=[]
        )


async def test_cases_stand_by_severity_then_by_urgency(tracker: Tracker) -> None:
    ids = [make_node(seed).node_id for seed in range(10, 17)]
    for number, (category, node_id) in enumerate(zip(CATEGORIES, ids, strict=True)):
        await store_reports(
            tracker,
            1,
            report_id=f"r-{number}",
            case_id=f"case-of-{number:08}",
            ticket_hash=f"t-{number}",
            subject_id=node_id,
            category=category,
            due_at=NOW + number,
        )
    desk = await signed_in(tracker, FIRST, at="/operator")
    page = await desk.open("/operator")
    assert case_links(page) == [f"/operator/cases/case-of-{number:08}" for number in range(7)]
    text = text_of(page)
    for word in ("gravest child safety", "grave threat", "minor breach of the terms"):
        assert word in text
    assert "Open 7 Appealed 0" in text


async def test_a_late_case_says_how_late(tracker: Tracker) -> None:
    await report(tracker)
    tracker.clock.now += 7 * DAY + 5 * HOUR
    desk = await signed_in(tracker, FIRST)
    assert "5 h late" in text_of(await desk.open("/operator"))


async def test_banning_takes_three_clicks(tracker: Tracker) -> None:
    await report(tracker)
    desk = await signed_in(tracker, FIRST)
    path, page = await open_case(desk)  # 1: the case
    (ban,) = [value for value in choices(page) if value == f"ban node {RIG.node_id}"]  # 2: ban
    reply = await desk.send(  # 3: decide
        f"{path}/decide", what=ban, days="7", ground="law", rule="§ 1", reason="It isn't a 5090."
    )
    assert (reply.status_code, reply.headers["location"]) == (303, path)
    assert await listed(tracker) == {OTHER_RIG.node_id}
    after = text_of(await desk.open(path))
    assert "banned for good" in after and "It isn't a 5090." in after and "§ 1" in after
    (statement,) = await statements(tracker)
    assert statement["reason"] == "It isn't a 5090." and statement["ground"] == "law"
    assert case_links(await desk.open("/operator")) == []


async def test_the_form_offers_what_fits_each_target_and_nothing_else(tracker: Tracker) -> None:
    await report(tracker)
    _, page = await open_case(await signed_in(tracker, FIRST))
    assert choices(page) == [
        *(f"{action} node {RIG.node_id}" for action in ("limit", "suspend", "ban")),
        *(f"{action} user {OWNER_ID}" for action in ("limit", "suspend", "ban")),
        f"dismiss node {RIG.node_id}",
    ]


async def test_a_suspension_has_its_days_and_says_until_when(tracker: Tracker) -> None:
    await report(tracker)
    desk = await signed_in(tracker, FIRST)
    path, _ = await open_case(desk)
    what = f"suspend user {OWNER_ID}"
    reply = await desk.send(
        f"{path}/decide", what=what, days="3", ground="terms", rule="", reason="Spam."
    )
    assert reply.status_code == 303
    (held,) = (await tracker.store.cases.holding(now=tracker.clock.now)).values()
    assert held.expires_at == NOW + 3 * DAY
    assert "Now: suspended until" in text_of(await desk.open(path))


async def test_dismissing_closes_the_case_and_holds_nothing(tracker: Tracker) -> None:
    await report(tracker)
    desk = await signed_in(tracker, FIRST)
    path, _ = await open_case(desk)
    what = f"dismiss node {RIG.node_id}"
    reply = await desk.send(
        f"{path}/decide", what=what, days="7", ground="terms", rule="", reason="It is a 5090."
    )
    assert reply.status_code == 303
    assert await listed(tracker) == {RIG.node_id, OTHER_RIG.node_id}
    assert "closed" in text_of(await desk.open(path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"reason": ""}, "Fill in: reason."),
        ({"reason": "   "}, "Give a reason"),
        ({"reason": "x" * 1001}, "length <= 1000"),
        ({"reason": "a\u202eb"}, "reason"),
        ({"what": ""}, "Fill in: target kind."),
        ({"what": "ban note " + "x" * 20}, "What can be done to a note: hide."),
        ({"what": "explode node x"}, "Invalid enum value"),
        ({"what": "suspend node " + RIG.node_id, "days": "0"}, ">= 1"),
        ({"what": "suspend node " + RIG.node_id, "days": "many"}, "int"),
        ({"what": "suspend node " + RIG.node_id, "days": ""}, "A suspension, and no other"),
        ({"ground": "mood"}, "Invalid enum value"),
        ({"surprise": "1"}, "unknown field"),
    ],
)
async def test_a_form_that_does_not_fit_comes_back_with_what_was_typed(
    tracker: Tracker, changes: dict[str, str], said: str
) -> None:
    await report(tracker)
    desk = await signed_in(tracker, FIRST)
    path, _ = await open_case(desk)
    fields = {
        "what": f"ban node {RIG.node_id}", "days": "7", "ground": "law", "rule": "the one I typed",
        "reason": "What I typed.",
    } | changes  # fmt: skip
    reply = await desk.send(f"{path}/decide", **fields)
    assert reply.status_code == 400
    page = desk.look(reply)
    (problem,) = [element for element in page.all("p") if element.get("role") == "alert"]
    assert said in problem.text
    assert "the one I typed" in reply.text
    assert await listed(tracker) == {RIG.node_id, OTHER_RIG.node_id}


async def test_undoing_needs_a_reason_and_lists_the_rig_again(tracker: Tracker) -> None:
    await report(tracker)
    desk = await signed_in(tracker, FIRST)
    path, _ = await open_case(desk)
    await tracker.decide("ban", RIG.node_id, key=FIRST)
    page = await desk.open(path)
    (decision,) = [each.get("data-decision") for each in page.having("data-decision")]
    assert (await desk.send(f"{path}/undo", decision_id=decision)).status_code == 400
    reply = await desk.send(f"{path}/undo", decision_id=decision, reason="My slip.")
    assert reply.status_code == 303
    assert RIG.node_id in await listed(tracker)
    text = text_of(await desk.open(path))
    assert "taken back" in text and "My slip." in text
    again = await desk.send(f"{path}/undo", decision_id=decision, reason="My slip.")
    assert again.status_code == 409


async def test_another_operator_answers_an_appeal(tracker: Tracker) -> None:
    await report(tracker)
    await tracker.decide("ban", RIG.node_id, key=FIRST)
    (statement,) = await statements(tracker)
    await appeal(tracker, OWNER, decision_id=statement["decision_id"], text="It <b>is</b> one.")
    first, second = await signed_in(tracker, FIRST), await signed_in(tracker, SECOND)
    (path,) = case_links(await first.open("/operator?appealed=1"))
    page = await first.open(path)
    assert "another operator has to answer" in text_of(page)
    assert "It <b>is</b> one." in text_of(page)
    (appeal_id,) = [each.get("data-appeal") for each in page.having("data-appeal")]
    answer = {"appeal_id": appeal_id, "uphold": "false", "answer": "You are right."}
    assert (await first.send(f"{path}/answers", **answer)).status_code == 409
    assert "has to answer" not in text_of(await second.open(path))
    assert (await second.send(f"{path}/answers", **answer)).status_code == 303
    assert RIG.node_id in await listed(tracker)
    text = text_of(await second.open(path))
    assert "the appeal succeeded" in text and "You are right." in text


async def test_the_only_operator_is_told_that_it_will_be_said() -> None:
    async with running_tracker(operators=frozenset({FIRST_ID})) as tracker:
        assert (await tracker.publish(RIG)).status_code == 200
        await tracker.decide("ban", RIG.node_id, key=FIRST)
        (statement,) = await statements(tracker)
        await appeal(tracker, OWNER, decision_id=statement["decision_id"], text="No.")
        desk = await signed_in(tracker, FIRST)
        (path,) = case_links(await desk.open("/operator?appealed=1"))
        page = await desk.open(path)
        assert "the answer will say so" in text_of(page)
        (appeal_id,) = [each.get("data-appeal") for each in page.having("data-appeal")]
        reply = await desk.send(
            f"{path}/answers", appeal_id=appeal_id, uphold="true", answer="It stands."
        )
        assert reply.status_code == 303
        assert "one operator only" in text_of(await desk.open(path))


async def test_a_hold_is_set_and_released(tracker: Tracker) -> None:
    await report(tracker)
    desk = await signed_in(tracker, FIRST)
    path, _ = await open_case(desk)
    short = await desk.send(f"{path}/hold", hold="1", days="30", reason="Court.")
    assert short.status_code == 400 and "365" in short.text
    held = await desk.send(f"{path}/hold", hold="1", days="400", reason="Court.")
    assert held.status_code == 303
    assert "legal hold" in text_of(await desk.open("/operator"))
    assert "Court." in text_of(await desk.open(path))
    assert (await desk.send(f"{path}/hold", hold="1", days="0", reason="Over.")).status_code == 303
    assert "legal hold" not in text_of(await desk.open("/operator"))


async def test_a_rig_nobody_reported_gets_a_case(tracker: Tracker) -> None:
    desk = await signed_in(tracker, FIRST, at="/operator/decide")
    fields = {"ground": "terms", "rule": "", "reason": "Seen myself.", "days": "7"}
    reply = await desk.send(
        "/operator/decide", target_kind="node", target_id=RIG.node_id, action="ban", **fields
    )
    assert reply.status_code == 303
    case = await desk.open(reply.headers["location"])
    assert "an operator opened this case by deciding" in text_of(case)
    assert await listed(tracker) == {OTHER_RIG.node_id}


async def test_a_network_is_banned_and_lifted(tracker: Tracker) -> None:
    desk = await signed_in(tracker, FIRST, at="/operator/decide")
    fields = {"ground": "terms", "rule": "", "reason": "A flood.", "days": "7"}
    reply = await desk.send(
        "/operator/decide", target_kind="network", target_id="203.0.113.9", action="ban", **fields
    )
    assert reply.status_code == 303
    assert "in force" in text_of(await desk.open(reply.headers["location"]))
    assert set(await tracker.store.cases.holding(now=NOW)) == {"203.0.113.0/24"}
    reply = await desk.send("/operator/lift", target_id="203.0.113.0/24", reason="It is over.")
    assert "Lifted." in text_of(await desk.open(reply.headers["location"]))
    assert await tracker.store.cases.holding(now=NOW) == {}
    again = await desk.send("/operator/lift", target_id="203.0.113.0/24", reason="It is over.")
    assert again.status_code == 409
    assert "It is over." in again.text


async def test_what_strangers_wrote_is_text(tracker: Tracker) -> None:
    attack = "</textarea></bdi><script>alert(1)</script>\u202e<img src=x onerror=alert(1)>"
    await report(tracker, reason=attack, evidence=attack, name=attack[:200])
    desk = await signed_in(tracker, FIRST)
    _, page = await open_case(desk)
    assert len(page.all("script")) == 1, "our own"
    assert page.all("img") == []
    texts = [element.text for element in page.all("bdi") if "alert(1)" in element.text]
    assert len(texts) == 3
    assert not any("\u202e" in text for text in texts)


async def test_of_ten_thousand_reports_the_newest_twenty_are_shown(tracker: Tracker) -> None:
    await store_reports(tracker, 10_000)
    desk = await signed_in(tracker, FIRST)
    text = text_of(await desk.open("/operator"))
    assert "10,000 reports" in text
    _, page = await open_case(desk)
    assert len(page.having("data-report")) == 20
    assert "reason number 9999" in text_of(page) and "reason number 9979" not in text_of(page)


async def test_lists_are_paged(tracker: Tracker) -> None:
    for number in range(45):
        await store_reports(
            tracker, 1, report_id=f"r-{number}", case_id=f"case-of-{number:08}",
            ticket_hash=f"t-{number}", subject_id=make_node(number + 10).node_id,
        )  # fmt: skip
    desk = await signed_in(tracker, FIRST)
    seen: list[str] = []
    path: str | None = "/operator"
    while path is not None:
        page = await desk.open(path)
        seen += case_links(page)
        path = next((each.get("href") for each in page.of_class("next")), None)
    assert len(seen) == len(set(seen)) == 45


async def test_the_audit_log_opens_at_its_end_and_can_be_walked_back(tracker: Tracker) -> None:
    for _ in range(60):
        await tracker.decide("limit", RIG.node_id, key=FIRST)
    desk = await signed_in(tracker, FIRST, at="/operator/audit")
    page = await desk.open("/operator/audit")
    text = text_of(page)
    assert "61 lines" in text and "luckrig admin audit verify" in text
    rows = [row for row in page.all("th") if row.get("scope") == "row"]
    assert [row.text for row in rows] == [str(number) for number in range(11, 61)]
    (older,) = [link.get("href") for link in page.all("a") if "after=" in link.get("href")]
    first = await desk.open(older)
    rows = [row for row in first.all("th") if row.get("scope") == "row"]
    assert rows[0].text == "0"
    (newer,) = [link.get("href") for link in first.of_class("next")]
    assert urlsplit(newer).path == "/operator/audit"


async def test_whoever_isnt_signed_in_is_told_how(tracker: Tracker) -> None:
    for path in ("/operator", "/operator/audit", "/operator/decide", "/operator/cases/x"):
        reply = await tracker.http.get(path)
        assert reply.status_code == 401
        assert "luckrig login" in reply.text and "sign_in_required" in reply.text


async def test_an_unknown_case_is_a_page_that_says_so(tracker: Tracker) -> None:
    desk = await signed_in(tracker, FIRST)
    reply = await desk.http.get("/operator/cases/%3Cscript%3E")
    assert reply.status_code == 404
    assert "case_not_found" in reply.text and "<script>" not in reply.text.split("</head>")[1]


async def test_the_desk_speaks_japanese_and_stores_what_it_always_stored(tracker: Tracker) -> None:
    await report(tracker)
    desk = await signed_in(tracker, FIRST)
    page = await desk.open("/operator?lang=ja")
    assert page.elements[0].get("lang") == "ja"
    assert "軽微 利用規約への違反 通報 1 件" in text_of(page)
    path = case_links(page)[0]
    page = await desk.open(path)
    actions = [form.get("action") for form in page.all("form")]
    (action,) = [each for each in actions if each.endswith("/decide?lang=ja")]
    what = f"ban node {RIG.node_id}"
    refused = await desk.send(action, what=what, days="7", ground="law", rule="", reason="")
    (problem,) = [each for each in desk.look(refused).all("p") if each.get("role") == "alert"]
    assert "実行していません。" in problem.text and "Fill in: reason." in problem.text
    reply = await desk.send(action, what=what, days="7", ground="law", rule="", reason="嘘です。")
    assert reply.headers["location"] == path
    assert "無期限の禁止" in text_of(await desk.open(path))
    assert "禁止 " in text_of(await desk.open("/operator/audit?lang=ja"))
    lines = (await tracker.get("/api/v1/admin/audit", key=FIRST)).json()["lines"]
    assert [line["entry"]["event"] for line in lines][-1] == "decided"
    assert lines[-1]["entry"]["detail"] == f"ban {RIG.node_id}"
