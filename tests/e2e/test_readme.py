"""The README's own snippets, taken from the page and run as they stand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import commands
from tests.e2e.conftest import Demo
from tests.e2e.sidecars import running_sidecar

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
BIN = Path(sys.executable).parent


def snippet(language: str, containing: str) -> str:
    """The one code block of the README that holds the text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return str(found).replace(".venv/bin/", f"{BIN}/")


def run(script: str, demo: Demo) -> str:
    """Run a shell script as a second terminal would; its output."""
    environ = {
        **commands.environ(demo.home),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(demo.home),
        "LUCKRIG_HOME": str(demo.home / "luckrig"),
        # The page is about the default port; tests take a free one.
        "LUCKRIG_TRACKER": demo.announced["tracker"],
    }
    done = subprocess.run(  # noqa: S603 -- our own README
        ["/bin/sh", "-euc", script], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_curl_snippet_streams(demo: Demo) -> None:
    out = run(snippet("sh", "token --env") + snippet("sh", "curl -N"), demo)
    assert out.count("data: {") > 5
    assert out.rstrip().endswith("data: [DONE]")


def test_python_snippet_streams(demo: Demo) -> None:
    script = demo.home / "snippet.py"
    script.write_text(snippet("python", "OPENAI_MODEL"), encoding="utf-8")
    out = run(snippet("sh", "token --env") + f"python {script}", demo)
    assert len(out.split()) > 5


def test_sidecar_snippet_lists_and_asks(demo: Demo) -> None:
    script = demo.home / "sidecar.py"
    script.write_text(snippet("python", "luckrig/auto"), encoding="utf-8")
    with running_sidecar(demo.home / "luckrig", demo.announced["tracker"]) as sidecar:
        port = sidecar.base_url.rpartition(":")[2].removesuffix("/v1")
        export = snippet("sh", "connect --print-env").replace("-env", f"-env --port {port}")
        models, told, *_ = run(export + f"python {script}", demo).splitlines()
    assert models == "['luckrig/auto', 'tiny']"
    assert told.startswith("Demo rig ")
    assert len(told) > len("Demo rig ")
