"""/me in a browser: who one is here, what was decided, and how to say that it's wrong."""

from collections.abc import AsyncIterator

import pytest

from luckrig.tracker.domain.cases import DAY_SECONDS
from tests.tracker.browsers import signed_in, text_of
from tests.tracker.test_reports import (
    CLAIM,
    FIRST,
    FIRST_ID,
    OTHER_RIG,
    OWNER,
    OWNER_ID,
    RIG,
    SECOND_ID,
    admin,
    report,
    statements,
    the_case,
)
from tests.tracker.trackers import Tracker, running_tracker

COUNTER = {
    "name": "O", "address": "2 Road", "phone": "2", "mistaken": "true", "consent": "true",
    "signature": "O",
}  # fmt: skip


@pytest.fixture
async def tracker() -> AsyncIterator[Tracker]:
    """A tracker with two rigs and two operators."""
    async with running_tracker(operators=frozenset({FIRST_ID, SECOND_ID})) as running:
        for node in (RIG, OTHER_RIG):
            assert (await running.publish(node)).status_code == 200
        yield running


async def ban_for_copyright(tracker: Tracker) -> str:
    """The id of the decision."""
    await report(tracker, category="copyright", copyright=CLAIM)
    case = await the_case(tracker)
    body = {"case_id": case["case"]["case_id"], "target_kind": "node", "target_id": RIG.node_id}
    made = await admin(tracker, "decisions", FIRST, **body, action="ban", reason="It is theirs.")
    decision_id: str = made.json()["notice"]["decision_id"]
    return decision_id


async def test_it_says_who_one_is_and_what_one_has(tracker: Tracker) -> None:
    me = await signed_in(tracker, OWNER)
    page = await me.open("/me")
    text = text_of(page)
    assert OWNER_ID in text and "Limited, 0.000 points" in text
    assert "luckrig score --explain --verify" in text
    assert f"/nodes/{RIG.node_id}" in [link.get("href") for link in page.all("a")]
    assert OTHER_RIG.node_id not in text
    assert "no operator has decided anything" in text
    assert "/operator" not in [link.get("href") for link in page.all("a")]


async def test_operators_find_their_desk(tracker: Tracker) -> None:
    page = await (await signed_in(tracker, FIRST)).open("/me")
    assert "/operator" in [link.get("href") for link in page.all("a")]


async def test_statements_name_reason_ground_and_the_way_to_appeal(tracker: Tracker) -> None:
    await tracker.decide("ban", RIG.node_id, key=FIRST, reason="<i>It lies.</i>", rule="Rule 4")
    me = await signed_in(tracker, OWNER)
    page = await me.open("/me")
    text = text_of(page)
    assert "The rig was banned" in text and "Rule 4" in text and "<i>It lies.</i>" in text
    assert "Appeal, until" in text and "on no list" in text
    assert "Counter-notice" not in text, "for copyright only"
    (decision,) = [each.get("data-decision") for each in page.having("data-decision")]
    reply = await me.send("/me/appeals", decision_id=decision, text="It doesn't.")
    assert (reply.status_code, reply.headers["location"]) == (303, f"/me#d-{decision}")
    text = text_of(await me.open("/me"))
    assert "It doesn't." in text and "An operator will look at it and answer here." in text
    again = await me.send("/me/appeals", decision_id=decision, text="Again.")
    assert again.status_code == 409
    assert "you have appealed it before" in text_of(me.look(again))


async def test_a_counter_notice_goes_with_an_appeal_on_copyright(tracker: Tracker) -> None:
    decision = await ban_for_copyright(tracker)
    me = await signed_in(tracker, OWNER)
    assert "Counter-notice" in text_of(await me.open("/me"))
    for fields, said in (
        (COUNTER | {"signature": ""}, "Fill in: signature."),
        ({name: value for name, value in COUNTER.items() if name != "consent"}, "both statements"),
    ):
        reply = await me.send("/me/appeals", decision_id=decision, text="Mine.", **fields)
        assert reply.status_code == 400
        assert said in text_of(me.look(reply))
        assert "2 Road" in reply.text, "what was typed is still there"
    reply = await me.send("/me/appeals", decision_id=decision, text="Mine.", **COUNTER)
    assert reply.status_code == 303
    (shown,) = await statements(tracker)
    assert shown["appeal"]["counter_notice"]["consent"] is True
    assert "2 Road" in text_of(await me.open("/me"))


async def test_an_appeal_on_copyright_needs_no_counter_notice(tracker: Tracker) -> None:
    decision = await ban_for_copyright(tracker)
    me = await signed_in(tracker, OWNER)
    empty = dict.fromkeys(("name", "address", "phone", "signature"), "")
    reply = await me.send("/me/appeals", decision_id=decision, text="Mine.", **empty)
    assert reply.status_code == 303
    (shown,) = await statements(tracker)
    assert shown["appeal"]["counter_notice"] is None


async def test_after_180_days_there_is_no_form(tracker: Tracker) -> None:
    decision = (await tracker.decide("ban", RIG.node_id, key=FIRST)).json()["notice"]
    tracker.clock.now += 181 * DAY_SECONDS
    me = await signed_in(tracker, OWNER)
    text = text_of(await me.open("/me"))
    assert "The time for an appeal is over." in text
    late = await me.send("/me/appeals", decision_id=decision["decision_id"], text="No.")
    assert late.status_code == 403


async def test_nobody_appeals_for_somebody_else(tracker: Tracker) -> None:
    decision = (await tracker.decide("ban", RIG.node_id, key=FIRST)).json()["notice"]
    other = await signed_in(tracker, FIRST)
    reply = await other.send("/me/appeals", decision_id=decision["decision_id"], text="No.")
    assert reply.status_code == 403


async def test_what_was_undone_or_is_over_says_so(tracker: Tracker) -> None:
    await tracker.decide("suspend", OWNER_ID, key=FIRST, days=2)
    await tracker.decide("ban", RIG.node_id, key=FIRST)
    await tracker.lift(RIG.node_id, key=FIRST)
    tracker.clock.now += 3 * DAY_SECONDS
    text = text_of(await (await signed_in(tracker, OWNER)).open("/me"))
    assert "taken back" in text and "over" in text and "a mistake" in text


async def test_what_is_stored_is_a_file(tracker: Tracker) -> None:
    me = await signed_in(tracker, OWNER)
    reply = await me.http.get("/me/export")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-disposition"].startswith("attachment")
    assert reply.headers["cache-control"] == "no-store"
    found = reply.json()
    assert found["user_id"] == OWNER_ID
    assert RIG.node_id in reply.text and OTHER_RIG.node_id not in reply.text
    assert (await tracker.http.get("/me/export")).status_code == 401


async def test_an_account_is_deleted_when_its_id_was_typed(tracker: Tracker) -> None:
    me = await signed_in(tracker, OWNER)
    for typed in ("", "yes", FIRST_ID):
        reply = await me.send("/me/delete", user_id=typed)
        assert reply.status_code == 400
        assert "nothing was deleted" in text_of(me.look(reply))
    assert (await tracker.http.get(f"/nodes/{RIG.node_id}")).status_code == 200
    cookie = me.cookie
    reply = await me.send("/me/delete", user_id=OWNER_ID)
    assert reply.status_code == 200
    assert "Your account is deleted" in text_of(me.look(reply))
    assert me.cookie is None
    again = await tracker.http.get("/me", headers={"cookie": f"luckrig={cookie}"})
    assert again.status_code == 401
    assert (await tracker.http.get(f"/nodes/{RIG.node_id}")).status_code == 404
