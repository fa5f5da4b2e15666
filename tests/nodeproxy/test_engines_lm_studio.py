"""LM Studio's two lists, as its documentation shows them, and what becomes of its fields."""

from typing import Any

import msgspec
import pytest

from luckrig.nodeproxy.engines.lm_studio import LmStudio
from luckrig.nodeproxy.upstream import Answer
from luckrig.protocol.descriptor import Offer
from luckrig.protocol.errors import PeerError
from tests.nodeproxy.engine_scenes import chat_request, json_answer, run_survey

GEMMA: dict[str, Any] = {
    "type": "llm",
    "publisher": "lmstudio-community",
    "key": "gemma-3-270m-it-qat",
    "display_name": "Gemma 3 270m Instruct Qat",
    "architecture": "gemma3",
    "quantization": {"name": "Q4_0", "bits_per_weight": 4},
    "size_bytes": 241410208,
    "params_string": "270M",
    "loaded_instances": [{"id": "gemma-3-270m-it-qat", "config": {"context_length": 4096}}],
    "max_context_length": 32768,
    "format": "gguf",
    "capabilities": {"vision": False, "trained_for_tool_use": False},
    "description": None,
}
NOMIC: dict[str, Any] = {
    "type": "embedding",
    "publisher": "gaianet",
    "key": "text-embedding-nomic-embed-text-v1.5-embedding",
    "display_name": "Nomic Embed Text v1.5",
    "quantization": {"name": "F16", "bits_per_weight": 16},
    "size_bytes": 274290560,
    "params_string": None,
    "loaded_instances": [],
    "max_context_length": 2048,
    "format": "gguf",
}
OLD = {
    "id": "qwen2-vl-7b-instruct",
    "object": "model",
    "type": "vlm",
    "publisher": "mlx-community",
    "arch": "qwen2_vl",
    "compatibility_type": "mlx",
    "quantization": "4bit",
    "state": "loaded",
    "max_context_length": 32768,
    "loaded_context_length": 8192,
}
UNKNOWN_ROUTE = json_answer({"error": "Unexpected endpoint or method. (GET /api/v1/models)"})


def offers(*models: dict[str, Any]) -> tuple[LmStudio, list[Offer]]:
    engine = LmStudio()
    state, asked = run_survey(engine, {"/api/v1/models": json_answer({"models": models})})
    assert (state.kind, state.status, len(asked)) == ("lm-studio", "ready", 1)
    return engine, list(state.offers)


def test_the_documented_list_becomes_offers() -> None:
    _, found = offers(NOMIC, GEMMA)
    assert found == [
        Offer(
            model="gemma-3-270m-it-qat",
            family="gemma3",
            parameters=270_000_000,
            quantization="Q4_0",
            context_length=4096,
            capabilities=["chat", "completion"],
        ),
        Offer(
            model="text-embedding-nomic-embed-text-v1.5-embedding",
            quantization="F16",
            capabilities=["embedding"],
        ),
    ]


def test_loaded_models_come_first_and_others_have_no_context_yet() -> None:
    unloaded: dict[str, Any] = GEMMA | {"key": "a", "loaded_instances": []}
    _, found = offers(unloaded, GEMMA, GEMMA | {"key": "d", "type": "diffusion"})
    assert [(one.model, one.context_length) for one in found] == [
        ("gemma-3-270m-it-qat", 4096),
        ("a", None),
    ]


def test_of_two_instances_the_one_with_the_larger_context_is_asked() -> None:
    instances = [
        {"id": "small", "config": {"context_length": 2048}},
        {"id": "large", "config": {"context_length": 16384}},
    ]
    engine, (offer,) = offers(GEMMA | {"loaded_instances": instances})
    assert (offer.model, offer.context_length) == ("gemma-3-270m-it-qat", 16384)
    call = engine.chat(chat_request(model=offer.model), max_output_tokens=5)
    assert msgspec.json.decode(call.body)["model"] == "large"


def test_skills_that_it_tells_are_offered_and_the_others_refused() -> None:
    able = GEMMA | {"capabilities": {"vision": True, "trained_for_tool_use": True}}
    engine, (offer,) = offers(able)
    assert offer.capabilities == ["chat", "completion", "tools", "vision"]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    seeing = chat_request(model=offer.model, messages=[{"role": "user", "content": [image]}])
    assert engine.chat(seeing, max_output_tokens=5)
    engine, _ = offers(GEMMA)
    with pytest.raises(PeerError, match="images"):
        engine.chat(seeing, max_output_tokens=5)
    untrained = chat_request(
        model=offer.model, tools=[{"type": "function", "function": {"name": "f"}}]
    )
    assert engine.chat(untrained, max_output_tokens=5)  # it has a prompt for those as well


def test_older_versions_tell_by_the_older_list() -> None:
    answers = {
        "/api/v1/models": UNKNOWN_ROUTE,
        "/api/v0/models": json_answer({"object": "list", "data": [OLD]}),
    }
    state, _ = run_survey(LmStudio(), answers)
    assert state.offers == (
        Offer(
            model="qwen2-vl-7b-instruct",
            family="qwen2_vl",
            quantization="4bit",
            context_length=8192,
            capabilities=["chat", "completion", "vision"],
        ),
    )
    idle = OLD | {"state": "not-loaded"}
    answers["/api/v0/models"] = json_answer({"data": [idle]})
    (offer,) = run_survey(LmStudio(), answers)[0].offers
    assert offer.context_length is None


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (None, "down"),
        (UNKNOWN_ROUTE, "down"),
        (json_answer({"error": {"code": "invalid_api_key"}}, status=401), "locked"),
        (json_answer({"models": [{"key": 7}]}), "down"),
        (Answer(200, {}, b"\xff<html>"), "down"),
        (json_answer({}, status=500), "down"),
    ],
)
def test_without_a_list_it_offers_nothing(answer: Answer | None, status: str) -> None:
    paths = ("/api/v1/models", "/api/v0/models")
    state, _ = run_survey(LmStudio(), {path: answer for path in paths if answer is not None})
    assert (state.status, state.offers) == (status, ())


def test_any_json_object_is_asked_for_as_a_schema() -> None:
    engine, _ = offers(GEMMA)
    request = chat_request(
        model="gemma-3-270m-it-qat",
        response_format={"type": "json_object"},
        logprobs=False,
        parallel_tool_calls=True,
    )
    body = msgspec.json.decode(engine.chat(request, max_output_tokens=5).body)
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert not {"logprobs", "parallel_tool_calls"} & set(body)
