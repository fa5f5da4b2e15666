"""Tuning notes at the tracker: who may write, change and reproduce them, and what that counts."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.notes import Note, Reproduction, sign_note, sign_reproduction
from luckrig.tracker.domain.accounts import ledger_account
from luckrig.tracker.service.notes import MAX_NOTES_OF_AN_AUTHOR
from luckrig.tracker.store.interface import Store
from tests.tracker.factories import NOW, make_node
from tests.tracker.test_contributions import World
from tests.tracker.trackers import KEYS, Tracker, running_tracker

OPERATOR, AUTHOR, READER, THIRD = (PrivateKey(bytes([number]) * 32) for number in range(1, 5))
OPERATOR_ID = derive_id("u1", OPERATOR.public)
RIG, SECOND = make_node(1), make_node(2)
ID = "note-0123456789abcdef"


@pytest.fixture
async def tracker(store: Store) -> AsyncIterator[Tracker]:
    async with running_tracker(store, operators=frozenset({OPERATOR_ID})) as running:
        for node in (RIG, SECOND):
            assert (await running.publish(node)).status_code == 200
        yield running


async def write(
    tracker: Tracker, *, key: PrivateKey = AUTHOR, note_id: str = ID, **changes: Any
) -> httpx2.Response:
    """Publish a version."""
    fields: dict[str, Any] = {"version": 1, "node_id": RIG.node_id, "text": "Use -fa."} | changes
    note = Note(note_id=note_id, references=fields.pop("references", []), iat=NOW, **fields)
    return await tracker.http.post("/api/v1/notes", json={"note": sign_note(note, author_key=key)})


async def reproduce(
    tracker: Tracker, *, key: PrivateKey = READER, note_id: str = ID, version: int = 1
) -> httpx2.Response:
    """Say that it works."""
    said = Reproduction(note_id=note_id, version=version, iat=NOW)
    signed = sign_reproduction(said, user_key=key)
    path = f"/api/v1/notes/{note_id}/reproduced"
    return await tracker.http.post(path, json={"reproduced": signed})


async def listed(tracker: Tracker, node_id: str = RIG.node_id) -> list[dict[str, Any]]:
    answer = await tracker.http.get("/api/v1/notes", params={"node": node_id})
    notes: list[dict[str, Any]] = answer.json()["notes"]
    return notes


def outcome(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", {}).get("code", "")


async def deeds(tracker: Tracker, kind: str) -> list[dict[str, Any]]:
    """The ledger's entries of one kind."""
    rows = await tracker.store.contributions.ledger(after=-1, limit=1000)
    found = [json.loads(row.entry) for row in rows]
    return [entry for entry in found if entry["kind"] == kind]


async def test_a_note_has_versions(tracker: Tracker) -> None:
    assert outcome(await write(tracker)) == (200, "")
    assert outcome(await write(tracker)) == (200, "")  # the same again
    reference = "https://example.org/"
    assert outcome(await write(tracker, version=2, text="Don't.", references=[reference]))[0] == 200
    (newest,) = await listed(tracker)
    assert [version["text"] for version in newest["versions"]] == ["Don't."]
    whole = (await tracker.http.get(f"/api/v1/notes/{ID}")).json()
    assert [version["version"] for version in whole["versions"]] == [2, 1]
    assert whole["versions"][0]["references"] == [reference]
    assert whole["author_id"] == derive_id("u1", AUTHOR.public)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": 1, "text": "another text"}, (409, "note_conflict")),
        ({"version": 3}, (409, "note_conflict")),
        ({"version": 2, "key": READER}, (409, "note_conflict")),
        ({"version": 2, "node_id": SECOND.node_id}, (409, "note_conflict")),
        ({"version": 2, "text": "\u202e"}, (400, "unsafe_text")),
        ({"version": 2, "references": ["http://x/"]}, (400, "invalid_request")),
        ({"note_id": "new-0123456789abcdef", "version": 2}, (409, "note_conflict")),
        ({"note_id": "new-0123456789abcdef", "node_id": "n1" + "a" * 32}, (404, "node_not_found")),
    ],
)
async def test_what_doesnt_fit_is_refused(
    tracker: Tracker, changes: dict[str, Any], expected: tuple[int, str]
) -> None:
    await write(tracker)
    assert outcome(await write(tracker, **changes)) == expected
    (note,) = await listed(tracker)
    assert (note["versions"][0]["version"], note["versions"][0]["text"]) == (1, "Use -fa.")


