"""OpenAI's own client for Node.js, unmodified, against the real engine."""

import fcntl
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.stock_rig import MODEL, StockRig

FOLDER: Final = Path(__file__).with_name("node_client")
INSTALL: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


@pytest.fixture(scope="session")
def told() -> dict[str, Any]:
    """What client.mjs was told, of each address that it asked."""
    install_client()
    return {}


@pytest.fixture
def answers(stock_rig: StockRig, told: dict[str, Any]) -> Any:
    """It asks everything in one go, once."""
    if stock_rig.base_url not in told:
        told[stock_rig.base_url] = ask(stock_rig)
    return told[stock_rig.base_url]


def ask(stock_rig: StockRig) -> Any:
    """What client.mjs is told there."""
    asked = {
        "base_url": stock_rig.base_url,
        "token": stock_rig.token(),
        "model": MODEL,
        "call": stock_rig.call,
    }
    done = subprocess.run(
        ["node", "client.mjs"],  # noqa: S607 -- whichever Node.js the machine has
        cwd=FOLDER, env={"PATH": os.environ["PATH"]}, input=json.dumps(asked),
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def install_client() -> None:
    """`make test` did it already, unless somebody runs pytest alone."""
    with (FOLDER / "package-lock.json").open(encoding="utf-8") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)  # two workers don't install at once
        wanted = {
            folder: package["version"]
            for folder, package in json.load(lock_file)["packages"].items()
            if folder  # the first one is this folder itself
        }
        if not all(_is_installed(folder, version) for folder, version in wanted.items()):
            subprocess.run(INSTALL, cwd=FOLDER, check=True)  # noqa: S603 -- our own command line


def _is_installed(folder: str, version: str) -> bool:
    manifest = FOLDER / folder / "package.json"
    return manifest.exists() and json.loads(manifest.read_text("utf-8"))["version"] == version


def test_whole_and_streamed_agree(stock_rig: StockRig, answers: Any) -> None:
    assert answers["models"] == stock_rig.models
    assert answers["whole"]
    assert answers["streamed"] == answers["whole"]
    assert answers["usage"]["completion_tokens"] > 0
    assert answers["completion"]
    assert answers["response"]
    assert answers["response_streamed"] == answers["response"]
    assert answers["event_types"][0] == "response.created"
    assert answers["event_types"][-1] == "response.completed"


def test_tool_is_called_and_its_result_read(answers: Any) -> None:
    assert answers["finish_reason"] == "tool_calls"
    for call in (answers["tool_call"], answers["called_streamed"][0]):
        assert call["function"]["name"] == "is_raining"
        assert json.loads(call["function"]["arguments"])["now"] in (True, False)
    assert answers["after_tool"]


def test_embeddings_come_in_both_forms(answers: Any) -> None:
    """It asks for base64 by itself, and decodes that."""
    assert len(answers["coded"]) == len(answers["plain"]) == 2
    for one, other in zip(answers["coded"], answers["plain"], strict=True):
        assert one == pytest.approx(other, rel=1e-5, abs=1e-5)


def test_refusals_name_the_field(answers: Any) -> None:
    refused = answers["refusals"]
    assert (refused["n"]["status"], refused["n"]["param"]) == (400, "n")
    assert refused["stored"]["param"] == "previous_response_id"
    assert refused["token_ids"]["param"].startswith("input")
    assert refused["token_ids"]["class"] == "BadRequestError"
    assert (refused["model"]["class"], refused["model"]["code"]) == (
        "NotFoundError",
        "model_not_found",
    )
    assert answers["chunks_before_leaving"] == 1
