"""What engines say of themselves, recorded, and what becomes of it on the map."""

import pytest

from luckrig.nodeproxy.engines.base import Dialect
from luckrig.nodeproxy.engines.llama_server import LlamaServer
from luckrig.nodeproxy.engines.models import clean_quantization, count_parameters, public_name
from luckrig.nodeproxy.engines.ollama import Ollama
from luckrig.nodeproxy.engines.openai_compatible import OpenAiCompatible
from luckrig.nodeproxy.upstream import Answer
from luckrig.protocol.descriptor import Offer
from luckrig.protocol.errors import PeerError
from tests.nodeproxy.engine_scenes import chat_request, completion_request, json_answer, run_survey

VERSION = json_answer({"version": "0.40.2"})
LOCKED = json_answer({"error": {"message": "Invalid API Key", "code": 401}}, status=401)
LOADING = json_answer({"error": {"message": "Loading model", "code": 503}}, status=503)

PROPS = {
    "default_generation_settings": {"params": {"seed": 1}, "n_ctx": 8192},
    "total_slots": 4,
    "model_ftype": "Q4_K - Medium",
    "model_path": "/home/ada/models/qwen.gguf",
    "modalities": {"vision": True, "audio": False},
    "chat_template": "{{ secret }}",
    "chat_template_caps": {"supports_tools": False, "supports_reasoning_effort": False},
    "build_info": "b11549-abcdef",
}
CARD = {
    "id": "/home/ada/models/qwen.gguf",
    "owned_by": "llamacpp",
    "meta": {"n_ctx": 8192, "n_ctx_train": 40960, "n_params": 4_022_468_096, "ftype": None},
}


def tag(name: str, **fields: object) -> dict[str, object]:
    details = {"family": "qwen3", "parameter_size": "7.6B", "quantization_level": "Q4_K_M"}
    return {"model": name, "digest": name, "details": details} | fields


def shown(*skills: str, **fields: object) -> dict[str, object]:
    return {"capabilities": skills or ("completion",)} | fields


def ollama_offers(
    engine: Ollama, tags: list[dict[str, object]], show: object, ps: object = None
) -> list[Offer]:
    answers = {
        "/api/version": VERSION,
        "/api/tags": json_answer({"models": tags}),
        "/api/show": json_answer(show),
        "/api/ps": json_answer(ps or {"models": []}),
    }
    state, _ = run_survey(engine, answers)
    assert state.status == "ready"
    return list(state.offers)


def test_llama_server_tells_context_for_each_slot_and_no_path() -> None:
    answers = {"/v1/models": json_answer({"data": [CARD]}), "/props": json_answer(PROPS)}
    state, _ = run_survey(LlamaServer(), answers)
    assert (state.status, state.version, state.slots) == ("ready", "b11549-abcdef", 4)
    assert state.offers == (
        Offer(
            model="qwen",
            parameters=4_022_468_096,
            quantization="Q4_K_M",
            context_length=8192,
            capabilities=["chat", "completion", "vision"],
        ),
    )


def test_llama_server_refuses_what_it_would_ignore() -> None:
    engine = LlamaServer()
    answers = {"/v1/models": json_answer({"data": [CARD]}), "/props": json_answer(PROPS)}
    run_survey(engine, answers)
    tools = [{"type": "function", "function": {"name": "f"}}]
    with pytest.raises(PeerError) as caught:
        engine.chat(chat_request(model="qwen", tools=tools), max_output_tokens=5)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "tools")
    with pytest.raises(PeerError) as caught:
        engine.chat(chat_request(model="qwen", reasoning_effort="low"), max_output_tokens=5)
    assert caught.value.param == "reasoning_effort"
    with pytest.raises(PeerError) as caught:
        engine.completion(completion_request(model="qwen", suffix="x"), max_output_tokens=5)
    assert caught.value.param == "suffix"


def test_llama_server_can_be_told_not_to_think() -> None:
    engine = LlamaServer()
    run_survey(engine, {"/v1/models": json_answer({"data": [CARD]})})
    call = engine.chat(chat_request(model="qwen", reasoning_effort="none"), max_output_tokens=5)
    assert b'"chat_template_kwargs":{"enable_thinking":false}' in call.body
    assert b"reasoning_effort" not in call.body
    call = engine.chat(chat_request(model="qwen", reasoning_effort="low"), max_output_tokens=5)
    assert b'"reasoning_effort":"low"' in call.body  # it doesn't say, so it decides


