"""POST /v1/responses on a real socket: through the stock client, streamed or not, and broken."""

import asyncio
import json
from pathlib import Path
from typing import Any

import openai
import pydantic
import pytest
from openai.types.responses import Response, ResponseStreamEvent

from luckrig.engine.process import EngineSpec, start_engine
from luckrig.engine.tiny import TINY_MODEL
from luckrig.protocol.receipts import verify_receipt
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.ollama import FakeOllama, Said
from tests.fake_engines.openai_compatible import MODEL, FakeOpenAi
from tests.nodeproxy.rigs import Rig, make_token, running_rig

NEVER = 2**40
REPLY = "Hello! I only stand in for an engine."
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    "strict": True,
}
ANY_EVENT: pydantic.TypeAdapter[ResponseStreamEvent] = pydantic.TypeAdapter(ResponseStreamEvent)


def call_delta(index: int, arguments: str, **first: str) -> dict[str, Any]:
    """Part of a tool call, as an engine streams it. first: id and name, on the first part."""
    call: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
    if first:
        call |= {"id": first["id"], "type": "function"}
        call["function"]["name"] = first["name"]
    return {"tool_calls": [call]}


CALLS = (
    call_delta(0, "", id="call_a", name="get_weather"),
    call_delta(0, '{"place":'),
    call_delta(0, '"Oslo"}'),
    call_delta(1, '{"place":"Bergen"}', id="call_b", name="get_weather"),
)


async def ask(rig: Rig, **fields: Any) -> Any:
    token = fields.pop("token", None)
    body = {"model": rig.models[0], "input": "Hello"} | fields
    return await rig.post("/v1/responses", body, token=token)


def events_of(text: str) -> list[dict[str, Any]]:
    """The events of a stream: numbered from 0, each called the same in both lines."""
    found: list[dict[str, Any]] = []
    for block in text.split("\n\n")[:-1]:
        event, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert event == f"event: {found[-1]['type']}"
        assert found[-1]["sequence_number"] == len(found) - 1
    return found


async def stream(rig: Rig, **fields: Any) -> list[dict[str, Any]]:
    response = await ask(rig, stream=True, **fields)
    assert response.headers["content-type"].startswith("text/event-stream")
    return events_of(response.text)


def check_strictly(events: list[dict[str, Any]]) -> None:
    """Each event is one that OpenAI's client knows, with every field it demands."""
    for event in events:
        ANY_EVENT.validate_python(event, strict=False)


async def test_reply_in_one_piece_is_a_response(rig: Rig) -> None:
    reply = (await ask(rig, instructions="Be brief.", metadata={"a": "b"}, temperature=0.5)).json()
    response = Response.model_validate(reply)
    assert response.output_text == REPLY
    assert (response.status, response.model) == ("completed", MODEL)
    assert reply["store"] is False
    assert reply["background"] is False
    assert reply["metadata"] == {"a": "b"}
    assert (reply["instructions"], reply["temperature"]) == ("Be brief.", 0.5)
    assert (reply["tools"], reply["tool_choice"]) == ([], "auto")
    assert reply["text"] == {"format": {"type": "text"}}
    assert reply["error"] is reply["incomplete_details"] is reply["previous_response_id"] is None
    assert reply["created_at"] == 1_700_000_000
    (item,) = reply["output"]
    assert item["id"].startswith("msg_")
    assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "completed")
    assert item["content"] == [
        {"type": "output_text", "text": REPLY, "annotations": [], "logprobs": []}
    ]
    assert reply["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 17,
    }


@pytest.mark.parametrize("streamed", [True, False])
async def test_timing_and_receipt_ride_on_the_last_response(rig: Rig, streamed: bool) -> None:
    answer = await ask(rig, stream=streamed)
    response = events_of(answer.text)[-1]["response"] if streamed else answer.json()
    receipt = verify_receipt(response["luckrig"]["receipt"], now=NEVER)
    assert response["id"] == f"resp_{receipt.req}" == f"resp_{answer.headers['luckrig-request']}"
    assert (receipt.model, receipt.streamed, receipt.finish) == (MODEL, streamed, "stop")
    assert receipt.completion_tokens == response["luckrig"]["timing"]["completion_tokens"] == 10
    await rig.node.sender.flush()
    assert rig.tracker.handed_in == [response["luckrig"]["receipt"]]


