"""`luckrig status` and `luckrig appeal`: what was decided about you, why, and what to do."""

import json
from pathlib import Path
from typing import Any

import pytest

from luckrig.cli.moments import day, due, span, utc
from tests.cli.conftest import AtKeyboard
from tests.cli.operated import IDS, Operated

REASON = ("--reason", "Its timings are a toaster's.")
COUNTER = """\
name = "Robin Owner"
address = "2 Road, Town"
phone = "+1 555 0101"
signature = "Robin Owner"
mistaken = true
consent = true
"""


def standing(operated: Operated, who: str = "owner") -> Any:
    """What `luckrig status` knows."""
    return json.loads(operated(who, "status", "--json").out)


def test_nothing_decided_is_said(operated: Operated) -> None:
    result = operated("owner", "status")
    assert (result.code, result.err) == (0, "")
    assert f"You are {IDS['owner']} at {operated.origin}" in result.out
    assert "nothing was decided about you" in result.out
    assert standing(operated)["tier"] == "limited"


def test_the_affected_reads_the_reason_and_how_to_appeal(operated: Operated) -> None:
    operated("operator", "admin", "suspend", operated.rig_id, "--days", "7", *REASON)
    result = operated("owner", "status")
    assert result.code == 0
    (decision,) = standing(operated)["decisions"]
    for part in (
        f"Rig {operated.rig_id}: suspended until 20",
        "Its timings are a toaster's.",
        "this tracker's terms",
        f"luckrig appeal {decision['decision_id']}",
        "1 decision about you, your rigs or your notes, 1 in force",
    ):
        assert part in result.out
    assert standing(operated, "visitor")["decisions"] == []


def test_a_banned_user_still_gets_to_read_why(operated: Operated) -> None:
    operated("operator", "admin", "ban", IDS["owner"], *REASON)
    found = standing(operated)
    assert (found["in_force"], found["decisions"][0]["action"]) == (1, "ban")
    assert operated("owner", "status").code == 0


def test_an_appeal_is_shown_until_it_is_answered(operated: Operated) -> None:
    operated("operator", "admin", "ban", operated.rig_id, *REASON)
    decision_id = standing(operated)["decisions"][0]["decision_id"]
    result = operated("owner", "appeal", decision_id, "--text", "It is a real GPU.")
    assert result.code == 0
    assert "It is a real GPU." in result.out
    assert standing(operated)["open_appeals"] == 1
    out = operated("owner", "status").out
    assert "1 without an answer" in out
    assert "none yet" in out
    assert "luckrig appeal " not in out
    again = operated("owner", "appeal", decision_id, "--text", "Again.")
    assert (again.code, "appealed this decision already" in again.err) == (1, True)


def test_nobody_appeals_for_somebody_else(operated: Operated) -> None:
    operated("operator", "admin", "ban", operated.rig_id, *REASON)
    decision_id = standing(operated)["decisions"][0]["decision_id"]
    result = operated("visitor", "appeal", decision_id, "--text", "Mine.")
    assert (result.code, "isn't about you" in result.err) == (1, True)
    assert operated("visitor", "appeal", decision_id).code == 2


def copyright_decision(operated: Operated, folder: Path) -> str:
    """A rig that is limited after a copyright notice; the decision's id."""
    claim = folder / "claim.toml"
    claim.write_text('work="x"\naddress="x"\nphone="x"\nsignature="x"\naccurate=true')
    words = ("--category", "copyright", "--reason", "Mine.", "--copyright", str(claim), "--yes")
    sender = ("--name", "Kim Example", "--email", "kim@example.org")
    assert operated("visitor", "report", operated.rig_id, *words, *sender).code == 0
    (case,) = json.loads(operated("operator", "admin", "cases", "--json").out)["cases"]
    decide = ("admin", "decide", case["case_id"], "limit", *REASON, "--ground", "law")
    assert operated("operator", *decide).code == 0
    decision_id: str = standing(operated)["decisions"][0]["decision_id"]
    return decision_id


def test_a_counter_notice_comes_from_a_file(operated: Operated, tmp_path: Path) -> None:
    decision_id = copyright_decision(operated, tmp_path)
    file = tmp_path / "counter.toml"
    file.write_text(COUNTER)
    appeal = ("appeal", decision_id, "--text", "Mine, too.", "--counter-file", str(file))
    result = operated("owner", *appeal)
    assert result.code == 0, result.err
    assert "Robin Owner, signed Robin Owner" in result.out
    assert "under penalty of perjury" in result.out


def test_a_counter_notice_is_asked_for(
    operated: Operated, tmp_path: Path, typed: AtKeyboard
) -> None:
    decision_id = copyright_decision(operated, tmp_path)
    appeal = ("appeal", decision_id, "--counter-notice")
    assert operated("owner", *appeal, "--text", "x").code == 2
    typed("Mine, too.", "Robin", "2 Road", "+1", "Robin", "y", "n")
    assert "Without this statement" in operated("owner", *appeal).err
    typed("Mine, too.", "Robin", "2 Road", "+1", "Robin", "y", "y")
    assert operated("owner", *appeal).code == 0
    assert standing(operated)["decisions"][0]["appeal"]["counter_notice"]["consent"] is True


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "<1 h"), (3599, "<1 h"), (3600, "1 h"), (47 * 3600, "47 h"), (2 * 86_400, "2 d")],
)
def test_spans_are_told_roughly(seconds: int, words: str) -> None:
    assert span(seconds) == words
    assert due(1000 + max(0, seconds), now=1000) == f"in {words}"
    assert due(1000, now=1001 + max(0, seconds)).endswith("late")


def test_no_time_is_too_odd_to_be_written() -> None:
    assert utc(1_795_264_483) == "2026-11-21 12:34 UTC"
    assert day(1_795_264_483) == "2026-11-21"
    for odd in (2**63, -(2**63), 10**30):
        assert utc(odd) == day(odd) == "at no time there is"