def test_older_and_routing_llama_servers_are_understood() -> None:
    old = {"/v1/models": json_answer({"data": [{"id": "old", "meta": None}]})}
    state, _ = run_survey(LlamaServer(), old)
    assert (state.slots, [offer.context_length for offer in state.offers]) == (None, [None])
    cards = [
        {"id": "a", "status": {"value": "unloaded"}},
        {"id": "b", "status": {"value": "unloaded", "failed": True}},
    ]
    router = {"/v1/models": json_answer({"data": cards}), "/props": json_answer(PROPS)}
    state, _ = run_survey(LlamaServer(), router)
    assert (state.slots, [offer.model for offer in state.offers]) == (None, ["a"])
    assert state.offers[0].context_length is None


@pytest.mark.parametrize("engine", [LlamaServer(), OpenAiCompatible(), Ollama()])
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (None, "down"),
        (LOADING, "loading"),
        (LOCKED, "locked"),
        (json_answer({"error": "Unexpected endpoint"}), "down"),
        (Answer(200, {}, b"\xff<html>"), "down"),
        (Answer(200, {}, b"[" * 100_000), "down"),
        (json_answer({"data": [{"id": 7}], "version": 7}), "down"),
        (json_answer({}, status=500), "down"),
    ],
)
def test_an_engine_without_a_good_answer_offers_nothing(
    engine: Dialect, answer: Answer | None, status: str
) -> None:
    paths = ("/v1/models", "/api/version")
    state, _ = run_survey(engine, {path: answer for path in paths if answer is not None})
    assert (state.status, state.offers, state.kind) == (status, (), engine.kind)


def test_ollama_offers_its_local_text_models() -> None:
    tags = [
        tag("qwen3:4b"),
        tag("gpt-oss:120b-cloud", remote_host="https://ollama.com:443", remote_model="gpt-oss"),
        tag("kimi", remote_model="kimi"),
    ]
    info = {
        "general.architecture": "qwen3",
        "general.parameter_count": 4_022_468_096,
        "qwen3.context_length": 40_960,
    }
    show = shown("completion", "tools", "insert", "thinking", model_info=info)
    loaded = {"models": [{"model": "qwen3:4b", "context_length": 8192}]}
    assert ollama_offers(Ollama(), tags, show, loaded) == [
        Offer(
            model="qwen3:4b",
            family="qwen3",
            parameters=4_022_468_096,
            quantization="Q4_K_M",
            context_length=8192,
            capabilities=["chat", "completion", "tools"],
        )
    ]


def test_a_cloud_model_is_not_offered_wherever_ollama_says_so() -> None:
    """Its list leaves remote_host out in some versions, and a model may point at another."""
    for field in ("remote_host", "remote_model"):
        show = shown("completion", **{field: "x"})
        assert ollama_offers(Ollama(), [tag("alias")], show) == []
        assert ollama_offers(Ollama(), [tag("alias", **{field: "x"})], shown()) == []


def test_without_its_details_a_models_list_still_tells_its_skills() -> None:
    answers = {
        "/api/version": VERSION,
        "/api/tags": json_answer({"models": [tag("m", capabilities=["embedding"])]}),
    }
    (offer,) = run_survey(Ollama(), answers)[0].offers
    assert offer.capabilities == ["embedding"]


def test_ollamas_embedding_models_come_last() -> None:
    engine = Ollama()
    (offer,) = ollama_offers(engine, [tag("nomic")], shown("embedding"))
    assert offer.capabilities == ["embedding"]
    with pytest.raises(PeerError, match="only makes embeddings") as refused:
        engine.chat(chat_request(model="nomic"), max_output_tokens=5)
    assert refused.value.param == "model"
    assert ollama_offers(Ollama(), [tag("painter")], shown("image")) == []


def test_older_ollamas_tell_by_their_template() -> None:
    show = {"template": "{{ if .Tools }}", "projector_info": {"a": 1}, "model_info": {}}
    (offer,) = ollama_offers(Ollama(), [tag("llava", details={})], show)
    assert offer.capabilities == ["chat", "completion", "tools", "vision"]
    assert (offer.parameters, offer.family, offer.quantization) == (None, None, None)


