"""vLLM's cards, adapters and refusals."""

from typing import Any

import msgspec
import pytest

from luckrig.nodeproxy.engines.models import named_quantization
from luckrig.nodeproxy.engines.vllm import Vllm
from luckrig.protocol.descriptor import Offer
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.openai.embeddings import parse_embeddings
from tests.nodeproxy.engine_scenes import chat_request, json_answer, run_survey

CARD: dict[str, Any] = {
    "id": "qwen3-8b",
    "object": "model",
    "created": 1,
    "owned_by": "vllm",
    "root": "/srv/models/Qwen3-8B-AWQ",
    "parent": None,
    "max_model_len": 32768,
    "permission": [{"id": "modelperm-1"}],
}
ADAPTER = CARD | {
    "id": "sql-lora",
    "root": "/srv/adapters/sql",
    "parent": "qwen3-8b",
    "max_model_len": None,
}


def survey(*cards: dict[str, Any], version: object = "0.33.0") -> tuple[Vllm, Any]:
    engine = Vllm()
    answers = {
        "/v1/models": json_answer({"object": "list", "data": cards}),
        "/version": json_answer({"version": version}),
    }
    return engine, run_survey(engine, answers)[0]


def test_cards_become_offers_and_roots_stay_here() -> None:
    _, state = survey(CARD)
    assert (state.kind, state.status, state.version) == ("vllm", "ready", "0.33.0")
    assert state.offers == (
        Offer(
            model="qwen3-8b",
            quantization="AWQ",
            context_length=32768,
            capabilities=["chat", "completion"],
        ),
    )
    assert survey(CARD, version=7)[1].version is None


def test_adapters_are_offered_with_their_bases_name_quantisation_and_context() -> None:
    engine, state = survey(ADAPTER, CARD)
    adapter, base = state.offers
    assert (adapter.model, adapter.family) == ("sql-lora", "qwen3-8b")
    assert (adapter.quantization, adapter.context_length) == ("AWQ", 32768)
    assert (base.model, base.family) == ("qwen3-8b", None)
    call = engine.chat(chat_request(model="sql-lora"), max_output_tokens=5)
    assert msgspec.json.decode(call.body)["model"] == "sql-lora"


def test_an_adapter_of_a_path_tells_no_path() -> None:
    path = CARD | {"id": "/srv/models/Qwen3-8B-FP8", "root": None}
    _, state = survey(path, ADAPTER | {"parent": path["id"]})
    assert [(one.model, one.family, one.quantization) for one in state.offers] == [
        ("Qwen3-8B-FP8", None, "FP8"),
        ("sql-lora", "Qwen3-8B-FP8", "FP8"),
    ]
    assert "/srv" not in str(state)


@pytest.mark.parametrize(
    ("root", "name"),
    [
        ("Qwen/Qwen3-8B-AWQ", "AWQ"),
        ("TheBloke/Llama-2-7B-GPTQ", "GPTQ"),
        ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", "GPTQ-INT4"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic", "FP8"),
        ("nvidia/Llama-3.1-8B-Instruct-NVFP4", "NVFP4"),
        ("RedHatAI/gemma-3-12b-it-quantized.w4a16", "W4A16"),
        ("unsloth/Qwen3-8B-unsloth-bnb-4bit", "BNB-4BIT"),
        ("/srv/gguf/Qwen3-8B-Q4_K_M.gguf", "Q4_K_M"),
        ("/srv/AWQ/Qwen3-8B/", None),
        ("Qwen/Qwen3-8B", None),
        ("org/Hawqeye-7B", None),
        ("org/fp80-model", None),
        ("", None),
    ],
)
def test_a_quantisation_counts_only_where_the_name_tells_it(root: str, name: str | None) -> None:
    assert named_quantization(root) == name


@pytest.mark.parametrize(
    ("status", "message", "code", "param"),
    [
        (
            400,
            '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser',
            "unsupported_parameter",
            "tools",
        ),
        (400, "/srv/m is not a multimodal model", "unsupported_parameter", "messages"),
        (400, "The model does not support Chat Completions API", "unsupported_parameter", "model"),
        (400, "temperature must be non-negative", "invalid_request", None),
        (404, "The model `x` does not exist.", "model_not_found", None),
        (500, "--enable-auto-tool-choice", "engine_error", None),
    ],
)
def test_its_refusals_name_the_field(
    status: int, message: str, code: str, param: str | None
) -> None:
    body = msgspec.json.encode({"error": {"message": message, "type": "x", "code": status}})
    fault = Vllm().fault(status, body)
    assert isinstance(fault, LuckrigError)
    assert (fault.code, fault.param) == (code, param)
    assert "/srv" not in fault.message


def test_its_embeddings_cannot_always_be_shortened() -> None:
    engine, _ = survey(CARD)
    from_client = {"model": "qwen3-8b", "input": ["a"], "dimensions": 2}
    call = engine.embeddings(parse_embeddings(msgspec.json.encode(from_client)))
    message = "Model does not support matryoshka representation, changing output dimensions"
    body = msgspec.json.encode({"error": {"message": message, "code": 400}})
    fault = call.fault(400, body)
    assert (fault.code, fault.param) == ("unsupported_parameter", "dimensions")
    body = msgspec.json.encode({"error": {"message": "The model does not support Embeddings API"}})
    assert call.fault(400, body).param == "model"


def test_a_tool_choice_without_tools_is_left_out() -> None:
    engine, _ = survey(CARD)
    request = chat_request(model="qwen3-8b", tool_choice="none", parallel_tool_calls=True)
    body = msgspec.json.decode(engine.chat(request, max_output_tokens=5).body)
    assert not {"tool_choice", "parallel_tool_calls"} & set(body)
