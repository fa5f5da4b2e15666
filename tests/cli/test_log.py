"""`luckrig log verify`: a tracker that rewrote its log is caught by who looked before."""

import json
from collections.abc import Callable

import msgspec
import pytest

from luckrig.cli.home import Home
from luckrig.protocol.keys import PrivateKey
from tests.cli.conftest import Luckrig
from tests.client.fake_log import FakeLog
from tests.client.fake_tracker import FakeTracker


def stored(home: Home) -> dict[str, dict[str, object]]:
    heads: dict[str, dict[str, object]] = json.loads((home.path / "log-heads.json").read_bytes())
    return heads


def test_first_look_remembers_the_head(luckrig: Luckrig, tracker: FakeTracker, home: Home) -> None:
    tracker.log.grow(8)
    result = luckrig("log", "verify")
    assert result.code == 0
    assert f"8 entries, head {tracker.log.tip.hash}" in result.out
    assert f"{tracker.origin}#{tracker.log.root_id}" in result.err
    head = stored(home)[tracker.log.root_id]
    assert (head["origin"], head["size"]) == (tracker.origin, 8)
    assert head["hash"] == tracker.log.tip.hash


def test_later_looks_go_on_from_it(luckrig: Luckrig, tracker: FakeTracker, home: Home) -> None:
    known: list[int | None] = []
    for count in (0, 8, 0, 4):
        tracker.log.grow(count)
        result = luckrig("log", "verify", "--json")
        report = json.loads(result.out)
        assert (result.code, result.err) == (0, "")
        assert (report["size"], report["hash"]) == tracker.log.tip
        assert (report["tracker"], report["root_id"]) == (tracker.origin, tracker.log.root_id)
        known.append(report["known_size"])
    assert known == [None, 0, 8, 8]
    assert "goes on from the 12 entries" in luckrig("log", "verify").out
    assert [file.name for file in home.path.iterdir()] == ["log-heads.json"]


def _change(log: FakeLog) -> None:
    log.entries[4] = msgspec.structs.replace(log.entries[4], seq=2)


def _drop(log: FakeLog) -> None:
    del log.entries[4]


def _swap(log: FakeLog) -> None:
    log.entries[4], log.entries[5] = log.entries[5], log.entries[4]


def _insert(log: FakeLog) -> None:
    log.entries.insert(4, log.entries[0])


def _shrink(log: FakeLog) -> None:
    del log.entries[4:]


@pytest.mark.parametrize("rewrite", [_change, _drop, _swap, _insert, _shrink])
def test_the_first_bad_entry_is_named(
    luckrig: Luckrig, tracker: FakeTracker, home: Home, rewrite: Callable[[FakeLog], None]
) -> None:
    tracker.log.grow(8)
    assert luckrig("log", "verify").code == 0
    before = stored(home)
    rewrite(tracker.log)
    result = luckrig("log", "verify", "--json")
    error = json.loads(result.out)["error"]
    assert (result.code, error["code"], error["param"]) == (1, "signature_invalid", "entries[5]")
    result = luckrig("log", "verify")
    assert (result.code, result.out) == (1, "")
    assert "The tracker's log" in result.err
    assert stored(home) == before


def test_a_history_made_anew_is_caught(luckrig: Luckrig, tracker: FakeTracker, home: Home) -> None:
    tracker.log.grow(8)
    assert luckrig("log", "verify").code == 0
    tracker.log.entries.clear()
    tracker.log.grow(9, salt="other")
    result = luckrig("log", "verify")
    assert result.code == 1
    assert "was rewritten: its first 8 entries" in result.err


def test_a_new_root_key_does_not_wash_the_past_away(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    """Not even when the address on the command line pins nothing."""
    tracker.log.grow(8)
    assert luckrig("log", "verify").code == 0
    tracker.log = FakeLog(root=PrivateKey(b"new!" * 8))
    result = luckrig("log", "verify")
    assert result.code == 1
    assert "isn't signed by the tracker whose id is in its address" in result.err
    pinned = f"{tracker.origin}#{tracker.log.root_id}"
    assert luckrig("log", "verify", "--tracker", pinned).code == 0
    assert len(stored(home)) == 2
    assert luckrig("log", "verify").code == 0


def test_a_tracker_that_moved_keeps_its_log(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    tracker.log.grow(8)
    assert luckrig("log", "verify").code == 0
    tracker.log.entries.clear()
    moved = tracker.origin.replace("127.0.0.1", "localhost")
    pinned = f"{moved}#{tracker.log.root_id}"
    result = luckrig("log", "verify", "--tracker", pinned)
    assert result.code == 1
    assert "had 8 entries before" in result.err


@pytest.mark.parametrize("content", [b"", b"[]", b'{"r1": {}}', b"\xff"])
def test_a_damaged_memory_is_not_taken_for_an_empty_one(
    luckrig: Luckrig, tracker: FakeTracker, home: Home, content: bytes
) -> None:
    home.path.mkdir()
    (home.path / "log-heads.json").write_bytes(content)
    result = luckrig("log", "verify")
    assert result.code == 1
    assert "log-heads.json is damaged" in result.err
    assert (home.path / "log-heads.json").read_bytes() == content