async def test_a_note_is_reproduced_once_by_each_other_person(tracker: Tracker) -> None:
    await write(tracker)
    assert outcome(await reproduce(tracker, key=AUTHOR)) == (409, "note_conflict")
    for _ in range(2):
        assert (await reproduce(tracker)).json()["reproduced"] == 1
    assert (await reproduce(tracker, key=THIRD)).json()["reproduced"] == 2
    assert outcome(await reproduce(tracker, version=2)) == (409, "note_conflict")
    assert outcome(await reproduce(tracker, note_id="none-0123456789abcdef"))[0] == 404
    entries = await deeds(tracker, "reproduced")
    author = ledger_account(derive_id("u1", AUTHOR.public), secret=KEYS.pairwise)
    assert [entry["author_id"] for entry in entries] == [author, author]
    assert len({entry["by_user_id"] for entry in entries}) == 2


async def test_the_most_reproduced_come_first(tracker: Tracker) -> None:
    for name in ("a", "b", "c"):
        await write(tracker, note_id=f"{name}-0123456789abcdef")
    await reproduce(tracker, note_id="b-0123456789abcdef")
    assert [note["note_id"][0] for note in await listed(tracker)] == ["b", "a", "c"]
    assert await listed(tracker, SECOND.node_id) == []


async def test_what_the_banned_wrote_is_shown_to_nobody(tracker: Tracker) -> None:
    await write(tracker)
    await reproduce(tracker)
    reader = derive_id("u1", READER.public)
    await tracker.decide("ban", reader, key=OPERATOR)
    assert [note["reproduced"] for note in await listed(tracker)] == [0]
    assert outcome(await reproduce(tracker)) == (403, "banned")
    author = derive_id("u1", AUTHOR.public)
    await tracker.decide("ban", author, key=OPERATOR)
    assert await listed(tracker) == []
    assert (await tracker.http.get(f"/api/v1/notes/{ID}")).status_code == 404
    assert outcome(await write(tracker, version=2)) == (403, "banned")
    await tracker.lift(author, key=OPERATOR)
    assert len(await listed(tracker)) == 1
    await tracker.decide("hide", ID, key=OPERATOR)
    assert await listed(tracker) == []
    assert (await tracker.http.get(f"/api/v1/notes/{ID}")).status_code == 404
    await tracker.lift(ID, key=OPERATOR)
    assert len(await listed(tracker)) == 1
    await tracker.decide("ban", RIG.node_id, key=OPERATOR)
    assert (await tracker.http.get(f"/api/v1/notes/{ID}")).status_code == 404


async def test_an_author_has_room_for_so_many(tracker: Tracker) -> None:
    for number in range(MAX_NOTES_OF_AN_AUTHOR):
        answer = await write(tracker, note_id=f"number-{number:010}")
        assert answer.status_code == 200
    assert outcome(await write(tracker)) == (429, "rate_limited")
    assert outcome(await write(tracker, version=2, note_id="number-0000000000"))[0] == 200
    assert outcome(await write(tracker, key=READER)) == (200, "")


async def test_a_rig_that_was_picked_after_a_note_and_used_counts_for_its_author(
    tracker: Tracker,
) -> None:
    """The token names the note, and a two-sided receipt shows that it was used."""
    await write(tracker)
    for note_id, node_id, status in (
        ("none-0123456789abcdef", RIG.node_id, 400),
        (ID, SECOND.node_id, 400),
        (ID, RIG.node_id, 200),
    ):
        body = json.dumps({"node_id": node_id, "note_id": note_id}).encode()
        answer = await tracker.ask_token(body, key=READER)
        assert answer.status_code == status
    jti = json.loads(b64url_decode(answer.json()["token"].split(".")[1]))["jti"]
    world = World(tracker)
    receipt = world.receipt(jti)
    await world.submit((receipt, None))
    assert await deeds(tracker, "note_selected") == []
    await world.submit((receipt, world.opinion(receipt, key=READER)))
    (entry,) = await deeds(tracker, "note_selected")
    assert entry["author_id"] == ledger_account(
        derive_id("u1", AUTHOR.public), secret=KEYS.pairwise
    )


@pytest.mark.parametrize("query", ["", "node=x", f"node={RIG.node_id}&limit=1"])
async def test_bad_queries_are_refused(tracker: Tracker, query: str) -> None:
    assert outcome(await tracker.http.get(f"/api/v1/notes?{query}")) == (400, "invalid_request")
