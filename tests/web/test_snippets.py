"""What people paste runs as what they see, whatever a stranger called the model."""

import ast
import json
import shlex

import msgspec
import pytest

from luckrig.protocol.descriptor import Capability, Offer
from luckrig.web.snippets import Snippets, make_snippets
from tests.web.rigs import make_rig, offer

HOSTILE = (
    "qwen3:8b",
    "a'; touch x #",
    '"; import os #',
    "$(reboot)",
    "`reboot`",
    "back\\slash",
    "\\",
    "{model}",
    "%s %(x)s",
    "夏目",
    "a\nb",
    "!!",
)

TRACKER = "https://luckrig.example#r1" + "a" * 32


def snippets_for(*offers: Offer) -> Snippets:
    rig = make_rig("r", gpu=None, vram_gb=None, offers=list(offers))
    return make_snippets(rig, tracker=TRACKER)


def words_of(command: str) -> list[str]:
    """The shell's words; shlex does not know a line's continuation."""
    return shlex.split(command.replace(" \\\n", " "))


def plain(model: str, capabilities: list[Capability]) -> Offer:
    return offer(model, None, None, None, None, capabilities)


@pytest.mark.parametrize("model", HOSTILE)
def test_a_model_name_never_becomes_a_command(model: str) -> None:
    words = words_of(snippets_for(plain(model, ["chat"])).curl)
    assert words[:2] == ["curl", "-N"]
    assert words[3:8] == [
        "-H",
        "Authorization: Bearer $LUCKRIG_TOKEN",
        "-H",
        "Content-Type: application/json",
        "-d",
    ]
    assert json.loads(words[8])["model"] == model
    assert len(words) == 9


@pytest.mark.parametrize("model", HOSTILE)
def test_a_model_name_never_becomes_code(model: str) -> None:
    tree = ast.parse(snippets_for(plain(model, ["chat"])).python)
    keywords = [node for node in ast.walk(tree) if isinstance(node, ast.keyword)]
    values = [ast.literal_eval(word.value) for word in keywords if word.arg == "model"]
    assert values == [model]
    assert len(tree.body) == 5


def test_a_base_url_is_quoted_too() -> None:
    rig = make_rig("r", gpu=None, vram_gb=None, offers=[plain("m", ["chat"])])
    snippets = make_snippets(
        msgspec.structs.replace(rig, base_url="http://a/v1'\"; x"), tracker=TRACKER
    )
    assert words_of(snippets.curl)[2] == "http://a/v1'\"; x/chat/completions"
    ast.parse(snippets.python)


def test_a_chat_model_is_preferred() -> None:
    chosen = snippets_for(plain("e", ["embedding"]), plain("c", ["chat", "tools"]))
    assert chosen.model == "c"
    assert snippets_for(plain("silent", [])).model == "silent"


@pytest.mark.parametrize(
    ("capability", "path", "field"),
    [
        ("chat", "/chat/completions", "messages"),
        ("completion", "/completions", "prompt"),
        ("embedding", "/embeddings", "input"),
    ],
)
def test_the_request_fits_the_model(capability: Capability, path: str, field: str) -> None:
    snippets = snippets_for(plain("m", [capability]))
    words = words_of(snippets.curl)
    assert words[2].endswith(f"/v1{path}")
    assert field in json.loads(words[8])
    assert f"{field}=" in snippets.python


def test_the_key_is_for_this_rig() -> None:
    rig = make_rig("r", gpu=None, vram_gb=None, offers=[plain("m", ["chat"])])
    command = f"luckrig token {rig.id} --tracker '{TRACKER}'"
    assert make_snippets(rig, tracker=TRACKER).token == f'export LUCKRIG_TOKEN="$({command})"'
