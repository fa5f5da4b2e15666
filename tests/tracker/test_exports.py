"""The map and the timings as whole files: every rig once, and nothing that a spreadsheet runs."""

import csv
import io
import json

from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.tracker.domain.receipts import TimingRecord
from luckrig.web.tables import NODE_COLUMNS, TIMING_COLUMNS, neutral
from tests.tracker.factories import NOW, make_hardware, make_node, make_offer
from tests.tracker.trackers import Tracker, running_tracker
from tests.web.xss import XSS

OPERATOR = PrivateKey(b"\1" * 32)
FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "\uff0b1")
FORMULAS_START = ("=", "+", "-", "@", "\t", "\r", "\n")


def table(text: str) -> list[dict[str, str]]:
    """Rows by column."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_csv_has_a_row_for_each_model_of_each_rig() -> None:
    """More rigs than are written in one go."""
    async with running_tracker() as tracker:
        offers = [make_offer(), make_offer("llama3:70b", capabilities=("chat", "tools"))]
        for number in range(1, 131):
            await tracker.store.put_descriptor(
                (node := make_node(number, offers=offers)).descriptor, node.signed, now=NOW
            )
        reply = await tracker.http.get("/api/v1/nodes.csv")
        assert reply.headers["content-type"] == "text/csv; charset=utf-8; header=present"
        assert reply.headers["content-disposition"] == 'attachment; filename="rigs.csv"'
        rows = table(reply.text)
        assert tuple(rows[0]) == NODE_COLUMNS
        assert len(rows) == 260
        assert len({row["id"] for row in rows}) == 130
        assert rows[1]["capabilities"] == "chat tools"
        assert rows[0]["last_seen_at"] == ""
        assert reply.text.endswith("\r\n")
        document = (await tracker.http.get("/api/v1/nodes.json")).json()
        assert document["total"] == len(document["nodes"]) == 130
        assert document["next"] is None
        assert [node["id"] for node in document["nodes"]] == [row["id"] for row in rows[::2]]


async def test_files_have_the_filters_and_the_order_of_the_list() -> None:
    async with running_tracker() as tracker:
        await tracker.publish(make_node(1))
        await tracker.publish(make_node(2, hardware=make_hardware("NVIDIA GeForce RTX 5090")))
        for query in ("", "?gpu=rtx5090", "?status=busy", "?sort=name", "?q=rig+2&min_vram=24"):
            page = (await tracker.http.get(f"/api/v1/nodes{query}")).json()
            expected = [node["id"] for node in page["nodes"]]
            whole = (await tracker.http.get(f"/api/v1/nodes.json{query}")).json()
            rows = table((await tracker.http.get(f"/api/v1/nodes.csv{query}")).text)
            assert [node["id"] for node in whole["nodes"]] == expected
            assert [row["id"] for row in rows] == expected
        for query in ("limit=1", "after=x", "sort=speed", "nope=1"):
            for path in ("/api/v1/nodes.csv", "/api/v1/nodes.json"):
                refused = await tracker.http.get(f"{path}?{query}")
                assert refused.status_code == 400
                assert refused.json()["error"]["code"] == "invalid_request"


async def test_rigs_that_are_held_are_in_no_file() -> None:
    operators = frozenset({derive_id("u1", OPERATOR.public)})
    async with running_tracker(operators=operators) as tracker:
        for number in (1, 2, 3, 4):
            await tracker.publish(make_node(number))
        for number, action, days in ((2, "suspend", 3), (3, "limit", None), (4, "ban", None)):
            node_id = make_node(number).node_id
            decided = await tracker.decide(action, node_id, key=OPERATOR, days=days)
            assert decided.status_code == 200
        for path in ("/api/v1/nodes.csv", "/api/v1/nodes.json", "/feed.atom"):
            text = (await tracker.http.get(path)).text
            seen = [number for number in (1, 2, 3, 4) if make_node(number).node_id in text]
            assert seen == [1], path


def test_formulas_are_text() -> None:
    for text in FORMULAS:
        assert neutral(text) == f"'{text}"
    for text in ("", "a=1", " =1", "'=1", "1-1", "\u3042"):
        assert neutral(text) == text


async def test_no_cell_of_a_hostile_rig_is_a_formula() -> None:
    async with running_tracker() as tracker:
        listed = await publish_hostile(tracker)
        assert listed > 50
        rows = table((await tracker.http.get("/api/v1/nodes.csv")).text)
        assert len(rows) == listed
        for row in rows:
            assert not [cell for cell in row.values() if cell.startswith(FORMULAS_START)]
        document = json.loads((await tracker.http.get("/api/v1/nodes.json")).text)
        assert len(document["nodes"]) == listed


async def publish_hostile(tracker: Tracker) -> int:
    """Rigs that say nothing but hostile texts, those that the tracker lists; how many."""
    listed = 0
    for number, text in enumerate(XSS):
        node = make_node(
            number + 1,
            name=text[:40].strip(),
            note=text,
            hardware=make_hardware(text[:120].strip()),
            offers=[make_offer(text[:120].strip())],
        )
        listed += (await tracker.publish(node)).status_code == 200
    return listed


async def test_timings_are_numbers_of_nobody() -> None:
    async with running_tracker() as tracker:
        await tracker.publish(make_node(1))
        await tracker.publish(make_node(2))
        shared = [timing(number, rig) for rig in (1, 2) for number in range(3)]
        await tracker.store.contributions.put_receipts([], shared, [])
        reply = await tracker.http.get("/api/v1/timings.csv")
        rows = table(reply.text)
        assert tuple(rows[0]) == TIMING_COLUMNS
        assert [row["users"] for row in rows] == ["3", "3"]
        assert "account" not in reply.text
        assert not [each for each in shared if each.account in reply.text]
        views = (await tracker.http.get("/api/v1/timings")).json()["timings"]
        assert [float(row["ttft_ms_p50"]) for row in rows] == [
            view["ttft_ms"]["p50"] for view in views
        ]
        one = await tracker.http.get(f"/api/v1/timings.csv?node={make_node(2).node_id}")
        assert [row["node_id"] for row in table(one.text)] == [make_node(2).node_id]
        known = {"if-none-match": reply.headers["etag"]}
        again = await tracker.http.get("/api/v1/timings.csv", headers=known)
        assert again.status_code == 304


def timing(number: int, rig: int) -> TimingRecord:
    """What user `number` measured at a rig."""
    return TimingRecord(
        node_id=make_node(rig).node_id,
        request_id=f"request-{number}",
        account=f"account-of-{number:08}",
        model="qwen3:8b",
        prompt_tokens=100,
        completion_tokens=50,
        ttft_ms=100.0 + number,
        tokens_per_second=40.0,
        shared_at=NOW,
    )
