"""A rig's page at a tracker: its past, its users' notes and what they measured, each as stored."""

from collections.abc import AsyncIterator

import pytest

from luckrig.tracker.domain.ledger import SECONDS_PER_DAY
from luckrig.tracker.domain.receipts import TimingRecord
from luckrig.tracker.store.interface import LIVE_DAYS_KEPT, Store
from luckrig.web.rig_page import NOTES_SHOWN
from luckrig.web.uptime_strip import DAYS
from tests.tracker.factories import NOW, make_node
from tests.tracker.test_notes import AUTHOR, ID, OPERATOR, OPERATOR_ID, READER, reproduce, write
from tests.tracker.trackers import Tracker, running_tracker
from tests.web.documents import Document, read

RIG = make_node(1, listed_at=NOW)
PATH = f"/nodes/{RIG.node_id}"


@pytest.fixture
async def tracker(store: Store) -> AsyncIterator[Tracker]:
    async with running_tracker(store, operators=frozenset({OPERATOR_ID})) as running:
        assert (await running.publish(RIG)).status_code == 200
        yield running


async def page(tracker: Tracker, path: str = PATH, language: str = "en") -> Document:
    reply = await tracker.http.get(path, headers={"accept-language": language})
    assert reply.status_code == 200, reply.text
    assert reply.headers["vary"] == "Accept-Language"
    document = read(reply.text)
    assert document.problems == []
    return document


def words(document: Document) -> str:
    return " ".join(document.all("main")[0].text.split())


def test_the_store_remembers_what_the_page_shows() -> None:
    assert DAYS == LIVE_DAYS_KEPT


async def test_a_rigs_past_is_what_the_tracker_saw(tracker: Tracker) -> None:
    live, hour = tracker.store.contributions, NOW // 3600
    assert "It answered in 0 of 1 hour (0%)" in words(await page(tracker))
    for number in range(0, 48, 2):
        await live.add_live(hour=hour + number, scarcities={RIG.node_id: 500})
    tracker.clock.now = NOW + 47 * 3600
    expected = "It answered in 24 of 48 hours (50%)."
    assert expected in words(await page(tracker))
    await live.close_day(day=NOW // SECONDS_PER_DAY, entries=[])
    assert expected in words(await page(tracker)), "a day that was closed is the same day"
    tracker.clock.now += 200 * SECONDS_PER_DAY
    assert "It answered in 0 of" in words(await page(tracker))


async def test_what_users_shared_is_shown_with_how_many_they_are(tracker: Tracker) -> None:
    assert "No user has shared a measurement yet" in words(await page(tracker))
    shared = [
        TimingRecord(
            node_id=RIG.node_id,
            request_id=f"request-{number}",
            account=f"u1{number % 2}",
            model="qwen3:8b",
            prompt_tokens=300,
            completion_tokens=50,
            ttft_ms=200.0,
            tokens_per_second=40.0 + number % 2,
            shared_at=NOW,
        )
        for number in range(6)
    ]
    await tracker.store.contributions.put_receipts([], shared, [])
    text = words(await page(tracker))
    assert "256–1,023 2 users · 6 streams" in text
    assert "200 ms" in text


async def test_notes_stand_on_the_page_until_they_are_hidden(tracker: Tracker) -> None:
    assert "Nobody has written a note about this rig yet." in words(await page(tracker))
    await write(tracker, text="Try this:\n$ nvidia-smi -pl 250")
    await write(tracker, version=2, text="Try this:\n$ nvidia-smi -pl 280")
    await reproduce(tracker, key=READER, version=2)
    document = await page(tracker)
    (note,) = document.of_class("user-note")
    assert "1 person reproduced it" in note.text
    assert "nvidia-smi -pl 280" in note.text
    assert "250" not in note.text
    assert f"/notes/{ID}" in [each.get("href") for each in document.all("a")]
    history = await page(tracker, f"/notes/{ID}")
    assert [each.text for each in history.of_class("removed")] == ["−removed: $ nvidia-smi -pl 250"]
    (reply,) = [await tracker.decide("hide", ID, key=OPERATOR)]
    assert reply.status_code == 200
    assert not (await page(tracker)).of_class("user-note")
    assert (await tracker.http.get(f"/notes/{ID}")).status_code == 404


async def test_many_notes_have_pages_in_one_order(tracker: Tracker) -> None:
    ids = [f"note-{number:016}" for number in range(NOTES_SHOWN + 3)]
    for note_id in ids:
        assert (await write(tracker, note_id=note_id, key=AUTHOR)).status_code == 200
    await reproduce(tracker, note_id=ids[-1])
    shown = [
        [each.get("id").removeprefix("note-") for each in document.of_class("user-note")]
        for document in [await page(tracker, f"{PATH}?notes={number}") for number in (1, 2, 3)]
    ]
    assert shown == [[ids[-1], *ids[: NOTES_SHOWN - 1]], ids[NOTES_SHOWN - 1 : -1], []]


@pytest.mark.parametrize("value", ["0", "-1", "x", "9999", "1e3", "²", ""])
async def test_a_number_that_is_none_is_not_asked_for(tracker: Tracker, value: str) -> None:
    assert words(await page(tracker, f"{PATH}?notes={value}")) == words(await page(tracker))


async def test_both_pages_speak_the_readers_language(tracker: Tracker) -> None:
    await write(tracker)
    assert "利用者による測定" in words(await page(tracker, language="ja"))
    assert "利用者による測定" in words(await page(tracker, f"{PATH}?lang=ja"))
    assert "ノートとその履歴" in words(await page(tracker, f"/notes/{ID}", language="ja"))


@pytest.mark.parametrize("path", ["/nodes/n1", "/nodes/n1" + "a" * 32, "/notes/x", f"/notes/{ID}"])
async def test_what_is_not_there_is_not_found(tracker: Tracker, path: str) -> None:
    reply = await tracker.http.get(path, headers={"accept": "text/html"})
    assert reply.status_code == 404
    assert "text/html" in reply.headers["content-type"]
