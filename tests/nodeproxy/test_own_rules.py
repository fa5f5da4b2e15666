"""The owner's rule packs at a running rig: they add to the shipped ones and take nothing away."""

from typing import Any

import pytest

from luckrig.nodeproxy.filters.pack import RulePack
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import Rig, running_rig
from tests.nodeproxy.test_rules import PACK


@pytest.fixture
def rig_settings() -> dict[str, Any]:
    """A pack of the owner's."""
    return {"rules": (RulePack.from_toml(PACK),)}


async def test_the_owners_rules_apply_beside_the_shipped_ones(rig: Rig, engine: FakeOpenAi) -> None:
    for text, category in (
        ("apple and pear", "test/pair"),
        ("a nude 12 year old", "sexual/minors"),
    ):
        error = (await rig.chat(text)).json()["error"]
        assert error["code"] == "content_filter"
        assert f"(category: {category})" in error["message"]
    assert not [request for request in engine.requests if request.method == "POST"]
    assert (await rig.chat("apple and plum")).status_code == 200


async def test_a_rig_without_such_packs_knows_only_the_shipped_ones(engine: FakeOpenAi) -> None:
    async with running_rig(engine.url) as rig:
        assert (await rig.chat("apple and pear")).status_code == 200
        assert (await rig.chat("a nude 12 year old")).status_code == 400
