"""What a rig gives its clients is the same on every engine, and honest about what it lacks."""

import json
from typing import Any

import httpx2
import pytest

from luckrig.protocol.encoding import b64url_decode
from tests.fake_engines.knobs import OWNERS_FOLDER, REPLY, vector_of
from tests.fake_engines.lm_studio import FakeLmStudio
from tests.nodeproxy.dialect_cases import CASES, EMBEDDER, NAMED, TOOLS, rig_of
from tests.nodeproxy.rigs import Rig, running_rig

TEXT = "".join(REPLY)
EVERY = pytest.mark.parametrize("name", CASES)


def events(body: str) -> list[Any]:
    """The documents of an event stream, without its [DONE]."""
    data = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    return [json.loads(text) for text in data if text != "[DONE]"]


def post(rig: Rig, path: str, **fields: Any) -> Any:
    return rig.post(path, {"model": rig.models[0]} | fields)


def told(response: httpx2.Response) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


@EVERY
async def test_models_are_described_and_the_owners_folders_stay_home(name: str) -> None:
    case = CASES[name]
    async with rig_of(name) as (_, rig):
        listed = await rig.http.get("/v1/models", headers={"authorization": f"Bearer {rig.token}"})
        model = listed.json()["data"][0]
        assert (model["id"], model["luckrig"]["quantization"]) == (case.model, case.quantization)
        assert model["luckrig"]["context_length"] == case.context
        assert rig.node.watch.state.kind == case.kind
        reply = await rig.chat()
        assert reply.headers["luckrig-engine"] == case.kind
        assert reply.headers["luckrig-quant"] == (case.quantization or "unknown")
        assert "planted" not in listed.text + reply.text + str(reply.headers)


@EVERY
async def test_chats_and_completions_come_streamed_and_whole(name: str) -> None:
    async with rig_of(name) as (_, rig):
        whole = (await rig.chat()).json()
        assert whole["choices"][0]["message"]["content"] == TEXT
        assert whole["usage"]["completion_tokens"] == len(REPLY)
        assert whole["model"] == CASES[name].model
        chunks = events((await rig.chat(stream=True)).text)
        assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == TEXT
        assert {chunk["model"] for chunk in chunks} == {CASES[name].model}
        assert chunks[-1]["luckrig"]["timing"]["completion_tokens"] == len(REPLY)
        short = (await rig.chat(max_tokens=3)).json()["choices"][0]
        assert (short["message"]["content"], short["finish_reason"]) == ("Hello! I", "length")
        whole = (await post(rig, "/v1/completions", prompt="Once")).json()
        assert whole["choices"][0]["text"] == TEXT
        chunks = events((await post(rig, "/v1/completions", prompt="Once", stream=True)).text)
        assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == TEXT


@EVERY
async def test_responses_come_streamed_and_whole(name: str) -> None:
    async with rig_of(name) as (_, rig):
        whole = (await post(rig, "/v1/responses", input="Hello")).json()
        assert whole["output"][0]["content"][0]["text"] == TEXT
        assert whole["status"] == "completed"
        *_, last = events((await post(rig, "/v1/responses", input="Hello", stream=True)).text)
        assert last["type"] == "response.completed"
        assert last["response"]["output"][0]["content"][0]["text"] == TEXT


@EVERY
async def test_tools_are_called_and_answered(name: str) -> None:
    async with rig_of(name) as (engine, rig):
        engine.calls_tools = True
        asked: dict[str, Any] = {"tools": TOOLS, "parallel_tool_calls": True}
        whole = (await rig.chat(**asked)).json()["choices"][0]
        (call,) = whole["message"]["tool_calls"]
        assert (call["function"], whole["finish_reason"]) == (
            {"name": "f", "arguments": "{}"},
            "tool_calls",
        )
        chunks = events((await rig.chat(**asked, stream=True)).text)
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        (called,) = [delta["tool_calls"][0] for delta in deltas if delta.get("tool_calls")]
        assert called["function"]["name"] == "f"
        messages = [
            {"role": "user", "content": "x"},
            whole["message"] | {"content": None},
            {"role": "tool", "tool_call_id": call["id"], "content": "42"},
        ]
        answered = await rig.chat(messages=messages, tools=TOOLS)
        assert answered.json()["choices"][0]["message"]["content"] == TEXT


