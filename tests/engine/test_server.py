"""The child process by itself: what it prints, and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

from luckrig.engine.server import EXIT_NOT_INSTALLED, EXIT_NOT_STARTED

COMMAND = [sys.executable, "-m", "luckrig.engine.server", "--alias", "tiny", "--context", "256"]


def start_server(model: Path, **environment: str) -> subprocess.Popen[str]:
    """The child with an open stdin, as its parent would start it."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [*COMMAND, "--model", str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_stdout_holds_the_announcement_and_nothing_else(random_model: Path) -> None:
    """The parent parses this line; llama.cpp's own lines belong on stderr."""
    with start_server(random_model) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        announcement = json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.stdout.read() == ""
    assert list(announcement) == ["url"]
    assert announcement["url"].startswith("http://127.0.0.1:")
    assert process.returncode == 0


def test_missing_llama_cpp_names_what_to_install(tmp_path: Path, random_model: Path) -> None:
    """A luckrig without the extra `engine` must say so in one line."""
    (tmp_path / "xllamacpp.py").write_text("raise ModuleNotFoundError('xllamacpp')\n")
    inherited = os.environ.get("PYTHONPATH")
    search_path = os.pathsep.join([str(tmp_path), *([inherited] if inherited else [])])
    with start_server(random_model, PYTHONPATH=search_path) as process:
        assert process.stderr is not None
        stderr = process.stderr.read()
    assert process.returncode == EXIT_NOT_INSTALLED
    assert stderr == (
        "luckrig engine: llama.cpp is not installed: run pip install 'luckrig[engine]'\n"
    )


def test_missing_model_ends_with_its_path(tmp_path: Path) -> None:
    """One line of ours says it. llama.cpp's own lines come when its logging thread has its turn."""
    model = tmp_path / "none.gguf"
    with start_server(model) as process:
        assert process.stderr is not None
        stderr = process.stderr.read()
    assert process.returncode == EXIT_NOT_STARTED
    assert f"luckrig engine: cannot start llama.cpp with {model}: " in stderr
