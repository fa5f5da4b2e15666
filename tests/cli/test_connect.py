"""`luckrig connect` at the command line: its key, what it prints, how it begins and ends."""

import json
import signal
import stat
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from luckrig.cli.connect import describe
from luckrig.cli.home import Home
from luckrig.cli.local_key import load_local_key, replace_local_key
from luckrig.cli.loop import bind
from luckrig.client.sidecar.finished import Finished
from luckrig.client.sidecar.guard import KEY_CHARS
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.wire import RegistrationInfo
from tests.cli.conftest import Luckrig
from tests.client.fake_tracker import INVITE, FakeTracker

Start = Callable[..., "subprocess.Popen[str]"]


def key_file(home: Home) -> Path:
    return home.path / "connect.key"


def test_exports_survive_a_shell_and_stay_the_same(luckrig: Luckrig, home: Home) -> None:
    first, second = luckrig("connect", "--print-env"), luckrig("connect", "--print-env")
    assert (first.code, first.err) == (0, "")
    assert first.out == second.out
    shell = first.out + 'printf "%s\\n" "$OPENAI_BASE_URL" "$OPENAI_API_KEY"'
    done = subprocess.run(  # noqa: S603 -- the point of the test
        ["/bin/sh", "-c", shell], capture_output=True, text=True, check=True
    )
    base_url, key = done.stdout.splitlines()
    assert base_url == "http://127.0.0.1:4141/v1"
    assert key.startswith("lk-")
    assert len(key) == KEY_CHARS
    assert key_file(home).read_text() == f"{key}\n"
    assert stat.S_IMODE(key_file(home).stat().st_mode) == 0o600


def test_exports_name_the_port_and_come_as_json(luckrig: Luckrig) -> None:
    printed = json.loads(luckrig("connect", "--print-env", "--port", "5151", "--json").out)
    assert printed["OPENAI_BASE_URL"] == "http://127.0.0.1:5151/v1"
    assert set(printed) == {"OPENAI_BASE_URL", "OPENAI_API_KEY"}
    assert luckrig("connect", "--print-env", "--port", "0").code == 2


def test_new_key_ends_the_old_one(luckrig: Luckrig, home: Home) -> None:
    old = load_local_key(home)
    printed = luckrig("connect", "--print-env", "--new-key")
    new = load_local_key(home)
    assert old != new
    assert new in printed.out
    assert stat.S_IMODE(key_file(home).stat().st_mode) == 0o600


def test_one_key_is_made_however_many_ask_at_once(home: Home) -> None:
    barrier = threading.Barrier(8)

    def ask(_: int) -> str:
        barrier.wait()
        return load_local_key(home)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


@pytest.mark.parametrize("text", ["", "lk-short\n", "sk-" + "a" * 43, f"lk-{'a' * 43}\nmore"])
def test_a_file_that_holds_no_key_is_refused(luckrig: Luckrig, home: Home, text: str) -> None:
    replace_local_key(home)
    key_file(home).write_text(text)
    refused = luckrig("connect", "--print-env")
    assert (refused.code, refused.out) == (1, "")
    assert "--new-key" in refused.err
    assert luckrig("connect", "--print-env", "--new-key").code == 0


def test_a_key_that_others_can_read_is_refused(luckrig: Luckrig, home: Home) -> None:
    load_local_key(home)
    key_file(home).chmod(0o644)
    assert luckrig("connect", "--print-env").code == 1


def test_a_link_is_not_followed(home: Home, tmp_path: Path) -> None:
    home.path.mkdir()
    key_file(home).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LuckrigError, match="symbolic link"):
        load_local_key(home)
    assert not (tmp_path / "elsewhere").exists()


def test_a_wrong_model_is_refused_at_once(luckrig: Luckrig, tracker: FakeTracker) -> None:
    refused = luckrig("connect", "--model", "luckrig/nothing")
    assert refused.code == 1
    assert "luckrig/auto" in refused.err


def test_a_taken_port_says_what_to_do(luckrig: Luckrig, tracker: FakeTracker) -> None:
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        refused = luckrig("connect", "--port", str(port))
    assert refused.code == 1
    assert "Address already in use" in refused.err
    assert "luckrig connect --print-env" in refused.err


def test_a_tracker_that_is_away_is_told_before_anything_listens(luckrig: Luckrig) -> None:
    with bind("127.0.0.1", 0) as sock:
        nowhere = f"http://127.0.0.1:{sock.getsockname()[1]}"
    refused = luckrig("connect", "--port", "0", "--tracker", nowhere, "--json")
    assert refused.code == 3
    assert json.loads(refused.out)["error"]["code"] == "tracker_unreachable"


def test_a_tracker_with_invites_wants_one(luckrig: Luckrig, tracker: FakeTracker) -> None:
    tracker.terms = RegistrationInfo(mode="invite", work_bits=0)
    refused = luckrig("connect", "--port", "0")
    assert refused.code == 1
    assert "invite" in refused.err.lower()


def test_a_key_is_registered_with_work_and_invite(tracker: FakeTracker, start: Start) -> None:
    tracker.terms = RegistrationInfo(mode="invite", work_bits=4)
    process = start("connect", "--port", "0", "--json", "--invite", INVITE)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["mode"] == "plain"
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 0
    assert tracker.seen[-1].path == "/api/v1/registration"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_on_this_machine_alone_until_it_is_told_to_end(
    tracker: FakeTracker, start: Start, home: Home, number: signal.Signals
) -> None:
    home.load_or_create("user")  # else it is said that it was made
    process = start("connect", "--port", "0", "--subtext", "--no-replays", "--json")
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    assert told["base_url"].startswith("http://127.0.0.1:")
    assert (told["mode"], told["history"]) == ("subtext", None)
    key = load_local_key(home)
    assert key not in json.dumps(told)
    headers = {"authorization": f"Bearer {key}"}
    assert httpx2.get(f"{told['base_url']}/models").status_code == 401
    listed = httpx2.get(f"{told['base_url']}/models", headers=headers).json()
    assert [each["id"] for each in listed["data"]] == ["luckrig/auto", "llama3.1:8b"]
    process.send_signal(number)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")


def test_a_log_doesnt_get_the_key(tracker: FakeTracker, start: Start, home: Home) -> None:
    """Standard output is no terminal here."""
    process = start("connect", "--port", "0")
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    told = ""
    while "replays" not in told:
        told += next(lines)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert str(home.path / "history") in told
    assert "luckrig connect --print-env --port " in told
    assert load_local_key(home) not in told + out + err


def test_a_line_for_each_request_says_who_and_how_fast() -> None:
    finished = Finished(
        path="/v1/chat/completions", status=200, outcome="complete", rig=f"n1{'a' * 32}",
        name="attic", model="qwen3:8b", completion_tokens=123, tokens_per_second=45.67,
        ttft_ms=312.4, mode="subtext",
    )  # fmt: skip
    assert describe(finished, "14:02:11") == (
        "14:02:11  attic (n1aaaaaaaa)  qwen3:8b  123 tokens  45.7 tok/s  first after 312 ms  sealed"
    )
    failed = Finished(path="/v1/embeddings", status=404, error="model_not_found")
    assert describe(failed, "14:02:11") == "14:02:11  /v1/embeddings  404 model_not_found"
    left = Finished(path="/v1/responses", status=0, outcome="cut")
    assert describe(left, "14:02:11") == "14:02:11  /v1/responses  the app left"
