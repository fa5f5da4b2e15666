"""`luckrig node service`: the files it writes, what it asks systemd, and what it leaves alone."""

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from luckrig.cli.home import Home
from luckrig.cli.units import MARK, Unit, launchd_plist, systemd_unit
from tests.cli.conftest import Luckrig

FAKE = """#!/bin/sh
echo "$0 $*" | sed 's|.*/||' >> "$FAKE_LOG"
case "$*" in
  *is-active*) echo "$FAKE_STATE"; [ "$FAKE_STATE" = active ] ;;
  *enable*) [ -z "$FAKE_FAILS" ] || { echo "no bus" >&2; exit 1; } ;;
esac
"""
ODD = Path('/home/o d/50%/$HOME/"q"/back\\slash')


@pytest.fixture
def unit_path(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the unit goes, on a machine with a systemctl that only takes notes."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(FAKE, encoding="utf-8")
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "calls"))
    monkeypatch.setenv("FAKE_STATE", "active")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    return tmp_path / ".config" / "systemd" / "user" / "luckrig-node.service"


def calls(tmp_path: Path) -> list[str]:
    path = tmp_path / "calls"
    return path.read_text("utf-8").splitlines() if path.exists() else []


def test_print_prints_the_unit_and_does_nothing(
    luckrig: Luckrig, home: Home, unit_path: Path, tmp_path: Path
) -> None:
    result = luckrig("node", "service", "install", "--print")
    assert (result.code, result.err) == (0, "")
    assert MARK in result.out
    assert f'Environment="LUCKRIG_HOME={home.path}"' in result.out
    assert f'ExecStart="{sys.executable}" "-m" "luckrig.cli.main" "node" "start"' in result.out
    assert not unit_path.exists()
    assert not home.path.exists()
    assert calls(tmp_path) == []


def test_install_status_remove(luckrig: Luckrig, unit_path: Path, tmp_path: Path) -> None:
    assert luckrig("node", "service", "status").code == 1
    result = luckrig("node", "service", "install")
    assert result.code == 0, result.err
    assert "enable-linger" in result.err
    assert MARK in unit_path.read_text("utf-8")
    assert calls(tmp_path) == [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now luckrig-node.service",
    ]
    shown = luckrig("node", "service", "status")
    assert (shown.code, shown.out.splitlines()[-1]) == (0, "running")
    assert luckrig("node", "service", "install").out.startswith("Rewrote")
    assert luckrig("node", "service", "remove").code == 0
    assert not unit_path.exists()
    assert calls(tmp_path)[-2:] == [
        "systemctl --user disable --now luckrig-node.service",
        "systemctl --user daemon-reload",
    ]
    assert luckrig("node", "service", "remove").code == 1


def test_a_stopped_service_is_1(
    luckrig: Luckrig, unit_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    luckrig("node", "service", "install")
    monkeypatch.setenv("FAKE_STATE", "failed")
    shown = luckrig("node", "service", "status")
    assert (shown.code, shown.out.splitlines()[-1]) == (1, "not running (failed)")


@pytest.mark.parametrize("command", ["install", "remove"])
def test_somebody_elses_file_is_left_alone(
    luckrig: Luckrig, unit_path: Path, tmp_path: Path, command: str
) -> None:
    unit_path.parent.mkdir(parents=True)
    unit_path.write_text("[Service]\nExecStart=/bin/mine\n", encoding="utf-8")
    result = luckrig("node", "service", command)
    assert result.code == 1
    assert "isn't luckrig's" in result.err
    assert "/bin/mine" in unit_path.read_text("utf-8")
    assert calls(tmp_path) == []


def test_what_systemd_says_is_told(
    luckrig: Luckrig, unit_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_FAILS", "1")
    result = luckrig("node", "service", "install")
    assert result.code == 1
    assert "enable --now luckrig-node.service` failed: no bus" in result.err


def test_without_systemd_it_says_what_to_do(
    luckrig: Luckrig, unit_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = luckrig("node", "service", "install")
    assert result.code == 1
    assert "no systemctl" in result.err
    assert "--print" in result.err


def test_a_wrong_config_stops_the_installation(
    luckrig: Luckrig, home: Home, unit_path: Path
) -> None:
    home.path.mkdir()
    (home.path / "config.toml").write_text("[rig]\nnome = 1\n", encoding="utf-8")
    result = luckrig("node", "service", "install")
    assert result.code == 1
    assert "rig.nome is no key" in result.err
    assert not unit_path.exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("odd", [False, True])
def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path, odd: bool) -> None:
    home = ODD if odd else tmp_path / "home"
    unit = Unit(command=(sys.executable, "-m", "luckrig.cli.main", "node", "start"), home=home)
    path = tmp_path / "luckrig-node.service"
    path.write_text(systemd_unit(unit), encoding="utf-8")
    done = subprocess.run(  # noqa: S603 -- our own unit
        ["systemd-analyze", "verify", "--user", "--man=no", str(path)],  # noqa: S607
        capture_output=True, text=True, check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
    )  # fmt: skip
    about_ours = [line for line in done.stderr.splitlines() if "luckrig-node" in line]
    assert about_ours == []


def test_odd_paths_stay_one_value() -> None:
    text = systemd_unit(Unit(command=("/o d/$x/50%/p",), home=ODD))
    assert 'ExecStart="/o d/$$x/50%%/p"' in text
    assert r'Environment="LUCKRIG_HOME=/home/o d/50%%/$HOME/\"q\"/back\\slash"' in text
    with pytest.raises(ValueError, match="control"):
        systemd_unit(Unit(command=("x\nExecStart=/bin/evil",), home=ODD))


def test_the_launchd_agent_reads_back() -> None:
    unit = Unit(command=("/usr/bin/python3", "-m", "x"), home=ODD, python_path="/a")
    text = launchd_plist(unit)
    assert MARK in text
    agent = plistlib.loads(text.encode())
    assert agent["Label"] == "org.luckrig.node"
    assert agent["ProgramArguments"] == ["/usr/bin/python3", "-m", "x"]
    assert agent["EnvironmentVariables"] == {"LUCKRIG_HOME": str(ODD), "PYTHONPATH": "/a"}
    assert agent["KeepAlive"] == {"SuccessfulExit": False}


def test_macs_get_an_agent(
    luckrig: Luckrig, unit_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    printed = luckrig("node", "service", "install", "--print")
    assert plistlib.loads(printed.out.encode())["RunAtLoad"] is True
    assert "launchctl bootout gui/" in luckrig("node", "service", "remove", "--print").out
    monkeypatch.setattr("platform.system", lambda: "Plan 9")
    assert "knows no services" in luckrig("node", "service", "install").err