@EVERY
async def test_a_named_function_is_called_or_the_field_refused(name: str) -> None:
    async with rig_of(name) as (engine, rig):
        engine.calls_tools = True
        response = await rig.chat(tools=TOOLS, tool_choice=NAMED)
        if not CASES[name].has_named_choice:
            assert told(response) == (400, "unsupported_parameter", "tool_choice")
            return
        if name not in ("vllm", "generic"):  # which know the form; the stand-ins don't choose
            (call,) = response.json()["choices"][0]["message"]["tool_calls"]
            assert call["function"]["name"] == "g"
        assert response.status_code == 200


@EVERY
async def test_json_is_asked_for_in_words_that_the_engine_knows(name: str) -> None:
    schema = {"name": "n", "schema": {"type": "object"}}
    async with rig_of(name) as (_, rig):
        for form in ({"type": "json_object"}, {"type": "json_schema", "json_schema": schema}):
            assert (await rig.chat(response_format=form)).status_code == 200


@EVERY
async def test_what_the_engine_would_ignore_is_refused_by_name(name: str) -> None:
    case = CASES[name]
    async with rig_of(name) as (engine, rig):
        for param, fields in case.refused.items():
            response = await rig.chat(**fields)
            assert told(response) == (400, "unsupported_parameter", param), param
        for param, value in case.refused_completions.items():
            response = await post(rig, "/v1/completions", prompt="x", **{param: value})
            assert told(response) == (400, "unsupported_parameter", param), param
        assert not any(engine.generates(request) for request in engine.requests)


@EVERY
async def test_embeddings_come_or_the_model_is_refused(name: str) -> None:
    async with rig_of(name) as (_, rig):
        asked = {"model": EMBEDDER.name, "input": ["a", "bcd"]}
        reply = (await rig.post("/v1/embeddings", asked)).json()
        assert [one["embedding"] for one in reply["data"]] == [vector_of("a"), vector_of("bcd")]
        assert reply["usage"]["prompt_tokens"] == 6
        if not CASES[name].tells_skills:
            return
        refused = await rig.post("/v1/embeddings", asked | {"model": rig.models[0]})
        assert told(refused) == (400, "unsupported_parameter", "model")
        for path, fields in (
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}),
            ("/v1/completions", {"prompt": "x"}),
        ):
            refused = await rig.post(path, {"model": EMBEDDER.name} | fields)
            assert told(refused) == (400, "unsupported_parameter", "model")


@EVERY
async def test_no_request_can_change_how_the_owner_runs_the_engine(name: str) -> None:
    """keep_alive unloads models, num_ctx loads them anew, ttl and the others are LM Studio's."""
    async with rig_of(name) as (engine, rig):
        settings: dict[str, Any] = {
            "keep_alive": 0, "options": {"num_ctx": 1}, "num_ctx": 1, "ttl": 1, "draft_model": "x",
            "context_length": 1, "chat_template": "x", "cache_prompt": False, "id_slot": 0,
        }  # fmt: skip
        for field, value in settings.items():
            assert (await rig.chat(**{field: value})).status_code == 400, field
        await rig.chat()
        (sent,) = [each.json for each in engine.requests if engine.generates(each)]
        assert not {"keep_alive", "ttl", "num_ctx"} & set(sent)
        assert OWNERS_FOLDER not in (await rig.http.get("/health")).text


@pytest.mark.parametrize("is_recent", [True, False])
async def test_a_reply_without_usage_gets_none_and_its_receipt_counts_the_pieces(
    is_recent: bool,
) -> None:
    """Older LM Studios tell no usage in a stream. A made-up number would be a lie."""
    async with FakeLmStudio() as engine:
        engine.is_recent = is_recent
        engine.sends_usage = False
        async with running_rig(engine.url) as rig:
            whole = (await rig.chat()).json()
            assert whole["usage"] is None
            streamed = await rig.chat(stream=True, stream_options={"include_usage": True})
            chunks = events(streamed.text)
            assert not any(chunk.get("usage") for chunk in chunks)
            for document in (whole, chunks[-1]):
                assert document["luckrig"]["timing"]["completion_tokens"] is None
                receipt = json.loads(b64url_decode(document["luckrig"]["receipt"].split(".")[1]))
                assert receipt["completion_tokens"] == len(REPLY)
