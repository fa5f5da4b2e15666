"""`luckrig report`: from any kind of id to a private address, with or without a terminal."""

import json
from pathlib import Path
from typing import Any

import pytest

from luckrig.cli.report.subject import Subject, place_of, subject_of
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from tests.cli.conftest import AtKeyboard, Luckrig
from tests.cli.operated import NOTE_ID, Operated
from tests.client.fake_tracker import FakeTracker

SENDER = ("--name", "Kim Example", "--email", "kim@example.org")
TERMS = ("--category", "terms", "--reason", "It is a toaster.", *SENDER)
SAFETY = ("--category", "child_safety", "--reason", "Look.")
NODE_ID, USER_ID, TICKET = "n1" + "a" * 32, "u1" + "a" * 32, "t" * 43
HERE = TrackerAddress("http://127.0.0.1:8787", None)


def sent(operated: Operated, *args: str, who: str = "visitor") -> Any:
    """A report that was taken, as JSON."""
    result = operated(who, "report", *args, "--yes", "--json")
    assert result.code == 0, result.out
    return json.loads(result.out)


def cases(operated: Operated) -> Any:
    """What operators see."""
    return json.loads(operated("operator", "admin", "cases", "--json").out)["cases"]


def decide(operated: Operated, action: str = "ban") -> None:
    """Decide the only open case."""
    (case,) = cases(operated)
    words = ("admin", "decide", case["case_id"], action, "--reason", "It is one.")
    assert operated("operator", *words).code == 0


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (NODE_ID, "node"),
        (USER_ID, "user"),
        (NOTE_ID, "note"),
        ("a1b2c3d4e5f6a1b2c3d4e5f6", "note"),
        (f"{NODE_ID}/request-id-of-16", "reply"),
    ],
)
def test_the_kind_is_told_from_the_ids_shape(text: str, kind: str) -> None:
    assert subject_of(text) == Subject(kind, text)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["attic", "n1aaaaaa", "RTX 4090 rig", "", "\x1b" * 20])
def test_what_is_no_whole_id_may_be_a_rigs_name(text: str) -> None:
    assert subject_of(text) is None


@pytest.mark.parametrize(
    "text", [NODE_ID + "a", NODE_ID[:-1], USER_ID[:-2], "a/b", f"{NODE_ID}/short", f"{USER_ID}/x"]
)
def test_nearly_an_id_is_a_slip(text: str) -> None:
    with pytest.raises(LuckrigError):
        subject_of(text)


def test_a_ticket_and_its_address_lead_to_the_same_place() -> None:
    elsewhere = TrackerAddress("https://tracker.example", None)
    pinned = TrackerAddress("https://tracker.example", "r1" + "a" * 32)
    assert place_of(TICKET, HERE) == (HERE, TICKET)
    assert place_of(f"/report/{TICKET}", HERE) == (HERE, TICKET)
    assert place_of(f"https://tracker.example/report/{TICKET}", HERE) == (elsewhere, TICKET)
    assert place_of(f"https://tracker.example/report/{TICKET}?lang=ja#x", pinned) == (
        pinned,
        TICKET,
    )
    for text in ("x", f"ftp://x.example/report/{TICKET}", f"{TICKET}\n", f"//x/report/{TICKET}"):
        with pytest.raises(LuckrigError):
            place_of(text, HERE)


def test_report_prints_its_private_address_and_until_when(operated: Operated) -> None:
    result = operated("visitor", "report", operated.rig_id, *TERMS, "--yes")
    assert result.code == 0
    first, page = result.out.splitlines()
    assert first.startswith("Reported. A person decides, by 20")
    assert page.startswith(f"{operated.origin}/report/")
    assert "Keep this address to yourself" in result.err
    (case,) = cases(operated)
    assert (case["subject_kind"], case["category"]) == ("node", "terms")


def test_each_kind_is_reported(operated: Operated) -> None:
    operated.write_note("Undervolt it.")
    for subject in (operated.rig_id, f"{operated.rig_id}/request-id-of-16", NOTE_ID, USER_ID):
        assert sent(operated, subject, *TERMS)["report"]["subject_id"] == subject
    assert {case["subject_kind"] for case in cases(operated)} == {"node", "reply", "note", "user"}


def test_a_rig_is_found_by_its_name(operated: Operated) -> None:
    assert sent(operated, "rig 1", *TERMS)["report"]["subject_id"] == operated.rig_id
    result = operated("visitor", "report", "nobody's", *TERMS, "--yes")
    assert (result.code, "No rig has the id or name" in result.err) == (1, True)


def test_child_safety_goes_without_a_name(operated: Operated) -> None:
    report = sent(operated, operated.rig_id, *SAFETY)["report"]
    assert (report["name"], report["email"]) == ("", "")
    assert "--name" in operated("visitor", "report", USER_ID, *TERMS[:4], "--yes").err


def test_signed_reports_of_trusted_notifiers_hide_until_somebody_looks(operated: Operated) -> None:
    sent(operated, operated.rig_id, *SAFETY)
    assert json.loads(operated("owner", "status", "--json").out)["decisions"] == []
    sent(operated, operated.rig_id, *SAFETY, "--signed", who="notifier")
    out = operated("owner", "status").out
    assert "nobody yet; hidden until an operator has looked" in out
    assert "hidden" in out


