"""Receipts at the rig: one for each request that was served, handed in once, lost never."""

import asyncio
import json
from typing import Any

import httpx2
import pytest

from luckrig.client.receipts import Witnessed, answer_receipt, receipt_in
from luckrig.nodeproxy.receipts import ReceiptSender
from luckrig.protocol.encoding import b64url_decode
from luckrig.protocol.errors import LuckrigError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.receipts import (
    Measured,
    Receipt,
    verify_countersignature,
    verify_receipt,
)
from luckrig.protocol.wire import ReceiptResult, ReceiptsReply, ReceiptsRequest
from tests.fake_engines.engine import OnDemand
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.nodeproxy.rigs import NODE_ID, Rig, StandInTracker, make_token, running_rig

USER = PrivateKey(b"user" * 8)
NEVER = 2**40
"""Long after every receipt was made."""


def last_document(answer: httpx2.Response) -> dict[str, Any]:
    """The last JSON of a reply, streamed or not."""
    if not answer.text.startswith("data: "):
        whole: dict[str, Any] = answer.json()
        return whole
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert events[-1] == "[DONE]"
    last: dict[str, Any] = json.loads(events[-2])
    return last


def read(text: str | None) -> Receipt:
    assert text is not None
    return verify_receipt(text, now=NEVER)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reply_brings_its_receipt(rig: Rig, stream: bool) -> None:
    answer = await rig.chat("Hello", stream=stream)
    document = last_document(answer)
    receipt, timing = read(receipt_in(document)), document["luckrig"]["timing"]
    claims = json.loads(b64url_decode(rig.token.split(".")[1]))
    assert (receipt.iss, receipt.jti) == (NODE_ID, claims["jti"])
    assert receipt.req == answer.headers["luckrig-request"]
    assert (receipt.model, receipt.streamed, receipt.finish) == (rig.models[0], stream, "stop")
    assert receipt.completion_tokens == timing["completion_tokens"] > 0
    assert receipt.prompt_tokens == timing["prompt_tokens"]
    assert (receipt.queue_ms, receipt.ttft_ms) == (timing["queue_ms"], timing["ttft_ms"])


async def test_each_request_is_handed_in_once(rig: Rig) -> None:
    shown = [receipt_in(last_document(await rig.chat("Hello", stream=True))) for _ in range(70)]
    await rig.node.sender.flush()
    await rig.node.sender.flush()
    assert rig.tracker.handed_in == shown
    assert len(rig.node.receipts) == 0


async def test_nothing_is_lost_while_the_tracker_is_away(rig: Rig) -> None:
    rig.tracker.away = True
    await rig.chat("Hello")
    with pytest.raises(LuckrigError):
        await rig.node.sender.flush()
    await rig.chat("Hello")
    rig.tracker.away = False
    await rig.node.sender.flush()
    assert len(set(rig.tracker.handed_in)) == 2


async def test_a_rig_that_stops_hands_in_what_it_has(engine: FakeOpenAi) -> None:
    tracker = StandInTracker()
    async with running_rig(engine.url, tracker=tracker) as rig:
        await rig.chat("Hello")
        assert tracker.handed_in == []
    assert len(tracker.handed_in) == 1


async def test_who_leaves_in_the_middle_leaves_a_receipt_for_what_came(engine: FakeOpenAi) -> None:
    engine.pace = pace = OnDemand()
    pace.allow(4)
    async with running_rig(engine.url) as rig:
        body = {"model": rig.models[0], "messages": [{"role": "user", "content": "x"}]}
        headers = {"authorization": f"Bearer {rig.token}"}
        async with rig.http.stream(
            "POST", "/v1/chat/completions", json=body | {"stream": True}, headers=headers
        ) as response:
            lines = response.aiter_lines()
            for _ in range(5):
                await anext(lines)
        async with asyncio.timeout(5):
            while not len(rig.node.receipts):
                await asyncio.sleep(0.005)
        (text,) = rig.node.receipts.oldest()
    receipt = read(text)
    assert receipt.finish == "cut"
    assert 0 < receipt.completion_tokens <= 4


async def test_what_produced_nothing_has_no_receipt(rig: Rig) -> None:
    assert (await rig.chat("Hello", model="nobody-has-it")).status_code == 404
    assert (await rig.chat("Hello", token="not-a-token")).status_code == 401
    assert len(rig.node.receipts) == 0


async def test_a_full_book_loses_the_oldest_and_says_so(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """Bounded, whatever the tracker does."""
    rig.node.receipts.limit(2)
    shown = [receipt_in(last_document(await rig.chat("Hello"))) for _ in range(3)]
    assert rig.node.receipts.oldest() == shown[1:]
    await rig.node.sender.flush()
    assert rig.tracker.handed_in == shown[1:]
    assert "1 receipts were lost" in caplog.text


async def test_refused_receipts_arent_sent_again(rig: Rig) -> None:
    class Refuses:
        async def send_receipts(self, request: ReceiptsRequest) -> ReceiptsReply:
            refused = ReceiptResult(refused="token_not_found", message="…")
            return ReceiptsReply(results=[refused for _ in request.receipts])

    await rig.chat("Hello")
    await ReceiptSender(Refuses(), rig.node.receipts).flush()
    assert len(rig.node.receipts) == 0


async def test_a_client_agrees_to_what_fits_and_disputes_the_rest(rig: Rig) -> None:
    answer = await rig.chat("Hello", stream=True)
    text = receipt_in(last_document(answer))
    assert text is not None
    measured = Measured(ttft_ms=5.0, generation_ms=6.0)
    tokens = read(text).completion_tokens
    for token, seen, agrees in (
        (rig.token, 4 * tokens, True),
        (rig.token, tokens, True),
        (make_token(), 4 * tokens, False),
        ("nonsense", 4 * tokens, False),
        (rig.token, tokens - 9, tokens < 9),
    ):
        witnessed = Witnessed(token=token, output_bytes=max(0, seen), measured=measured)
        signed = answer_receipt(text, witnessed, user_key=USER, now=NEVER)
        assert signed.countersignature is not None
        _, opinion = verify_countersignature(signed.countersignature, receipt=text, now=NEVER)
        assert opinion.agrees == agrees
        assert opinion.measured == (measured if agrees else None)


@pytest.mark.parametrize("own", [None, {}, {"receipt": 7}, {"receipt": "x" * 3000}, "text"])
def test_a_reply_may_have_no_receipt(own: object) -> None:
    assert receipt_in({"luckrig": own}) is None
    assert receipt_in({}) is None
