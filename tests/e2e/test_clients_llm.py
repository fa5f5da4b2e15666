"""Simon Willison's `llm` command, unmodified, against a rig with the real engine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.stock_rig import MODEL, StockRig

LLM: Final = (sys.executable, "-m", "llm")


class Llm:
    """The command with a folder and a key of its own."""

    def __init__(self, folder: Path, rig: StockRig) -> None:
        self._folder = folder
        common = f"  model_name: {MODEL}\n  api_base: {rig.base_url}\n  api_key_name: rig\n"
        self.brace = json.dumps(rig.call["logit_bias"])
        (folder / "extra-openai-models.yaml").write_text(
            f"- model_id: rig\n{common}  supports_schema: true\n  supports_tools: true\n"
            f"- model_id: rig-completion\n{common}  completion: true\n"
        )
        (folder / "keys.json").write_text(json.dumps({"rig": rig.token()}))

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run it to its end."""
        environ = {"PATH": os.environ["PATH"], "HOME": str(self._folder)}
        environ |= {"LLM_USER_PATH": str(self._folder)}
        return subprocess.run(  # noqa: S603 -- the venv's own module
            [*LLM, *arguments],
            env=environ, stdin=subprocess.DEVNULL, text=True, capture_output=True, check=False,
        )  # fmt: skip


@pytest.fixture
def llm(tmp_path: Path, bare_rig: StockRig) -> Llm:
    return Llm(tmp_path, bare_rig)


def test_streamed_and_whole_answers_agree(llm: Llm) -> None:
    streamed = llm("-m", "rig", "Hello!", "-s", "Be kind.", "-o", "temperature", "0")
    whole = llm("-m", "rig", "Hello!", "-s", "Be kind.", "-o", "temperature", "0", "--no-stream")
    assert (streamed.returncode, whole.returncode) == (0, 0), streamed.stderr + whole.stderr
    assert streamed.stdout == whole.stdout
    assert whole.stdout.strip()


def test_schema_is_followed(llm: Llm) -> None:
    done = llm(
        "-m", "rig", "Hello!", "--schema", "now bool", "-o", "logit_bias", llm.brace,
        "-o", "temperature", "0", "-o", "max_tokens", "200",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["now"] in (True, False)


def test_completion_works(llm: Llm) -> None:
    done = llm("-m", "rig-completion", "Once", "-o", "max_tokens", "8", "-o", "logit_bias",
               '{"2": -100}')  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_what_a_rig_refuses_is_shown_with_its_field(llm: Llm) -> None:
    done = llm("-m", "rig", "Hello!", "-o", "top_p", "1", "-o", "max_tokens", "0")
    assert done.returncode != 0
    assert "max_tokens" in done.stderr