async def test_events_come_in_order(rig: Rig) -> None:
    events = await stream(rig)
    check_strictly(events)
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        *["output_text.delta"] * 10,
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert "".join(event.get("delta", "") for event in events) == REPLY
    assert all("luckrig" not in event["response"] for event in events[:2])
    first, last = events[0]["response"], events[-1]["response"]
    assert (first["status"], first["output"]) == ("in_progress", [])
    assert last["output"] == [events[-2]["item"]]
    ids = {event["item_id"] for event in events if "item_id" in event}
    assert ids == {last["output"][0]["id"]}


async def test_reasoning_calls_and_text_become_items(engine: FakeOpenAi, rig: Rig) -> None:
    engine.before = [{"reasoning_content": "Let me"}, {"reasoning": " see."}]
    engine.after = CALLS
    events = await stream(rig, tools=[WEATHER])
    check_strictly(events)
    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert output[0]["content"] == [{"type": "reasoning_text", "text": "Let me see."}]
    assert output[0]["summary"] == []
    for item, call_id, place in zip(
        output[2:], ("call_a", "call_b"), ("Oslo", "Bergen"), strict=True
    ):
        assert item["id"].startswith("fc_")
        assert (item["call_id"], item["name"]) == (call_id, "get_weather")
        assert json.loads(item["arguments"]) == {"place": place}
    assert len({item["id"] for item in output}) == 4
    for index, item in enumerate(output):
        added, *_, done = [event for event in events if event.get("output_index") == index]
        assert added["type"] == "response.output_item.added"
        assert (done["type"], done["item"]) == ("response.output_item.done", item)
    deltas = [event for event in events if event["type"].endswith("arguments.delta")]
    assert [event["delta"] for event in deltas] == ['{"place":', '"Oslo"}', '{"place":"Bergen"}']
    whole = (await ask(rig, tools=[WEATHER])).json()
    assert whole["status"] == "completed"
    assert [_without_ids(item) for item in whole["output"]] == list(map(_without_ids, output))
    Response.model_validate(whole)


def _without_ids(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "id"}


async def test_what_came_out_may_go_in_again(engine: FakeOpenAi, rig: Rig) -> None:
    """The way OpenAI's guide shows: input += response.output, with the client's own objects."""
    engine.before, engine.after = [{"reasoning_content": "Hm"}], CALLS
    client = rig.openai()
    history: list[Any] = [{"role": "user", "content": "Weather?"}]
    first = await client.responses.create(model=MODEL, input=history, tools=[WEATHER], store=False)  # type: ignore[list-item]
    history += first.output
    for item in first.output:
        if item.type == "function_call":
            output = {"type": "function_call_output", "call_id": item.call_id, "output": "Rain"}
            history.append(output)
    engine.requests.clear()
    await client.responses.create(model=MODEL, input=history, tools=[WEATHER])  # type: ignore[list-item]
    (request,) = engine.requests
    roles = [message["role"] for message in request.json["messages"]]
    assert roles == ["user", "assistant", "tool", "tool"]
    assistant = request.json["messages"][1]
    assert (assistant["content"], assistant["reasoning_content"]) == (REPLY, "Hm")
    assert len(assistant["tool_calls"]) == 2


async def test_stock_client_streams_events_it_knows(engine: FakeOpenAi, rig: Rig) -> None:
    engine.after = CALLS
    async with rig.openai().responses.stream(
        model=MODEL,
        input="Hello",
        tools=[WEATHER],  # type: ignore[list-item]
    ) as events:
        text = "".join([e.delta async for e in events if e.type == "response.output_text.delta"])
        final = await events.get_final_response()
    assert text == final.output_text == REPLY
    assert [item.type for item in final.output] == ["message", "function_call", "function_call"]


