"""The entry point: help, exit codes, and what becomes of every error."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import cast

import click
import pytest
from click.testing import CliRunner

from luckrig.cli import main
from luckrig.cli.lazy import LazyCommand
from luckrig.cli.main import COMMANDS
from luckrig.protocol.errors import LuckrigError, UpstreamError
from tests.cli.conftest import Luckrig
from tests.client.fake_tracker import FakeTracker, Reply

Start = Callable[..., "subprocess.Popen[str]"]


@click.command()
@click.option("--as", "kind", default="bug")
@click.option("--json", is_flag=True)
def failing(kind: str, json: bool) -> None:
    """A command that fails in the way that is asked for."""
    if kind == "group":
        asyncio.run(_fail_in_a_task_group())
    errors: dict[str, BaseException] = {
        "bug": ValueError("secret detail"),
        "disk": OSError(28, "No space left on device", "/x"),
        "engine": UpstreamError("engine_unavailable", "Start the engine."),
        "interrupt": KeyboardInterrupt(),
        "abort": click.Abort(),
        "refused": LuckrigError("rate_limited", "Two\nlines\x1b[2J."),
        "file": click.FileError("x", "gone"),
    }
    raise errors[kind]


async def _fail_in_a_task_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_refuse())


async def _refuse() -> None:
    raise LuckrigError("not_found", "From a task.")


@pytest.fixture
def fail(luckrig: Luckrig, monkeypatch: pytest.MonkeyPatch) -> Luckrig:
    table = cast("dict[str, LazyCommand]", COMMANDS)
    monkeypatch.setitem(table, "failing", LazyCommand(f"{__name__}:failing", "Fails."))
    return lambda *args: luckrig("failing", *args)


def test_help_lists_every_command_and_exit_code(luckrig: Luckrig) -> None:
    for flag in ("-h", "--help"):
        result = luckrig(flag)
        assert result.code == 0
        for name, entry in COMMANDS.items():
            assert f"  {name} " in result.out
            assert entry.help in result.out
        for code in ("0", "1", "2", "3", "130"):
            assert f"    {code}  " in result.out
        assert max(len(line) for line in result.out.splitlines()) <= 80


def modules_after(code: str) -> set[str]:
    """What Python has imported when it has run that code, and nothing else."""
    code += "; import sys; print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_help_imports_no_command() -> None:
    """So that --help and completion are quick; rich alone takes longer than all the rest."""
    loaded = modules_after("from luckrig.cli.main import run; assert run(['--help'], {}) == 0")
    assert not loaded & {"rich", "httpx2", "cryptography", "asyncio"}
    assert not [name for name in loaded if name.startswith("luckrig.client")]


def test_only_a_tracker_imports_what_serves_one() -> None:
    """uvicorn takes a tenth of a second to import, and a rig has a server of its own."""
    loaded = modules_after(
        "import luckrig.cli.reach, luckrig.cli.doctor.command, luckrig.cli.register,"
        " luckrig.cli.node_start"
    )
    assert "luckrig.cli.rig" in loaded
    assert "uvicorn" not in loaded


def test_help_works_under_clicks_own_runner() -> None:
    result = CliRunner().invoke(main.luckrig, ["--help"])
    assert result.exit_code == 0
    assert "luckrig demo" in result.output


@pytest.mark.parametrize("name", ["nodes", "token", "keys"])
def test_every_command_has_help_without_side_effects(luckrig: Luckrig, name: str) -> None:
    result = luckrig(name, "-h")
    assert result.code == 0
    assert result.out.startswith(f"Usage: luckrig {name}")
    assert max(len(line) for line in result.out.splitlines()) <= 80


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_of_the_table_exists(name: str) -> None:
    module, _, attribute = COMMANDS[name].target.partition(":")
    assert find_spec(module) is not None
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name


def test_version_is_one_line(luckrig: Luckrig) -> None:
    result = luckrig("--version")
    assert result.code == 0
    assert result.out.startswith("luckrig")
    assert result.out.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["nods"], "Did you mean one of: 'node', 'nodes', 'notes'?"),
        (["nodes", "--limit", "x"], "--limit"),
        (["nodes", "--tracker", "ftp://x"], "https://host"),
        (["nodes", "--tracker", "http://x#r1"], "root id"),
        (["nodes", "--frobnicate"], "No such option"),
        (["token", "--env", "--json"], "exclude"),
        (["token", "--ttl", "1"], "--ttl"),
        (["keys", "export"], "FILE"),
    ],
)
def test_wrong_usage_is_2_with_one_reason(luckrig: Luckrig, args: list[str], text: str) -> None:
    result = luckrig(*args)
    assert (result.code, result.out) == (2, "")
    usage, reason, hint = result.err.splitlines()
    assert usage.startswith("Usage: luckrig")
    assert reason.startswith("error: ")
    assert text in reason
    assert hint.endswith("-h' for help.")


def test_no_command_shows_the_help(luckrig: Luckrig) -> None:
    result = luckrig()
    assert (result.code, result.out) == (2, "")
    assert "Commands:" in result.err


def test_refusal_is_one_line_on_stderr_and_1(fail: Luckrig) -> None:
    result = fail("--as", "refused")
    assert (result.code, result.out, result.err) == (1, "", "error: Two lines␛[2J.\n")


def test_refusal_with_json_is_an_error_document_on_stdout(fail: Luckrig) -> None:
    result = fail("--as", "refused", "--json")
    assert (result.code, result.err) == (1, "")
    assert json.loads(result.out) == {
        "error": {
            "message": "Two\nlines\x1b[2J.",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limited",
        }
    }
    assert "\x1b" not in result.out


def test_refusal_inside_a_task_group_is_still_one_line(fail: Luckrig) -> None:
    result = fail("--as", "group")
    assert (result.code, result.err) == (1, "error: From a task.\n")


def test_unreachable_engine_is_3(fail: Luckrig) -> None:
    assert fail("--as", "engine").code == 3


@pytest.mark.parametrize("kind", ["interrupt", "abort"])
def test_interrupt_is_130_and_quiet(fail: Luckrig, kind: str) -> None:
    result = fail("--as", kind)
    assert (result.code, result.out, result.err) == (130, "", "")


def test_bug_shows_no_traceback_and_no_detail(fail: Luckrig) -> None:
    result = fail()
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "bug in luckrig (ValueError)" in result.err
    assert "LUCKRIG_DEBUG=1" in result.err
    assert "secret" not in result.err
    assert json.loads(fail("--json").out)["error"]["code"] == "internal_error"


def test_debug_shows_the_traceback(fail: Luckrig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCKRIG_DEBUG", "1")
    result = fail()
    assert result.code == 1
    assert "Traceback" in result.err
    assert "secret detail" in result.err


def test_system_errors_say_what_the_system_said(fail: Luckrig) -> None:
    result = fail("--as", "disk")
    assert result.code == 1
    assert result.err.startswith("error: [Errno 28] No space left on device: '/x'.")


def test_click_errors_without_usage_are_one_line(fail: Luckrig) -> None:
    result = fail("--as", "file")
    assert (result.code, result.err) == (1, "error: Could not open file 'x': gone\n")


def test_arguments_after_two_dashes_are_no_options(luckrig: Luckrig, tracker: FakeTracker) -> None:
    result = luckrig("token", "--", "--json")
    assert (result.code, result.out) == (1, "")
    assert "No rig has the id or name '--json'" in result.err


def test_completion_knows_the_commands(
    luckrig: Luckrig, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {**os.environ, "_LUCKRIG_COMPLETE": "bash_source"}
    assert main.run([], environ) == 0
    assert "_LUCKRIG_COMPLETE=bash_complete" in capsys.readouterr().out


def test_interrupted_process_ends_quietly(start: Start, tracker: FakeTracker) -> None:
    tracker.lies(Reply(hangs=True))
    with start("nodes") as process:
        assert tracker.asked.wait(15)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "")


def test_closed_pipe_ends_quietly(start: Start, tracker: FakeTracker) -> None:
    with start("nodes", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (0, "")


def test_terminal_that_lacks_a_character_gets_a_question_mark(
    start: Start, tracker: FakeTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    with start("nodes") as process:
        out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "attic" in out
    assert out.isascii()
