"""An engine that can't be used: its owner learns why, before anything is published."""

import time

import pytest

from luckrig.cli.rig import running_rig
from luckrig.cli.rig_plan import chosen
from luckrig.client.tracker import open_tracker
from luckrig.nodeproxy.settings import engine_context
from luckrig.protocol.address import TrackerAddress
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.ids import derive_id
from tests.cli.plans import KEY, rig_plan
from tests.fake_engines.engine import FakeEngine
from tests.fake_engines.knobs import FakeModel
from tests.fake_engines.ollama import FakeOllama
from tests.fake_engines.openai_compatible import FakeOpenAi

NOWHERE = TrackerAddress("http://127.0.0.1:1", derive_id("r1", KEY.public))
CLOUD = FakeModel("gpt-oss:120b-cloud", remote_host="https://ollama.com")


@pytest.mark.parametrize(
    ("engine", "advice"),
    [
        (FakeOpenAi(api_key="sk-1"), "LUCKRIG_ENGINE_KEY"),
        (FakeOpenAi(fault="loading", everywhere=True), "Try again"),
        (FakeOpenAi(fault="html", everywhere=True), "own address"),
        (FakeOllama(models=[CLOUD]), "ollama pull"),
    ],
    ids=["locked", "loading", "page", "cloud"],
)
async def test_the_owner_of_an_unusable_engine_is_told_what_to_do(
    engine: FakeEngine, advice: str
) -> None:
    async with engine, open_tracker(NOWHERE, clock=time.time, new_jti=lambda: "jti" * 8) as tracker:
        with pytest.raises(LuckrigError) as caught:
            async with running_rig(rig_plan(engine.url, max_active=None), tracker):
                pass
        assert caught.value.code == "engine_unavailable"
        assert engine.url in caught.value.message
        assert advice in caught.value.message


async def test_no_engine_at_all_means_start_it() -> None:
    async with open_tracker(NOWHERE, clock=time.time, new_jti=lambda: "jti" * 8) as tracker:
        with pytest.raises(LuckrigError, match="Start the engine"):
            async with running_rig(rig_plan("http://127.0.0.1:1", max_active=None), tracker):
                pass


@pytest.mark.parametrize(
    ("text", "context"), [(None, None), ("", None), ("8192", 8192), ("10000000", 10_000_000)]
)
def test_a_context_is_a_number_of_tokens(text: str | None, context: int | None) -> None:
    environ = {} if text is None else {"LUCKRIG_ENGINE_CONTEXT": text}
    assert chosen(engine_context, environ) == context


@pytest.mark.parametrize("text", ["8k", "-1", "0", "255", "10000001", " 512", "٣٢٧٦٨", "1e4"])
def test_a_wrong_context_stops_the_start(text: str) -> None:
    with pytest.raises(LuckrigError, match="LUCKRIG_ENGINE_CONTEXT must be"):
        chosen(engine_context, {"LUCKRIG_ENGINE_CONTEXT": text})
