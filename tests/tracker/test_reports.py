"""From a report to a decision, an appeal and its answer, through the JSON API."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from luckrig.protocol.errors import CODES
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.reports import CATEGORIES
from luckrig.tracker.domain.receipts import ReceiptRecord, TimingRecord
from luckrig.tracker.domain.records import HandoverRecord
from luckrig.tracker.store.memory import MemoryStore
from tests.tracker.factories import NOW, make_health, make_node, node_key, owner_key
from tests.tracker.trackers import Tracker, running_tracker

FIRST, SECOND, NOTIFIER, READER = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3, 4))
FIRST_ID, SECOND_ID, NOTIFIER_ID, READER_ID = (
    derive_id("u1", key.public) for key in (FIRST, SECOND, NOTIFIER, READER)
)
RIG, OTHER_RIG = make_node(1), make_node(2)
OWNER, OWNER_ID = owner_key(1), derive_id("u1", owner_key(1).public)
HOUR, DAY = 3600, 86_400
CLAIM = {"work": "A poem.", "address": "1 Road", "phone": "1", "accurate": True, "signature": "A"}
COUNTER = {
    "name": "O", "address": "2 Road", "phone": "2", "mistaken": True, "consent": True,
    "signature": "O",
}  # fmt: skip


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker with two rigs, two operators and a trusted notifier."""
    operators, trusted = frozenset({FIRST_ID, SECOND_ID}), frozenset({NOTIFIER_ID})
    async with running_tracker(operators=operators, trusted_notifiers=trusted) as running:
        for node in (RIG, OTHER_RIG):
            assert (await running.publish(node)).status_code == 200
        yield running


