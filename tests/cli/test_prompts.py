"""Questions on a terminal and through a pipe, and the Ctrl-C that comes at the wrong moment."""

import io
import os
import pty
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from luckrig.cli.prompts import ask_line, ask_number, ask_yes

MOST_LOOKS = 10_000
"""Where the kernel doesn't tell, the test goes on and proves less."""


def _sleeps(thread_id: int) -> bool:
    """Whether a thread waits in the kernel for something else than Python's lock. Linux tells."""
    try:
        place = Path(f"/proc/self/task/{thread_id}/wchan").read_text("utf-8")
    except OSError:
        return False
    return place not in ("", "0") and not place.startswith("futex")


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Generator[int, None, None]:
    """A terminal as stdin and stderr; the file descriptor of the person's end.

    No fixture: pytest puts its own stderr back between a fixture and the test.
    """
    master, slave = pty.openpty()
    with open(slave, encoding="utf-8", closefd=False) as lines:
        with open(slave, "w", encoding="utf-8") as screen:
            with monkeypatch.context() as patched:
                patched.setattr("sys.stdin", lines)
                patched.setattr("sys.stderr", screen)
                yield master
    os.close(master)


def _when_asked(master: int, act: Callable[[], None]) -> threading.Thread:
    """Do it in a thread when the question shows and whoever asks it sleeps."""
    asker = threading.get_native_id()

    def wait() -> None:
        seen = b""
        while b": " not in seen:
            seen += os.read(master, 4096)
        for _ in range(MOST_LOOKS):
            if _sleeps(asker):
                break
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def _ask_to_publish() -> bool:
    return ask_yes("Put it on the map?", default=True)


def _ask_name() -> str:
    return ask_line("Name", default="CPU rig")


@pytest.mark.parametrize("ask", [_ask_to_publish, _ask_name])
def test_ctrl_c_that_interrupts_no_read_ends_the_question(
    ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it came just before the read: another thread takes the signal, no call is cut short."""
    with terminal(monkeypatch) as keyboard:
        thread = _when_asked(
            keyboard, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        )
        with pytest.raises(click.Abort):
            ask()
        thread.join()


def test_lines_that_were_typed_ahead_answer_one_question_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with terminal(monkeypatch) as keyboard:
        os.write(keyboard, b"first\nsecond\n")
        assert [ask_line("One"), ask_line("Two")] == ["first", "second"]


def test_the_end_of_the_input_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as keyboard:
        os.write(keyboard, b"\x04")
        with pytest.raises(click.Abort):
            ask_line("One")


def test_answers_through_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines that wait in Python's buffer, while the pipe itself is empty and stays open."""
    theirs, ours = os.pipe()
    with open(theirs, encoding="utf-8") as lines, open(ours, "w", encoding="utf-8") as writer:
        writer.write("\n\nattic\nmaybe\nYES\n\nn\n7\none\n2\n")
        writer.flush()
        monkeypatch.setattr("sys.stdin", lines)
        assert ask_line("Name", default="CPU rig") == "CPU rig"
        assert ask_line("Name") == "attic", "without a default an empty line is asked again"
        assert ask_yes("Sure?", default=False) is True
        assert ask_yes("Sure?", default=True) is True
        assert ask_yes("Sure?", default=True) is False
        assert ask_number("Which", 3) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "Name [CPU rig]: Name: Name: Sure? [y/N]: y or n.\nSure? [y/N]: Sure? [Y/n]: "
        "Sure? [Y/n]: Which: A number from 1 to 3.\nWhich: A number from 1 to 3.\nWhich: "
    )


def test_the_end_of_the_input_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("last"))
    assert ask_line("One", default="") == "last"
    with pytest.raises(click.Abort):
        ask_line("Two", default="")
    with pytest.raises(click.Abort):
        ask_yes("Three?", default=True)