@pytest.mark.parametrize(
    ("num_ctx", "parameters", "loaded", "context"),
    [
        (None, "", None, None),
        (None, "stop  x\nnum_ctx        16384\n", None, 16384),
        (None, "num_ctx 16384", 4096, 4096),
        (32768, "num_ctx 16384", 4096, 32768),
        (999_999, "", None, 40_960),
        (None, "", -5, None),
    ],
)
def test_ollamas_context_is_what_a_request_gets(
    num_ctx: int | None, parameters: str, loaded: int | None, context: int | None
) -> None:
    info = {"general.architecture": "q", "q.context_length": 40_960}
    show = shown(parameters=parameters, model_info=info)
    ps = {"models": [{"model": "m", "context_length": loaded}]} if loaded else None
    (offer,) = ollama_offers(Ollama(num_ctx=num_ctx), [tag("m")], show, ps)
    assert offer.context_length == context


def test_ollama_is_asked_once_for_each_model_and_keeps_the_context_it_saw() -> None:
    engine = Ollama()
    loaded = {"models": [{"model": "m", "context_length": 4096}]}
    ollama_offers(engine, [tag("m")], shown(), loaded)
    answers = {"/api/version": VERSION, "/api/tags": json_answer({"models": [tag("m")]})}
    state, asked = run_survey(engine, answers)
    assert [question.path for question in asked] == ["/api/version", "/api/tags", "/api/ps"]
    assert [offer.context_length for offer in state.offers] == [4096]


def test_odd_texts_of_an_engine_are_left_out() -> None:
    odd = {"family": "\u202eevil", "parameter_size": "?", "quantization_level": "\n"}
    (offer,) = ollama_offers(Ollama(), [tag("m", details=odd), tag("\x00")], shown())
    assert (offer.family, offer.parameters, offer.quantization) == (None, None, None)
    state, _ = run_survey(
        Ollama(),
        {"/api/version": json_answer({"version": " "}), "/api/tags": json_answer({"models": []})},
    )
    assert (state.status, state.version, state.offers) == ("ready", None, ())


def test_no_more_models_than_a_descriptor_takes() -> None:
    tags = [tag(f"m{number}") for number in range(200)]
    assert len(ollama_offers(Ollama(), tags, shown())) == 64


@pytest.mark.parametrize(
    ("engine_name", "name"),
    [
        ("/home/ada/models/qwen.gguf", "qwen"),
        ("C:\\models\\qwen-7b.Q4_K_M.gguf", "qwen-7b.Q4_K_M"),
        ("models/qwen.gguf", "qwen"),
        ("./qwen", "qwen"),
        ("~/qwen/", "qwen"),
        ("\\\\host\\share\\qwen", "qwen"),
        ("qwen3:4b", "qwen3:4b"),
        ("Qwen/Qwen3-4B", "Qwen/Qwen3-4B"),
        ("hf.co/bartowski/Llama-3.2-1B-GGUF:Q4_K_M", "hf.co/bartowski/Llama-3.2-1B-GGUF:Q4_K_M"),
    ],
)
def test_a_models_name_holds_no_folder_of_the_owner(engine_name: str, name: str) -> None:
    assert public_name(engine_name) == name


@pytest.mark.parametrize(
    ("text", "count"),
    [("7.6B", 7_600_000_000), ("494.03M", 494_030_000), ("1.5 T", 1_500_000_000_000),
     ("8b", 8_000_000_000), ("", None), ("big", None), ("0B", None), ("1e400B", None),
     ("999999T", None)],
)  # fmt: skip
def test_sizes_become_counts(text: str, count: int | None) -> None:
    assert count_parameters(text) == count


@pytest.mark.parametrize(
    ("text", "name"),
    [("Q4_K - Medium", "Q4_K_M"), ("Q3_K - Small", "Q3_K_S"), ("all F32", "F32"), ("Q8_0", "Q8_0"),
     ("IQ4_XS - 4.25 bpw", "IQ4_XS"), ("(guessed) Q6_K", "Q6_K"), ("MXFP4 MoE", "MXFP4"),
     ("unknown, may not work", None), ("unknown", None), ("", None), (None, None), ("\x00", None)],
)  # fmt: skip
def test_quantisations_get_their_short_names(text: str | None, name: str | None) -> None:
    assert clean_quantization(text) == name
