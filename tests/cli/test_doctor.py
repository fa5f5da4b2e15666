"""The doctor's judgements one by one, and how they look; tests/e2e has them on real rigs."""

import json
import time
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from luckrig.cli.config import Config, RigSection, config_path, write_config
from luckrig.cli.doctor.chat import check_chat
from luckrig.cli.doctor.command import show
from luckrig.cli.doctor.here import check_rig, key_trouble
from luckrig.cli.doctor.result import CheckResult, exit_code, failed, ok, skipped
from luckrig.cli.doctor.there import check_clock, check_reach, check_tunnel, token_failed
from luckrig.cli.home import Home
from luckrig.nodeproxy.control import RigStatus, TunnelView
from luckrig.nodeproxy.opening import Reason
from luckrig.protocol.errors import CODES, LuckrigError
from luckrig.protocol.evidence import ReachProblem, ReachView
from tests.cli.conftest import Luckrig
from tests.cli.test_output import assert_harmless
from tests.nodeproxy.test_control import STATUS

ATTACK = "\x1b]52;c;AAAA\x07\x9b2J\u202e"


def assert_tells_what_to_do(result: CheckResult) -> None:
    """A failure: what was found, and one line to mend it."""
    assert result.outcome == "failed"
    assert result.found
    assert result.fix
    assert "\n" not in result.fix


@pytest.mark.parametrize("phase", ["connecting", "waiting", "refused", "clock_off", "replaced"])
@pytest.mark.parametrize(
    "reason",
    ["lost", "unreachable", "silent", "try_later", "not_listed", "banned", "proof_invalid",
     "wrong_tracker", "version", "protocol_error", "no_tunnel", "place_taken", "of tomorrow", ""],
)  # fmt: skip
def test_every_state_of_a_tunnel_but_up(phase: str, reason: str) -> None:
    view = TunnelView(phase=phase, reason=reason, message="")
    assert_tells_what_to_do(check_tunnel(view, system="Linux"))


def test_tunnel_with_a_wrong_clock() -> None:
    view = TunnelView(phase="clock_off", reason="clock_off", message="It is 600 s behind.")
    assert check_tunnel(view, system="Linux").fix == "sudo timedatectl set-ntp true"


@pytest.mark.parametrize("problem", get_args(ReachProblem))
def test_every_problem_of_an_endpoint(problem: ReachProblem) -> None:
    reach = ReachView(proven=False, proven_at=None, problem=problem, message="It doesn't answer.")
    assert_tells_what_to_do(check_reach(reach, "http://127.0.0.1:1/v1"))


def test_endpoint_that_is_proven_or_not_looked_at() -> None:
    proven = ReachView(proven=True, proven_at=1, problem=None, message=None)
    assert check_reach(proven, "https://rig.example/v1").outcome == "ok"
    assert check_reach(None, "https://rig.example/v1").outcome == "skipped"


@pytest.mark.parametrize("off", [0.0, 29.9, -30.0])
def test_clock_within_half_a_minute(off: float) -> None:
    assert check_clock(off, system="Linux").outcome == "ok"


@pytest.mark.parametrize("off", [30.5, -31.0, 1e9])
@pytest.mark.parametrize("system", ["Linux", "Darwin", "Windows", ""])
def test_clock_further_off(off: float, system: str) -> None:
    assert_tells_what_to_do(check_clock(off, system=system))


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_to_be_closed(reason: Reason) -> None:
    """What the owner chose, and ends by itself, is nothing to mend."""
    result = check_rig(_status(reason=reason, opens_at=int(time.time()) + 60))
    if reason in ("schedule", "daily_tokens", "owner_busy"):
        assert result.outcome == "ok"
        assert "as you chose" in result.found
    else:
        assert_tells_what_to_do(result)


def test_rig_whose_engine_is_away() -> None:
    assert_tells_what_to_do(check_rig(_status(engine="down")))


@pytest.mark.parametrize("code", CODES)
def test_every_error_of_tracker_and_rig(code: str) -> None:
    error = LuckrigError(code, "No. And more.")
    assert_tells_what_to_do(token_failed(error))
    result = check_chat("m", error)
    assert_tells_what_to_do(result)
    assert code in result.found


def test_exit_codes() -> None:
    fine, bad, gone = ok("a", "x"), failed("b", "x", "y"), failed("c", "x", "y", unreachable=True)
    assert exit_code([fine, skipped("d", "x")]) == 0
    assert exit_code([fine, bad]) == 1
    assert exit_code([bad, gone, fine]) == 3


def test_key_that_a_folder_is(tmp_path: Path) -> None:
    trouble = key_trouble(tmp_path)
    assert trouble is not None
    assert trouble.fix == "Put the file itself there"


def test_strangers_text_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    show(failed("map", f"a\nb{ATTACK}", ATTACK))
    out = capsys.readouterr().out
    assert_harmless(out)
    assert len(out.splitlines()) == 2


def test_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show(failed("settings", "long words " * 20, "and " * 40))
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_nobody_there_at_all(luckrig: Luckrig, home: Home) -> None:
    """No tracker, no engine, no rig: each is told, nothing hangs, and the code says unreachable."""
    home.load_or_create("node")
    nowhere = RigSection(engine="http://127.0.0.1:1", tracker="http://127.0.0.1:1")
    write_config(config_path(home), Config(rig=nowhere))
    result = luckrig("doctor")
    assert result.code == 3
    marks = [line[0] for line in result.out.splitlines() if line[0] != " "]
    assert marks.count("✗") == result.out.count("→") == 4
    assert len(marks) == 11
    told = json.loads(luckrig("doctor", "--json").out)
    assert not told["ok"]
    assert [check["outcome"] for check in told["checks"]].count("failed") == 4


def _status(**changes: object) -> RigStatus:
    return msgspec.structs.replace(STATUS, **changes)