class Place(pydantic.BaseModel):
    """What the parsed reply holds."""

    name: str


async def test_stock_client_parses_structured_output(engine: FakeOpenAi, rig: Rig) -> None:
    engine.reply = ['{"name":', '"Oslo"}']
    parsed = await rig.openai().responses.parse(model=MODEL, input="Where?", text_format=Place)
    assert parsed.output_parsed == Place(name="Oslo")
    asked = engine.asked["response_format"]
    assert asked["json_schema"]["strict"] is True
    assert parsed.text is not None
    assert parsed.text.format is not None
    assert parsed.text.format.type == "json_schema"


async def test_synchronous_stock_client_gets_both_forms(rig: Rig) -> None:
    def both() -> tuple[str, list[str]]:
        base_url = f"{rig.origin}/v1"
        with openai.OpenAI(base_url=base_url, api_key=rig.token, max_retries=0) as client:
            whole = client.responses.create(model=MODEL, input="Hello").output_text
            with client.responses.create(model=MODEL, input="Hello", stream=True) as events:
                return whole, [event.type for event in events]

    whole, kinds = await asyncio.to_thread(both)
    assert whole == REPLY
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_reply_at_its_limit_is_incomplete(rig: Rig, streamed: bool) -> None:
    answer = await ask(rig, stream=streamed, max_output_tokens=3, token=make_token())
    if streamed:
        last = events_of(answer.text)[-1]
        assert last["type"] == "response.incomplete"
        response = last["response"]
    else:
        response = answer.json()
    assert response["status"] == response["output"][0]["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["usage"]["output_tokens"] == 3
    assert response["max_output_tokens"] == 3


async def test_the_token_caps_what_is_generated(rig: Rig) -> None:
    capped = (await ask(rig, token=make_token(output_tokens=2), max_output_tokens=900)).json()
    assert capped["usage"]["output_tokens"] == 2


async def test_a_reply_without_a_word_has_an_empty_message(engine: FakeOpenAi, rig: Rig) -> None:
    engine.reply = []
    events = await stream(rig)
    check_strictly(events)
    (item,) = events[-1]["response"]["output"]
    assert item["content"][0]["text"] == ""
    assert (await ask(rig)).json()["output"][0]["content"][0]["text"] == ""


async def test_a_refusal_is_a_part_of_its_own(engine: FakeOpenAi, rig: Rig) -> None:
    engine.reply, engine.before = [], [{"content": "Well. "}, {"refusal": "I can't."}]
    events = await stream(rig)
    check_strictly(events)
    (item,) = events[-1]["response"]["output"]
    assert [part["type"] for part in item["content"]] == ["output_text", "refusal"]
    assert item["content"][1]["refusal"] == "I can't."


@pytest.mark.parametrize("fault", ["reset", "garbage", "half", "error"])
async def test_an_engine_that_dies_ends_the_stream_with_error_and_failed(
    fault: Any, engine: FakeOpenAi, rig: Rig
) -> None:
    engine.fault = fault
    events = await stream(rig)
    check_strictly(events)
    *before, error, failed = events
    assert "".join(event.get("delta", "") for event in before) == "Hello!"
    assert (error["type"], error["code"]) == ("error", "engine_error")
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert "CUDA" not in json.dumps(events)
    whole = await ask(rig)
    assert (whole.status_code, whole.json()["error"]["code"]) == (502, "engine_error")
    assert rig.node.queue.active == 0


async def test_calls_that_come_back_after_their_end_make_no_sense(
    engine: FakeOpenAi, rig: Rig
) -> None:
    engine.after = (CALLS[0], {"content": "x"}, CALLS[1])
    assert (await stream(rig))[-1]["type"] == "response.failed"
    assert (await ask(rig)).status_code == 502


async def test_calls_written_in_turns_stay_apart(engine: FakeOpenAi, rig: Rig) -> None:
    engine.reply = []
    engine.after = (CALLS[0], CALLS[3], CALLS[1], CALLS[2])
    events = await stream(rig, tools=[WEATHER])
    check_strictly(events)
    output = events[-1]["response"]["output"]
    assert [json.loads(item["arguments"])["place"] for item in output] == ["Oslo", "Bergen"]


async def test_a_ban_ends_a_running_stream_in_its_own_words(engine: FakeOpenAi, rig: Rig) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(2)
    client = rig.openai()
    events: list[ResponseStreamEvent] = []
    opened = await client.responses.create(model=MODEL, input="x", stream=True)
    async for event in opened:
        events.append(event)
        if event.type == "response.output_text.delta" and event.delta == "!":
            rig.tracker.banned.add("pseudonym-of-a-user")
            await rig.node.revocations.refresh()
    assert [event.type for event in events[-2:]] == ["error", "response.failed"]
    assert events[-2].type == "error"
    assert events[-2].code == "banned"


async def test_engine_faults_name_the_fields_of_this_api() -> None:
    async with FakeOllama() as engine, running_rig(engine.url) as rig:
        asks: list[tuple[dict[str, Any], str]] = [
            ({"tools": [WEATHER], "tool_choice": "required"}, "tool_choice"),
            (
                {
                    "input": [
                        {
                            "role": "user",
                            "content": [
                                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
                            ],
                        }
                    ]
                },
                "input",
            ),
        ]
        for fields, param in asks:
            error = (await ask(rig, **fields)).json()["error"]
            assert (error["code"], error["param"]) == ("unsupported_parameter", param)


async def test_ollama_answers_through_the_same_door() -> None:
    call = {"function": {"name": "get_weather", "arguments": {"place": "Oslo"}}}
    async with FakeOllama() as engine, running_rig(engine.url) as rig:
        engine.said = Said(thinking=["Hm"], tool_calls=[call])
        events = await stream(rig, tools=[WEATHER], reasoning={"effort": "low"})
        check_strictly(events)
        output = events[-1]["response"]["output"]
        assert [item["type"] for item in output] == ["reasoning", "message", "function_call"]
        assert json.loads(output[2]["arguments"]) == {"place": "Oslo"}
        assert events[-1]["response"]["usage"]["input_tokens"] == 11
        assert events[-1]["response"]["reasoning"]["effort"] == "low"


async def test_rules_name_the_input(engine: FakeOpenAi, rig: Rig) -> None:
    for fields in ({"input": "nude 12 year old"}, {"instructions": "nude 12 year old"}):
        error = (await ask(rig, **fields)).json()["error"]
        assert (error["code"], error["param"]) == ("content_filter", "input")
    assert engine.requests == []


async def test_the_real_llama_server_answers(tmp_path: Path) -> None:
    spec = EngineSpec(model_path=TINY_MODEL, alias="tiny", slots=1, context_length=1024)
    async with (
        start_engine(spec, log_path=tmp_path / "engine.log") as engine,
        running_rig(engine.url) as rig,
    ):
        client = rig.openai()
        whole = await client.responses.create(
            model="tiny", input="Hello!", temperature=0, max_output_tokens=40
        )
        deltas: list[str] = []
        opened = await client.responses.create(
            model="tiny", input="Hello!", temperature=0, max_output_tokens=40, stream=True
        )
        async for event in opened:
            ANY_EVENT.validate_python(event.model_dump())
            if event.type == "response.output_text.delta":
                deltas.append(event.delta)
        assert "".join(deltas) == whole.output_text != ""
        assert whole.usage is not None
        assert 0 < whole.usage.output_tokens <= 40
        cut = await client.responses.create(model="tiny", input="Hello!", max_output_tokens=2)
        assert cut.status == "incomplete"
        with pytest.raises(openai.BadRequestError, match="context"):
            await client.responses.create(model="tiny", input="word " * 3000)