def a_report(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A whole report about the first rig."""
    return {
        "form_id": f"form-{number:016}",
        "subject_kind": "node",
        "subject_id": RIG.node_id,
        "category": "terms",
        "reason": "It says RTX 5090 and is a toaster.",
        "evidence": "I have seen it.",
        "name": "Kim Example",
        "email": "kim@example.org",
        "good_faith": True,
    } | changes


async def post(tracker: Tracker, path: str, body: object) -> httpx2.Response:
    """POST JSON as anybody."""
    return await tracker.http.post(path, json=body)


async def report(tracker: Tracker, number: int = 1, **changes: Any) -> Any:
    """Send a report that is taken; its receipt."""
    reply = await post(tracker, "/api/v1/reports", a_report(number, **changes))
    assert reply.status_code == 200, reply.text
    return reply.json()


async def cases(tracker: Tracker, query: str = "", key: PrivateKey = FIRST) -> Any:
    """The list of cases."""
    return (await tracker.get(f"/api/v1/admin/cases{query}", key=key)).json()


async def the_case(tracker: Tracker, key: PrivateKey = FIRST) -> Any:
    """The only open case, whole."""
    (case,) = (await cases(tracker))["cases"]
    return await case_of(tracker, case["case_id"], key)


async def case_of(tracker: Tracker, case_id: str, key: PrivateKey = FIRST) -> Any:
    """A case, whole."""
    return (await tracker.get(f"/api/v1/admin/cases/{case_id}", key=key)).json()


async def admin(tracker: Tracker, what: str, by: PrivateKey = FIRST, **body: Any) -> Any:
    """Ask for something as an operator."""
    return await tracker.ask(f"/api/v1/admin/{what}", json.dumps(body).encode(), key=by)


async def listed(tracker: Tracker) -> set[str]:
    """The rigs on the map."""
    nodes = (await tracker.http.get("/api/v1/nodes")).json()["nodes"]
    return {node["id"] for node in nodes}


def error_of(response: httpx2.Response) -> tuple[int, str, str | None]:
    """Status, code and parameter."""
    error = response.json()["error"]
    assert CODES[error["code"]].status == response.status_code
    return response.status_code, error["code"], error["param"]


# Reports


@pytest.mark.parametrize("category", CATEGORIES)
async def test_receipt_comes_at_once_and_names_the_deadline(
    tracker: Tracker, category: str
) -> None:
    copyright = CLAIM if category == "copyright" else None
    receipt = await report(tracker, category=category, copyright=copyright)
    assert receipt["category"] == category
    assert receipt["received_at"] == NOW
    assert (receipt["due_at"] - NOW) // HOUR in (48, 72, 168)
    assert receipt["page"] == f"http://tracker.example/report/{receipt['ticket']}"
    status = (await tracker.http.get(f"/api/v1/reports/{receipt['ticket']}")).json()
    assert (status["closed_at"], status["decisions"]) == (None, [])


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"name": " "}, "name"),
        ({"email": ""}, "email"),
        ({"email": "nobody"}, "email"),
        ({"email": "a b@c"}, "email"),
        ({"email": "a@b\n"}, "email"),
        ({"good_faith": False}, "good_faith"),
        ({"reason": " \n"}, "reason"),
        ({"reason": "x" * 4001}, "reason"),
        ({"evidence": "x" * 4001}, "evidence"),
        ({"subject_id": "n1nobody"}, "subject_id"),
        ({"subject_id": make_node(9).node_id}, "subject_id"),
        ({"subject_kind": "note", "subject_id": "n" * 20}, "subject_id"),
        ({"subject_kind": "reply", "subject_id": f"{RIG.node_id}/"}, "subject_id"),
        ({"subject_kind": "user"}, "subject_id"),
        ({"category": "copyright"}, "copyright"),
        ({"copyright": CLAIM}, "copyright"),
        ({"category": "copyright", "copyright": CLAIM | {"accurate": False}}, "accurate"),
        ({"category": "boring"}, "category"),
        ({"form_id": "short"}, "form_id"),
        ({"surprise": 1}, None),
    ],
)
async def test_incomplete_reports_are_refused_with_the_field(
    tracker: Tracker, changes: dict[str, Any], param: str | None
) -> None:
    refused = await post(tracker, "/api/v1/reports", a_report(**changes))
    assert 400 <= refused.status_code < 500
    if param is not None:
        assert error_of(refused)[2] == param
    assert (await cases(tracker))["open"] == 0


async def test_child_safety_is_reported_without_a_name(tracker: Tracker) -> None:
    receipt = await report(tracker, category="child_safety", name="", email="")
    assert receipt["due_at"] == NOW + 48 * HOUR


async def test_the_same_form_again_is_the_same_report(tracker: Tracker) -> None:
    first = await report(tracker)
    assert await report(tracker) == first
    assert await report(tracker, reason="Something else.") == first
    assert (await the_case(tracker))["case"]["reports"] == 1


@pytest.mark.parametrize("ticket", ["x", "A" * 43, "form-" + "0" * 38, "%2e%2e", "é" * 43])
async def test_tickets_cannot_be_guessed(tracker: Tracker, ticket: str) -> None:
    receipt = await report(tracker)
    assert len(receipt["ticket"]) == 43
    assert error_of(await tracker.http.get(f"/api/v1/reports/{ticket}"))[1] == "report_not_found"


async def test_reports_about_one_subject_join_one_case(tracker: Tracker) -> None:
    await report(tracker, 1)
    tracker.clock.now += 100
    await report(tracker, 2, category="threat")
    await report(tracker, 3, subject_id=OTHER_RIG.node_id, category="privacy")
    page = await cases(tracker)
    assert page["open"] == 2
    worst, other = page["cases"]
    assert (worst["subject_id"], worst["reports"], worst["severity"]) == (RIG.node_id, 2, 5)
    assert worst["category"] == "threat"
    assert worst["due_at"] == NOW + 100 + 72 * HOUR
    assert other["subject_id"] == OTHER_RIG.node_id
    detail = await case_of(tracker, worst["case_id"])
    assert [each["category"] for each in detail["reports"]] == ["threat", "terms"]
    assert detail["excerpt"].startswith("rig 1")
    assert [(each["kind"], each["relation"]) for each in detail["targets"]] == [
        ("node", "subject"), ("user", "owner"),
    ]  # fmt: skip


async def test_what_was_decided_stays_and_a_new_report_opens_a_new_case(tracker: Tracker) -> None:
    await report(tracker, 1)
    first = await the_case(tracker)
    await tracker.decide("dismiss", RIG.node_id, key=FIRST, case_id=first["case"]["case_id"])
    assert (await cases(tracker))["open"] == 0
    await report(tracker, 2)
    second = await the_case(tracker)
    assert [each["case_id"] for each in second["earlier"]] == [first["case"]["case_id"]]


@pytest.mark.timeout(120)
async def test_ten_thousand_false_reports_are_one_case_and_no_ban(tracker: Tracker) -> None:
    for number in range(10_000):
        request = a_report(number, category="child_safety", name="", email="")
        reply = await tracker.http.post("/api/v1/reports", json=request)
        assert reply.status_code == 200
    page = await cases(tracker)
    assert (page["open"], page["cases"][0]["reports"]) == (1, 10_000)
    detail = await the_case(tracker)
    assert len(detail["reports"]) == 20
    assert RIG.node_id in await listed(tracker)
    assert not await tracker.store.cases.holding(now=NOW)


async def test_one_network_sends_so_many_an_hour() -> None:
    async with running_tracker() as tracker:
        await tracker.publish(RIG)
        tracker.come_from("203.0.113.7")
        taken = [await post(tracker, "/api/v1/reports", a_report(n)) for n in range(100)]
        assert sum(reply.status_code == 200 for reply in taken) == 5
        refused = taken[-1]
        assert error_of(refused)[1] == "rate_limited"
        assert int(refused.headers["retry-after"]) <= HOUR
        assert await report(tracker, 0), "the same form again costs nothing"
        tracker.come_from("203.0.114.7")
        await report(tracker, 500)
        tracker.come_from("203.0.113.7")
        tracker.clock.now += HOUR
        await report(tracker, 501)


# Trusted notifiers


async def trusted_report(tracker: Tracker, key: PrivateKey, **changes: Any) -> None:
    body = json.dumps(a_report(category="child_safety", name="", email="", **changes)).encode()
    assert (await tracker.ask("/api/v1/reports", body, key=key)).status_code == 200


async def test_a_trusted_notifiers_word_hides_until_somebody_decides(tracker: Tracker) -> None:
    await trusted_report(tracker, NOTIFIER)
    assert RIG.node_id not in await listed(tracker)
    assert (await tracker.http.get(f"/api/v1/nodes/{RIG.node_id}")).status_code == 404
    asked = await tracker.ask_token(json.dumps({"node_id": RIG.node_id}).encode(), key=READER)
    assert error_of(asked)[1] == "node_not_found"
    detail = await the_case(tracker)
    (hidden,) = detail["decisions"]
    assert (hidden["notice"]["automated"], hidden["notice"]["action"]) == (True, "hide")
    assert hidden["decided_by"] == NOTIFIER_ID
    assert detail["reports"][0]["trusted"]
    await tracker.decide(
        "dismiss", RIG.node_id, key=FIRST, case_id=detail["case"]["case_id"], reason="No."
    )
    assert RIG.node_id in await listed(tracker)


async def test_a_trusted_notifiers_word_hides_a_limited_rig_and_softens_no_ban(
    tracker: Tracker,
) -> None:
    for number, (node, before) in enumerate(((RIG, "limit"), (OTHER_RIG, "ban"))):
        await tracker.decide(before, node.node_id, key=FIRST)
        await trusted_report(
            tracker, NOTIFIER, form_id=f"form-{number:016}", subject_id=node.node_id
        )
    held = await tracker.store.cases.holding(now=NOW)
    assert {key: each.action for key, each in held.items()} == {
        RIG.node_id: "hide", OTHER_RIG.node_id: "ban",
    }  # fmt: skip


async def test_nobody_elses_word_hides_anything(tracker: Tracker) -> None:
    for number, key in enumerate((READER, FIRST, OWNER)):
        await trusted_report(tracker, key, form_id=f"form-{number:016}")
    assert RIG.node_id in await listed(tracker)


async def test_a_trusted_notifier_hides_nobody_for_less(tracker: Tracker) -> None:
    body = json.dumps(a_report(category="threat")).encode()
    assert (await tracker.ask("/api/v1/reports", body, key=NOTIFIER)).status_code == 200
    await trusted_report(
        tracker, NOTIFIER, form_id="f" * 16, subject_kind="user", subject_id=OWNER_ID
    )
    assert RIG.node_id in await listed(tracker)
    assert not await tracker.store.cases.holding(now=NOW)


# Decisions and what they do


async def test_a_limited_rig_is_on_no_list_and_still_works(tracker: Tracker) -> None:
    await tracker.decide("limit", RIG.node_id, key=FIRST)
    assert await listed(tracker) == {OTHER_RIG.node_id}
    assert (await tracker.http.get(f"/api/v1/nodes/{RIG.node_id}")).status_code == 200
    asked = await tracker.ask_token(json.dumps({"node_id": RIG.node_id}).encode(), key=READER)
    assert asked.status_code == 200


async def test_timings_of_held_rigs_are_on_no_list(tracker: Tracker) -> None:
    timings = [
        TimingRecord(
            node_id=node.node_id, request_id="r" * 16, account=f"a{number}", model="m",
            prompt_tokens=1, completion_tokens=9, ttft_ms=10, tokens_per_second=5.0, shared_at=NOW,
        )
        for node in (RIG, OTHER_RIG)
        for number in range(9)
    ]  # fmt: skip
    await tracker.store.contributions.put_receipts([], timings, [])

    async def shown(query: str = "") -> list[str]:
        found = (await tracker.http.get(f"/api/v1/timings{query}")).json()["timings"]
        return [each["node_id"] for each in found]

    assert sorted(await shown()) == sorted((RIG.node_id, OTHER_RIG.node_id))
    await tracker.decide("limit", RIG.node_id, key=FIRST)
    assert await shown() == [OTHER_RIG.node_id]
    assert await shown(f"?node={RIG.node_id}") == [RIG.node_id]
    await tracker.decide("ban", OTHER_RIG.node_id, key=FIRST)
    assert await shown() == await shown(f"?node={OTHER_RIG.node_id}") == []


async def test_a_limited_user_has_the_limited_tier(tracker: Tracker) -> None:
    body = json.dumps({"node_id": RIG.node_id}).encode()
    assert isinstance(tracker.store, MemoryStore)
    await tracker.ask_token(body, key=READER)
    user = await tracker.store.users.user(READER_ID)
    assert user is not None
    await tracker.store.users.promote([user.account], now=NOW)
    for action, tier in ((None, "contributor"), ("limit", "limited")):
        if action is not None:
            await tracker.decide(action, READER_ID, key=FIRST)
        assert (await tracker.ask_token(body, key=READER)).json()["tier"] == tier


async def test_a_banned_network_gets_in_nowhere_and_may_read_and_report() -> None:
    async with running_tracker(operators=frozenset({FIRST_ID})) as tracker:
        await tracker.publish(RIG)
        network = await tracker.decide(
            "ban", "203.0.113.7/32", key=FIRST, target_kind="network", reason="A flood."
        )
        assert network.json()["notice"]["target_id"] == "203.0.113.0/24"
        wanted = json.dumps({"node_id": RIG.node_id}).encode()
        for address, status in (("203.0.113.200", 403), ("203.0.112.1", 200), ("::1", 200)):
            tracker.come_from(address)
            asked = await tracker.ask_token(wanted, key=READER)
            assert asked.status_code == status
            assert (await tracker.publish(make_node(3), is_seen=False)).status_code == status
            relayed = await tracker.http.get(f"/n/{RIG.node_id}/v1/models")
            assert (relayed.status_code == 403) == (status == 403)
            assert (await tracker.http.get("/")).status_code == 200
        tracker.come_from("203.0.113.200")
        await report(tracker)
        tracker.come_from("127.0.0.1")
        assert (await tracker.lift("203.0.113.0/24", key=FIRST)).status_code == 200
        tracker.come_from("203.0.113.200")
        asked = await tracker.ask_token(json.dumps({"node_id": RIG.node_id}).encode(), key=READER)
        assert asked.status_code == 200


async def test_a_banned_owner_publishes_nothing(tracker: Tracker) -> None:
    await tracker.decide("ban", OWNER_ID, key=FIRST)
    refused = await tracker.publish(make_node(1, seq=2, name="again"))
    assert error_of(refused)[1] == "banned"


async def test_a_reply_leads_to_rig_owner_and_user(tracker: Tracker) -> None:
    receipt = ReceiptRecord(
        node_id=RIG.node_id, request_id="r" * 16, jti="j" * 16, user_id=READER_ID, signed="{}",
        countersignature=None, state="one-sided", received_at=NOW, settled=False,
    )  # fmt: skip
    await tracker.store.contributions.put_receipts([receipt], [], [])
    await report(tracker, subject_kind="reply", subject_id=f"{RIG.node_id}/{'r' * 16}")
    targets = (await the_case(tracker))["targets"]
    assert [(each["relation"], each["id"]) for each in targets] == [
        ("rig", RIG.node_id), ("owner", OWNER_ID), ("user", READER_ID),
    ]  # fmt: skip


async def test_undoing_brings_back_what_held_before(tracker: Tracker) -> None:
    await tracker.decide("limit", RIG.node_id, key=FIRST)
    tracker.clock.now += 1
    banned = (await tracker.decide("ban", RIG.node_id, key=FIRST)).json()["notice"]
    body: dict[str, Any] = {"decision_id": banned["decision_id"], "reason": "Too much."}
    assert (await admin(tracker, "undo", SECOND, **body)).json()["undone_by"] == SECOND_ID
    assert error_of(await admin(tracker, "undo", **body))[1] == "decision_conflict"
    assert (await tracker.http.get(f"/api/v1/nodes/{RIG.node_id}")).status_code == 200
    assert RIG.node_id not in await listed(tracker)


async def test_a_decision_nobody_asked_for_decides_the_open_case(tracker: Tracker) -> None:
    await report(tracker)
    await tracker.decide("ban", RIG.node_id, key=FIRST)
    assert (await cases(tracker))["open"] == 0


# Statements of reasons, appeals


async def statements(tracker: Tracker, key: PrivateKey = OWNER) -> Any:
    """What somebody reads about themselves."""
    return (await tracker.get("/api/v1/me/decisions", key=key)).json()["decisions"]


async def appeal(tracker: Tracker, key: PrivateKey = OWNER, **body: Any) -> httpx2.Response:
    """Appeal a decision about oneself."""
    return await tracker.ask("/api/v1/me/appeals", json.dumps(body).encode(), key=key)


async def test_the_owner_reads_why_and_another_operator_answers(tracker: Tracker) -> None:
    await report(tracker)
    case_id = (await the_case(tracker))["case"]["case_id"]
    await tracker.decide("ban", RIG.node_id, key=FIRST, case_id=case_id, reason="Not a 5090.")
    assert await statements(tracker, READER) == []
    (notice,) = await statements(tracker)
    assert (notice["reason"], notice["category"]) == ("Not a 5090.", "terms")
    decision_id = notice["decision_id"]
    sent = await appeal(tracker, decision_id=decision_id, text="It is one.")
    appeal_id = sent.json()["appeal"]["appeal_id"]
    assert error_of(await appeal(tracker, decision_id=decision_id, text="Is!"))[1] == (
        "decision_conflict"
    )
    assert error_of(await appeal(tracker, READER, decision_id=decision_id, text="Me too."))[1] == (
        "appeal_refused"
    )
    assert (await cases(tracker))["appealed"] == 1
    ((appealed,),) = [(await cases(tracker, "?appealed=1"))["cases"]]
    assert (appealed["case_id"], appealed["appeals"]) == (case_id, 1)
    answer: dict[str, Any] = {"appeal_id": appeal_id, "uphold": False, "answer": "You are right."}
    assert error_of(await admin(tracker, "answers", **answer))[1] == "decision_conflict"
    assert (await admin(tracker, "answers", SECOND, **answer)).status_code == 200
    assert RIG.node_id in await listed(tracker)
    (notice,) = await statements(tracker)
    assert (notice["undone_at"], notice["appeal"]["upheld"]) == (NOW, False)
    assert error_of(await admin(tracker, "answers", SECOND, **answer))[1] == "decision_conflict"
    assert (await cases(tracker))["appealed"] == 0


async def test_a_key_that_gave_way_neither_reads_nor_appeals(tracker: Tracker) -> None:
    """It gave way because somebody else may have it; and the new one has no second appeal."""
    await tracker.decide("limit", READER_ID, key=FIRST)
    (notice,) = await statements(tracker, READER)
    body: dict[str, Any] = {"decision_id": notice["decision_id"], "text": "Sorry."}
    assert (await appeal(tracker, READER, **body)).status_code == 200
    new = PrivateKey(b"5" * 32)
    record = HandoverRecord(
        old_user_id=READER_ID, new_user_id=derive_id("u1", new.public), signed="", received_at=NOW
    )
    await tracker.store.users.hand_over(record, uses=[], now=NOW)
    assert error_of(await appeal(tracker, READER, **body))[1] == "key_replaced"
    read = await tracker.get("/api/v1/me/decisions", key=READER)
    assert error_of(read)[1] == "key_replaced"
    assert [each["appeal"]["text"] for each in await statements(tracker, new)] == ["Sorry."]
    assert error_of(await appeal(tracker, new, **body))[1] == "decision_conflict"
    assert (await tracker.lift(derive_id("u1", new.public), key=FIRST)).status_code == 200


async def test_a_banned_user_reads_and_appeals(tracker: Tracker) -> None:
    await tracker.decide("ban", READER_ID, key=FIRST)
    (notice,) = await statements(tracker, READER)
    body: dict[str, Any] = {"decision_id": notice["decision_id"], "text": "Sorry."}
    assert (await appeal(tracker, READER, **body)).status_code == 200
    assert (await cases(tracker, "?appealed=1"))["cases"][0]["subject_id"] == READER_ID


async def test_the_only_operator_may_answer_and_it_is_said() -> None:
    async with running_tracker(operators=frozenset({FIRST_ID})) as tracker:
        await tracker.publish(RIG)
        decided = await tracker.decide("ban", RIG.node_id, key=FIRST)
        decision_id = decided.json()["notice"]["decision_id"]
        sent = await appeal(tracker, decision_id=decision_id, text="No.")
        answer: dict[str, Any] = {
            "appeal_id": sent.json()["appeal"]["appeal_id"],
            "uphold": True,
            "answer": "Yes.",
        }
        assert (await admin(tracker, "answers", **answer)).status_code == 200
        (notice,) = await statements(tracker)
        assert notice["appeal"]["same_reviewer"]
        assert RIG.node_id not in await listed(tracker)


async def test_an_appeal_comes_within_180_days(tracker: Tracker) -> None:
    decided = (await tracker.decide("ban", RIG.node_id, key=FIRST)).json()["notice"]
    body: dict[str, Any] = {"decision_id": decided["decision_id"], "text": "No."}
    tracker.clock.now += 180 * DAY + 1
    assert error_of(await appeal(tracker, **body))[1] == "appeal_refused"
    tracker.clock.now -= 1
    assert (await appeal(tracker, **body)).status_code == 200


async def test_the_reporter_appeals_a_dismissal(tracker: Tracker) -> None:
    receipt = await report(tracker)
    case_id = (await the_case(tracker))["case"]["case_id"]
    await tracker.decide("dismiss", RIG.node_id, key=FIRST, case_id=case_id)
    path = f"/api/v1/reports/{receipt['ticket']}"
    (decision,) = (await tracker.http.get(path)).json()["decisions"]
    assert await statements(tracker) == [], "a dismissal holds nobody"
    body: dict[str, Any] = {"decision_id": decision["decision_id"], "text": "Look again."}
    status = (await post(tracker, f"{path}/appeals", body)).json()
    appeal_id = status["decisions"][0]["appeal"]["appeal_id"]
    answer: dict[str, Any] = {"appeal_id": appeal_id, "uphold": False, "answer": "We look again."}
    detail = (await admin(tracker, "answers", SECOND, **answer)).json()
    assert detail["decisions"][0]["notice"]["undone_at"] == NOW
    counter: dict[str, Any] = body | {"counter_notice": COUNTER}
    assert error_of(await post(tracker, f"{path}/appeals", counter))[1] == "appeal_refused"


async def test_a_reporter_sees_no_appeal_of_anybody_else(tracker: Tracker) -> None:
    receipts = [await report(tracker, number) for number in (1, 2)]
    case_id = (await the_case(tracker))["case"]["case_id"]
    decided = await tracker.decide("ban", RIG.node_id, key=FIRST, case_id=case_id)
    body: dict[str, Any] = {"decision_id": decided.json()["notice"]["decision_id"], "text": "Mine."}
    await appeal(tracker, **body)
    await post(tracker, f"/api/v1/reports/{receipts[0]['ticket']}/appeals", body)
    other = (await tracker.http.get(f"/api/v1/reports/{receipts[1]['ticket']}")).json()
    assert other["decisions"][0]["appeal"] is None


async def test_a_reporter_does_not_learn_who_stands_behind_it(tracker: Tracker) -> None:
    receipt = await report(tracker, subject_kind="reply", subject_id=f"{RIG.node_id}/{'r' * 16}")
    case_id = (await the_case(tracker))["case"]["case_id"]
    for target in (OWNER_ID, RIG.node_id):
        await tracker.decide("limit", target, key=FIRST, case_id=case_id)
    reply = await tracker.http.get(f"/api/v1/reports/{receipt['ticket']}")
    assert [each["target_id"] for each in reply.json()["decisions"]] == ["", RIG.node_id]
    page = await tracker.http.get(f"/report/{receipt['ticket']}?lang=en")
    assert "whoever stands behind it" in page.text
    assert OWNER_ID not in reply.text + page.text


async def test_counter_notices_answer_copyright_only(tracker: Tracker) -> None:
    for number, category in enumerate(("terms", "copyright")):
        await report(
            tracker, number, category=category, copyright=CLAIM if category == "copyright" else None
        )
        case_id = (await the_case(tracker))["case"]["case_id"]
        await tracker.decide("limit", RIG.node_id, key=FIRST, case_id=case_id)
        tracker.clock.now += 1
    newest, older = await statements(tracker)
    body: dict[str, Any] = {"text": "Mine.", "counter_notice": COUNTER}
    assert error_of(await appeal(tracker, decision_id=older["decision_id"], **body))[1] == (
        "appeal_refused"
    )
    half: dict[str, Any] = body | {"counter_notice": COUNTER | {"consent": False}}
    assert error_of(await appeal(tracker, decision_id=newest["decision_id"], **half))[1] == (
        "invalid_request"
    )
    sent = await appeal(tracker, decision_id=newest["decision_id"], **body)
    assert sent.json()["appeal"]["counter_notice"]["signature"] == "O"


# Holds and the log


async def test_a_hold_lasts_a_year_and_names_all_who_are_concerned(tracker: Tracker) -> None:
    await report(tracker, category="child_safety", name="", email="")
    case_id = (await the_case(tracker))["case"]["case_id"]
    hold: dict[str, Any] = {"case_id": case_id, "reason": "2258A"}
    assert error_of(await admin(tracker, "holds", days=364, **hold))[2] == "days"
    detail = (await admin(tracker, "holds", days=365, **hold)).json()
    assert set(detail["hold"]["subjects"]) == {RIG.node_id, OWNER_ID}
    assert detail["hold"]["until"] == NOW + 365 * DAY
    assert (await admin(tracker, "holds", days=0, **hold)).json()["hold"] is None
    assert error_of(await admin(tracker, "holds", days=0, **hold))[1] == "decision_conflict"


async def test_all_that_operators_do_is_in_the_log(tracker: Tracker) -> None:
    await report(tracker, category="child_safety", name="", email="")
    case_id = (await the_case(tracker))["case"]["case_id"]
    decided = await tracker.decide("ban", RIG.node_id, key=FIRST, case_id=case_id)
    await admin(tracker, "holds", case_id=case_id, days=365, reason="x")
    sent = await appeal(
        tracker, decision_id=decided.json()["notice"]["decision_id"], text="secret words"
    )
    appeal_id = sent.json()["appeal"]["appeal_id"]
    await admin(tracker, "answers", SECOND, appeal_id=appeal_id, uphold=False, answer="secret too")
    page = (await tracker.get("/api/v1/admin/audit", key=SECOND)).json()
    assert [line["entry"]["event"] for line in page["lines"]] == [
        "reported", "read", "decided", "held", "read", "appealed", "answered", "read",
    ]  # fmt: skip
    assert "secret" not in json.dumps(page)
    assert page["lines"][-1]["entry"]["by"] == SECOND_ID
    rest = (await tracker.get("/api/v1/admin/audit?after=5&limit=1", key=FIRST)).json()
    assert [line["position"] for line in rest["lines"]] == [6]


@pytest.mark.parametrize("path", ["cases", "cases/abcdefghijklmnop", "audit"])
async def test_the_desk_is_for_operators(tracker: Tracker, path: str) -> None:
    for key in (READER, OWNER, node_key(1), NOTIFIER):
        refused = await tracker.get(f"/api/v1/admin/{path}", key=key)
        assert error_of(refused)[1] == "operators_only"
    assert (await tracker.http.get(f"/api/v1/admin/{path}")).status_code == 401


async def test_reports_and_rigs_go_together_with_health(tracker: Tracker) -> None:
    """Health that comes in for a banned rig brings it back on no list."""
    await tracker.decide("ban", RIG.node_id, key=FIRST)
    await tracker.store.put_health({RIG.node_id: make_health()})
    assert RIG.node_id not in await listed(tracker)
    tracker.clock.now += 86_400 * 400
    assert RIG.node_id not in await listed(tracker)
