"""The snippets of docs/CLIENT.md, run as they stand: a tracker, a rig and the real tiny engine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Demo

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "CLIENT.md").read_text("utf-8")
SNIPPETS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
BIN = Path(sys.executable).parent


def run(demo: Demo, *command: str) -> str:
    """Run a command as a second terminal would; its output."""
    environ = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(demo.home),
        "LUCKRIG_HOME": str(demo.home / "luckrig"),
        "LUCKRIG_TRACKER": demo.announced["tracker"],
    }
    done = subprocess.run(  # noqa: S603 -- our own page
        command, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_the_pages_snippets_run(demo: Demo, number: int) -> None:
    run(demo, sys.executable, "-m", "luckrig.cli.main", "token")  # makes the key on first use
    out = run(demo, sys.executable, "-c", SNIPPETS[number])
    assert len(out.split()) > 2


def test_a_sealed_chat_with_the_real_engine(demo: Demo) -> None:
    run(demo, sys.executable, "-m", "luckrig.cli.main", "token")
    sealed = SNIPPETS[0].replace("max_tokens=32", "max_tokens=32, subtext=True")
    assert sealed != SNIPPETS[0]
    assert len(run(demo, sys.executable, "-c", sealed).split()) > 2
