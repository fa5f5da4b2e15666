"""A stand-in for an engine that only speaks OpenAI's API: models, chat, completions, embeddings."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tests.fake_engines.engine import FakeEngine
from tests.fake_engines.knobs import OWNERS_FOLDER, FakeModel, Fault, vector_of
from tests.fake_engines.wire import Exchange, Refusal

MODEL = "stand-in"


def refusal(status: int, message: str, kind: str = "invalid_request_error") -> Refusal:
    """An error in OpenAI's form."""
    return Refusal(
        status, {"error": {"message": message, "type": kind, "param": None, "code": None}}
    )


class FakeOpenAi(FakeEngine):
    """A plain OpenAI-compatible server, of the kind that tells nothing about its model.

    before, after: deltas that a chat sends before and after its text; calls of tools come after.
    embeddings: what /v1/embeddings answers instead of vectors; a Refusal is raised.
    """

    garbage = b"data: {]\n\n"
    broken = b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
    error = b'data: {"error":{"message":"CUDA error in %s/x.cu","code":500}}\n\n' % (
        OWNERS_FOLDER.encode()
    )
    sends_done = True
    sends_usage = True
    before: Sequence[dict[str, Any]] = ()
    after: Sequence[dict[str, Any]] = ()
    embeddings: object = None

    async def answer(self, exchange: Exchange) -> None:
        """Route one request."""
        request = exchange.request
        if (request.method, request.path) == ("GET", "/v1/models"):
            cards = [self.card(model) for model in self.models]
            await exchange.send_json({"object": "list", "data": cards})
        elif (request.method, request.path) == ("POST", "/v1/chat/completions"):
            await self._stream(exchange, chat=True)
        elif (request.method, request.path) == ("POST", "/v1/completions"):
            await self._stream(exchange, chat=False)
        elif (request.method, request.path) == ("POST", "/v1/embeddings"):
            await self._embed(exchange)
        else:
            await self.answer_other(exchange)

    async def answer_other(self, exchange: Exchange) -> None:
        """Routes that only some engines have."""
        raise refusal(404, "Not Found", "not_found_error")

    def card(self, model: FakeModel) -> dict[str, Any]:
        """A model in the list."""
        return {"id": model.name, "object": "model", "owned_by": "me"}

    def check(self, asked: dict[str, Any], *, chat: bool) -> None:
        """Raise Refusal for a request that this engine takes offence at."""

    def end_of_usage(self, count: int) -> dict[str, Any]:
        """What comes with the usage."""
        return {}

    def refusals(self) -> Mapping[Fault, Refusal]:
        """In OpenAI's form; too-long in vLLM's words."""
        return {
            "busy": refusal(503, "server overloaded", "server_error"),
            "loading": refusal(503, "Loading model", "unavailable_error"),
            "locked": refusal(401, "Invalid API key", "authentication_error"),
            "too-long": refusal(
                400,
                "This model's maximum context length is 4096 tokens. However, you requested "
                "5000 tokens (4000 in the messages, 1000 in the completion).",
            ),
        }

    async def _embed(self, exchange: Exchange) -> None:
        if isinstance(self.embeddings, Refusal):
            raise self.embeddings
        texts = exchange.request.json["input"]
        vectors = [
            {"object": "embedding", "index": index, "embedding": vector_of(text), "extra": "x"}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 3 * len(texts), "total_tokens": 3 * len(texts)}
        answer = {"object": "list", "data": vectors[::-1], "model": "/srv/m", "usage": usage}
        await exchange.send_json(answer if self.embeddings is None else self.embeddings)

    async def _stream(self, exchange: Exchange, *, chat: bool) -> None:
        asked = exchange.request.json
        assert asked["stream"] is True
        self.check(asked, chat=chat)
        await exchange.start("text/event-stream")
        if chat:
            await self._send(exchange, chat, {"role": "assistant", "content": ""})
            for delta in self.before:
                await self._send(exchange, chat, delta)
        count = 0
        async for text in self.tokens(exchange, asked.get("max_tokens")):
            count += 1
            await self._send(exchange, chat, {"content": text})
        reason = "stop" if count == len(self.reply) else "length"
        after = list(self.after) if chat else []
        if chat and (name := self.wanted_tool(asked)) is not None:
            function = {"name": name, "arguments": "{}"}
            after.append({"tool_calls": [{"index": 0, "id": "call_1", "function": function}]})
        for delta in after:
            await self._send(exchange, chat, delta)
            reason = "tool_calls" if "tool_calls" in delta else reason
        await self._send(exchange, chat, {}, finish_reason=reason)
        if self.sends_usage and asked.get("stream_options") == {"include_usage": True}:
            usage = {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count}
            chunk = self._chunk(chat, None, more={"usage": usage} | self.end_of_usage(count))
            await exchange.piece(b"data: " + chunk + b"\n\n")
        if self.sends_done:
            await exchange.piece(b"data: [DONE]\n\n")
        await exchange.piece(b"")

    async def _send(
        self,
        exchange: Exchange,
        chat: bool,
        delta: dict[str, Any],
        finish_reason: str | None = None,
    ) -> None:
        chunk = self._chunk(chat, delta, finish_reason=finish_reason)
        await exchange.piece(b"data: " + chunk + b"\n\n")

    def _chunk(
        self,
        chat: bool,
        delta: dict[str, Any] | None,
        *,
        finish_reason: str | None = None,
        more: dict[str, Any] | None = None,
    ) -> bytes:
        choice: dict[str, object] = {"index": 0, "finish_reason": finish_reason}
        if chat:
            choice["delta"] = delta
        elif delta is not None:
            choice["text"] = delta.get("content", "")
        document: dict[str, object] = {
            "id": "chatcmpl-1" if chat else "cmpl-1",
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": 1_700_000_000,
            "model": self.card(self.models[0])["id"],
            "choices": [choice] if delta is not None else [],
        }
        return msgspec.json.encode(document | (more or {}))
