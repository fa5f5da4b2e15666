"""Commands on a terminal of their own."""

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.commands import environ

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Terminal:
    """A command on a terminal of its own."""

    process: "subprocess.Popen[bytes]"
    master: int
    _unread: str = ""  # one read may bring more than was waited for

    def expect(self, pattern: str) -> str:
        """Read until it was printed; all up to there since the last time, colours aside."""
        while (found := re.search(pattern, self._unread)) is None:
            ready, _, _ = select.select([self.master], [], [], 45)
            assert ready, f"{pattern!r} never came: {self._unread}"
            try:
                data = os.read(self.master, 65_536)
            except OSError:  # Linux says so when the other end is closed
                data = b""
            assert data, f"{pattern!r} never came: {self._unread}"
            self._unread = ANSI.sub("", self._unread + data.decode("utf-8", "replace"))
        screen, self._unread = self._unread[: found.end()], self._unread[found.end() :]
        return screen

    def type(self, text: str) -> None:
        """As if on a keyboard."""
        os.write(self.master, text.encode("utf-8"))

    def rest(self) -> str:
        """Everything until its end."""
        text = ""
        try:
            while data := os.read(self.master, 65_536):
                text += data.decode("utf-8", "replace")
        except OSError:
            pass
        return text


@contextmanager
def on_a_terminal(
    home: Path, *command: str, columns: int = 80, lines: int = 24
) -> Generator[Terminal, None, None]:
    """Run a command there."""
    master, slave = pty.openpty()
    variables = environ(home) | {
        "TERM": "xterm-256color",
        "COLUMNS": str(columns),
        "LINES": str(lines),
    }
    process = subprocess.Popen(  # noqa: S603 -- our own command line
        [sys.executable, "-c", _ON_TERMINAL, *command], env=variables,
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.terminate()
        os.close(master)
        process.wait(15)


_ON_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C becomes a signal
from luckrig.cli.main import main
main()
"""
