"""`luckrig account` and `luckrig login`: one's own data, and a browser that is oneself."""

import json
import stat
from pathlib import Path

import msgspec
import pytest

from luckrig.cli.home import Home, id_of
from luckrig.nodeproxy.control import claimed_folder
from luckrig.protocol.account import AccountExport, Cell, EraseReply, LoginReply
from luckrig.protocol.desk import CasePage
from tests.cli.conftest import AtKeyboard, Luckrig
from tests.client.fake_tracker import FakeTracker, Reply

HOSTILE = "a\x1b[2J\u202e\x9b\u2028"


@pytest.fixture
def user_id(home: Home, tracker: FakeTracker) -> str:
    """Whose key is at home; the tracker exports and erases."""
    user_id = id_of("user", home.load_or_create("user"))
    rows: list[dict[str, Cell]] = [{"user_id": user_id, "text": HOSTILE}]
    exported = AccountExport(
        user_id=user_id,
        account="u1" + "c" * 32,
        exported_at=1_800_000_000,
        tables={"users": rows, "notes": rows * 2, "nodes": []},
    )
    tracker.lies(Reply([msgspec.json.encode(exported)]), path="/api/v1/me/export")
    erased = EraseReply(erased={"users": 1, "notes": 2, "nodes": 0}, held=False)
    tracker.lies(Reply([msgspec.json.encode(erased)]), path="/api/v1/me/erase")
    return user_id


def test_export_is_a_private_file_with_all_of_it(
    luckrig: Luckrig, user_id: str, tmp_path: Path
) -> None:
    file = tmp_path / "me.json"
    result = luckrig("account", "export", str(file))
    assert (result.code, result.err) == (0, "1 of users, 2 of notes\n")
    assert result.out == f"Saved 3 rows as of 2027-01-15 08:00 UTC in {file}.\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text("utf-8")
    assert json.loads(text)["tables"]["notes"][1] == {"user_id": user_id, "text": HOSTILE}
    assert not {"\x1b", "\u202e", "\x9b", "\u2028"} & set(text)
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_export_never_overwrites(
    luckrig: Luckrig, tracker: FakeTracker, user_id: str, tmp_path: Path
) -> None:
    file, link = tmp_path / "me.json", tmp_path / "link"
    file.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    for taken in (file, link, tmp_path):
        result = luckrig("account", "export", str(taken))
        assert (result.code, "overwrites nothing" in result.err) == (1, True)
    assert file.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    assert tracker.seen == []
    result = luckrig("account", "export", str(tmp_path / "no" / "folder"))
    assert (result.code, "Can't write" in result.err) == (1, True)


def test_export_of_somebody_else_is_refused(
    luckrig: Luckrig, tracker: FakeTracker, user_id: str, tmp_path: Path
) -> None:
    exported = AccountExport(user_id="u1" + "b" * 32, account="x", exported_at=1, tables={})
    tracker.lies(Reply([msgspec.json.encode(exported)]), path="/api/v1/me/export")
    result = luckrig("account", "export", str(tmp_path / "me.json"))
    assert (result.code, "somebody else" in result.err) == (1, True)
    assert not (tmp_path / "me.json").exists()


def test_delete_says_what_stays_and_wants_the_id(
    luckrig: Luckrig, tracker: FakeTracker, user_id: str, typed: AtKeyboard
) -> None:
    typed("yes")
    result = luckrig("account", "delete")
    assert (result.code, result.out) == (1, "")
    for part in ("ledger", "audit log", "legal hold", "Stop every rig", "export FILE"):
        assert part in result.err
    assert "Nothing was deleted." in result.err
    assert tracker.seen == []
    typed(user_id)
    result = luckrig("account", "delete")
    assert (result.code, result.out) == (0, "Deleted: 1 of users, 2 of notes.\n")
    assert json.loads(tracker.seen[-1].body) == {"user_id": user_id}
    assert "Your key is still here" in result.err


