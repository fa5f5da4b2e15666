"""What a rig keeps in memory of a request while its reply streams."""

import gc
from typing import Any

import pytest
from openai import AsyncStream

from luckrig.nodeproxy.exchange import Exchange
from luckrig.protocol.openai.requests import ChatRequest, CompletionRequest
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import Rig


@pytest.mark.parametrize(
    ("path", "prompt"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": "secret"}]}),
        ("completions", {"prompt": "secret"}),
    ],
)
async def test_a_prompt_is_forgotten_when_its_reply_begins(
    rig: Rig, engine: FakeOpenAi, path: str, prompt: dict[str, Any]
) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(2)
    stream = await rig.openai().post(
        f"/{path}",
        cast_to=object,
        body={"model": rig.models[0], "stream": True, **prompt},
        stream=True,
        stream_cls=AsyncStream[object],
    )
    await anext(aiter(stream))
    (exchange,) = [each for each in gc.get_objects() if isinstance(each, Exchange)]
    call = exchange.call
    assert isinstance(call, ChatRequest | CompletionRequest)
    assert call.model == rig.models[0]
    assert "secret" not in repr(call)
    await stream.close()
