"""`luckrig admin audit`: a log that was rewritten is caught by who looked before."""

import json

from luckrig.cli.home import Home
from tests.cli.conftest import Luckrig
from tests.cli.operated import IDS, Operated
from tests.client.fake_audit import FakeAudit
from tests.client.fake_tracker import FakeTracker


def test_what_operators_do_stands_in_a_log_that_holds_together(operated: Operated) -> None:
    assert operated("operator", "admin", "audit", "verify").code == 0
    for number in range(5):
        operated("operator", "admin", "limit", IDS["owner"], "--reason", f"x{number}")
    report = json.loads(operated("operator", "admin", "audit", "--json").out)
    assert (report["size"], report["known_size"]) == (5, 0)
    assert [line["event"] for line in report["lines"]] == ["decided"] * 5
    assert report["lines"][0]["detail"] == f"limit {IDS['owner']}"
    out = operated("operator", "admin", "audit", "show", "--last", "2").out
    assert out.count("limit u1") == 2
    assert "is whole: 5 lines" in out
    assert "goes on from the 5 lines" in out


def test_a_changed_line_is_named_and_not_remembered(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    home.load_or_create("user")
    tracker.audit.grow(8)
    assert luckrig("admin", "audit", "verify").code == 0
    before = (home.path / "audit-heads.json").read_bytes()
    tracker.audit.entries[4] = tracker.audit.entries[4].replace(b"ban", b"bin")
    error = json.loads(luckrig("admin", "audit", "verify", "--json").out)["error"]
    assert (error["code"], error["param"]) == ("signature_invalid", "entries[4]")
    result = luckrig("admin", "audit", "verify")
    assert (result.code, result.out) == (1, "")
    assert "breaks at line 4" in result.err
    assert (home.path / "audit-heads.json").read_bytes() == before


def test_a_log_made_anew_is_caught_later(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    home.load_or_create("user")
    tracker.audit.grow(8)
    assert luckrig("admin", "audit").code == 0
    tracker.audit = FakeAudit(signer=tracker.log)
    tracker.audit.grow(9, salt="other")
    result = luckrig("admin", "audit", "verify")
    assert result.code == 1
    assert "was rewritten: its first 8 lines" in result.err
    (home.path / "audit-heads.json").unlink()
    assert luckrig("admin", "audit", "verify").code == 0


def test_a_line_that_is_no_entry_is_said_to_be_none(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    home.load_or_create("user")
    tracker.audit.entries.append(b'["not", "an", "entry"]')
    tracker.audit.seal()
    assert luckrig("admin", "audit", "verify").code == 0
    result = luckrig("admin", "audit", "show")
    assert (result.code, "isn't an entry" in result.err) == (1, True)


def test_a_damaged_memory_is_not_taken_for_an_empty_one(
    luckrig: Luckrig, tracker: FakeTracker, home: Home
) -> None:
    home.load_or_create("user")
    (home.path / "audit-heads.json").write_bytes(b"[]")
    result = luckrig("admin", "audit", "verify")
    assert (result.code, "audit-heads.json is damaged" in result.err) == (1, True)