def test_status_and_appeal_by_address_and_by_ticket(operated: Operated) -> None:
    receipt = sent(operated, operated.rig_id, *TERMS)["receipt"]
    for place in (receipt["page"], receipt["ticket"]):
        assert "waits for a decision" in operated("visitor", "report", "status", place).out
    appeal = ("report", "appeal", receipt["ticket"], "--text", "Harder.")
    assert "Nothing has been decided yet" in operated("visitor", *appeal).err
    decide(operated)
    out = operated("visitor", "report", "status", receipt["page"]).out
    assert f"Rig {operated.rig_id}: banned for good" in out
    assert f"luckrig report appeal {receipt['page']}" in out
    result = operated("visitor", *appeal, "--json")
    assert json.loads(result.out)["decisions"][0]["appeal"]["text"] == "Harder."
    assert "appealed this decision already" in operated("visitor", *appeal).err
    result = operated("visitor", "report", "status", TICKET)
    assert (result.code, "No report has this ticket" in result.err) == (1, True)


def test_a_ticket_that_begins_with_a_dash_is_no_option(operated: Operated) -> None:
    result = operated("visitor", "report", "status", "-" + "x" * 42)
    assert (result.code, "No report has this ticket" in result.err) == (1, True)


CLAIM = """\
work = "A poem, at https://poet.example/1"
address = "1 Road, Town"
phone = "+1 555 0100"
signature = "Kim Example"
accurate = true
"""


def test_a_copyright_notice_comes_from_a_file(operated: Operated, tmp_path: Path) -> None:
    file = tmp_path / "claim.toml"
    words = ("--category", "copyright", "--reason", "My poem.", *SENDER)
    assert "--copyright" in operated("visitor", "report", USER_ID, *words, "--yes").err
    file.write_text(CLAIM)
    report = sent(operated, USER_ID, *words, "--copyright", str(file))["report"]
    assert report["copyright"]["signature"] == "Kim Example"
    for broken in ("work = 1", "][", CLAIM + "more = 1", "\x00"):
        file.write_text(broken)
        result = operated("visitor", "report", USER_ID, *words, "--copyright", str(file), "--yes")
        assert (result.code, "TOML with work, address" in result.err) == (1, True)
    file.write_text(CLAIM.replace("true", "false"))
    result = operated("visitor", "report", USER_ID, *words, "--copyright", str(file), "--yes")
    assert (result.code, "The law asks for this statement" in result.err) == (1, True)
    missing = str(tmp_path / "none")
    result = operated("visitor", "report", USER_ID, *words, "--copyright", missing, "--yes")
    assert (result.code, "Can't read" in result.err) == (1, True)


def test_a_terminal_is_asked_for_what_is_missing(operated: Operated, typed: AtKeyboard) -> None:
    typed(
        operated.rig_id, "7", "It is a toaster.", "https://seen.example", "Kim", "k@x.example", "y"
    )
    result = operated("visitor", "report")
    assert result.code == 0, result.err
    for part in (
        f"To the operators of {operated.origin}",
        f"rig {operated.rig_id}",
        "terms, to be decided within 168 h",
        "https://seen.example",
        "Kim <k@x.example>",
    ):
        assert part in result.err
    assert f"{operated.origin}/report/" in result.out


def test_a_copyright_notice_is_asked_for(operated: Operated, typed: AtKeyboard) -> None:
    typed("6", "Mine.", "", "Kim", "k@x.example", "A poem", "1 Road", "+1", "Kim", "y", "y")
    result = operated("visitor", "report", USER_ID)
    assert result.code == 0, result.err
    assert "Kim, under penalty of perjury" in result.err
    typed("6", "Mine.", "", "Kim", "k@x.example", "A poem", "1 Road", "+1", "Kim", "n")
    result = operated("visitor", "report", USER_ID)
    assert (result.code, "Without this statement" in result.err) == (1, True)


def test_nothing_is_sent_without_good_faith(operated: Operated, typed: AtKeyboard) -> None:
    typed("n")
    result = operated("visitor", "report", operated.rig_id, *TERMS)
    assert (result.code, result.out) == (1, "")
    assert "Nothing was sent." in result.err
    assert cases(operated) == []
    typed()
    assert operated("visitor", "report", operated.rig_id, *TERMS).code == 130


@pytest.mark.parametrize(
    ("args", "missing"),
    [
        ((NODE_ID, *TERMS), "--yes"),
        (("--yes", *TERMS), "ID"),
        ((NODE_ID, "--yes"), "--category"),
        ((NODE_ID, "--yes", *TERMS[:2]), "--reason"),
        ((NODE_ID, "--yes", *TERMS[:4]), "--name"),
        ((NODE_ID, "--yes", *TERMS[:6]), "--email"),
    ],
)
def test_without_a_terminal_the_missing_option_is_named(
    args: tuple[str, ...], missing: str, luckrig: Luckrig, tracker: FakeTracker
) -> None:
    result = luckrig("report", *args)
    assert (result.code, result.out) == (2, "")
    assert missing in result.err
    assert tracker.seen == []


@pytest.mark.parametrize(
    "changed", [("--email", "no address"), ("--reason", " "), ("--reason", "x" * 4001)]
)
def test_what_no_tracker_takes_is_refused(operated: Operated, changed: tuple[str, str]) -> None:
    result = operated("visitor", "report", operated.rig_id, *TERMS, *changed, "--yes")
    assert result.code == 1
    assert cases(operated) == []


def test_help_tells_what_can_be_reported(luckrig: Luckrig) -> None:
    out = luckrig("report", "-h").out
    assert "luckrig report n1…/REQUEST" in out
    assert "--category" in luckrig("report", "new", "-h").out
