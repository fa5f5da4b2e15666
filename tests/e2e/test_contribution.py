"""From a real reply to the score of the rig's owner: engine, rig, tracker, client, commands."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx2

from luckrig.cli.home import Home, id_of
from luckrig.cli.options import ask_tracker
from luckrig.client.receipts import Witnessed, answer_receipt, receipt_in
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.receipts import Measured
from luckrig.protocol.wire import ReceiptsReply, ReceiptsRequest
from tests.e2e.commands import finished
from tests.e2e.conftest import Demo


def run(home: Path, demo: Demo, *command: str, stdin: str = "") -> Any:
    """A command with --json in a home of its own."""
    variables = {"LUCKRIG_TRACKER": str(demo.announced["tracker"])}
    done = finished(home, *command, "--json", stdin=stdin, variables=variables)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def last_document(text: str) -> dict[str, Any]:
    """The last JSON of a stream."""
    events = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert events[-1] == "[DONE]"
    document: dict[str, Any] = json.loads(events[-2])
    return document


async def hand_in(demo: Demo, receipt: str, seen: Witnessed, key: PrivateKey) -> ReceiptsReply:
    """What a client does that countersigns."""
    signed = answer_receipt(receipt, seen, user_key=key, now=time.time())
    address = TrackerAddress(str(demo.announced["tracker"]), None)
    async with ask_tracker(address) as tracker:
        return await tracker.send_receipts(ReceiptsRequest(receipts=[signed]))


def test_a_reply_counts_for_the_rigs_owner(demo: Demo, tmp_path: Path) -> None:
    """Used after reading a note, countersigned with a timing, in the ledger, and verified."""
    author, reader = tmp_path / "author", tmp_path / "reader"
    node_id = str(demo.announced["node_id"])
    written = run(author, demo, "notes", "write", node_id, "-", stdin="Ask it short questions.\n")
    (shown,) = run(reader, demo, "notes", "list", node_id)["notes"]
    assert shown["versions"][0]["text"] == "Ask it short questions."
    token = run(reader, demo, "token", node_id, "--note", written["note_id"])
    answer = httpx2.post(
        f"{token['base_url']}/chat/completions",
        headers={"authorization": f"Bearer {token['token']}"},
        json={
            "model": token["models"][0],
            "messages": [{"role": "user", "content": "Hello"}],
            "stream": True,
            "max_tokens": 20,
        },
        timeout=20,
    )
    receipt = receipt_in(last_document(answer.text))
    assert receipt is not None
    key = Home(reader).load("user")
    measured = Measured(ttft_ms=60_000.0, generation_ms=500.0)
    seen = Witnessed(token=token["token"], output_bytes=len(answer.content), measured=measured)
    (result,) = asyncio.run(hand_in(demo, receipt, seen, key)).results
    assert (result.state, result.refused) == ("two-sided", None)
    assert run(reader, demo, "notes", "reproduced", written["note_id"])["reproduced"] == 1

    owner = run(demo.home / "luckrig", demo, "score", "--verify")
    assert owner["matches"] is True
    assert owner["score"]["pending"] >= 2
    mine = run(author, demo, "score")
    assert mine["pending"] == 2  # the note was picked, and reproduced
    assert id_of("user", key) not in json.dumps(owner)
    timings = httpx2.get(f"{demo.announced['tracker']}/api/v1/timings", params={"node": node_id})
    assert [view["users"] for view in timings.json()["timings"]] == [1]