def test_delete_for_scripts(luckrig: Luckrig, tracker: FakeTracker, user_id: str) -> None:
    assert luckrig("account", "delete").code == 2
    result = luckrig("account", "delete", "--yes-delete", "u1" + "b" * 32)
    assert (result.code, user_id in result.err) == (1, True)
    assert tracker.seen == []
    result = luckrig("account", "delete", "--yes-delete", user_id, "--json")
    assert json.loads(result.out)["erased"]["notes"] == 2


def test_what_a_hold_keeps_is_said(luckrig: Luckrig, tracker: FakeTracker, user_id: str) -> None:
    erased = EraseReply(erased={}, held=True)
    tracker.lies(Reply([msgspec.json.encode(erased)]), path="/api/v1/me/erase")
    result = luckrig("account", "delete", "--yes-delete", user_id)
    assert result.out == "Deleted: there was nothing.\n"
    assert "A legal hold keeps some rows" in result.err


def test_a_rig_that_runs_is_stopped_first(
    luckrig: Luckrig, tracker: FakeTracker, user_id: str, home: Home
) -> None:
    """It would put itself on the map again."""
    with claimed_folder(home.run_folder):
        result = luckrig("account", "delete", "--yes-delete", user_id)
    assert (result.code, "luckrig node drain --stop" in result.err) == (1, True)
    assert tracker.seen == []
    assert luckrig("account", "delete", "--yes-delete", user_id).code == 0


def login(tracker: FakeTracker, url: str) -> None:
    """From now on that's where a login leads."""
    reply = LoginReply(url=url, expires_at=1_800_000_000)
    tracker.lies(Reply([msgspec.json.encode(reply)]), path="/api/v1/sessions")


def test_login_prints_an_address_that_works_once(
    luckrig: Luckrig, tracker: FakeTracker, user_id: str
) -> None:
    url = f"{tracker.origin}/login/one-time_code"
    login(tracker, url)
    result = luckrig("login")
    assert (result.code, result.out) == (0, f"{url}\n")
    assert "Good once, until 2027-01-15 08:00 UTC." in result.err
    assert json.loads(luckrig("login", "--json").out)["url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/login/code",
        "{origin}.evil.example/login/code",
        "{origin}@evil.example/login/code",
        "file:///etc/passwd",
        "{origin}/login/",
        "{origin}/login/../x",
        "{origin}/login/x?y",
        "{origin}/login/\x1b[2J",
        "{origin}/n/n1/login/code",
    ],
)
def test_login_leads_nowhere_else(
    url: str, luckrig: Luckrig, tracker: FakeTracker, user_id: str
) -> None:
    """A browser is about to open it."""
    login(tracker, url.replace("{origin}", tracker.origin))
    result = luckrig("login", "--open")
    assert (result.code, result.out) == (3, "")


def test_open_opens_it_in_the_browser(
    luckrig: Luckrig,
    tracker: FakeTracker,
    user_id: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []

    def browser(url: str) -> bool:
        opened.append(url)
        return len(opened) == 1

    monkeypatch.setattr("webbrowser.open", browser)
    login(tracker, f"{tracker.origin}/login/code")
    assert luckrig("login", "--open").code == 0
    assert opened == [f"{tracker.origin}/login/code"]
    assert "Open the address yourself" in luckrig("login", "--open").err


def test_operator_login_says_so_to_others(
    luckrig: Luckrig, tracker: FakeTracker, user_id: str
) -> None:
    login(tracker, f"{tracker.origin}/login/code")
    refusal = {"code": "operators_only", "message": "No.", "type": "x", "param": None}
    body = msgspec.json.encode({"error": refusal})
    tracker.lies(Reply([body], status=403), path="/api/v1/admin/cases")
    result = luckrig("login", "--operator")
    assert (result.code, result.out) == (1, "")
    page = CasePage(cases=[], open=0, appealed=0, next=None)
    tracker.lies(Reply([msgspec.json.encode(page)]), path="/api/v1/admin/cases")
    result = luckrig("login", "--operator")
    assert f"{tracker.origin}/operator" in result.err
