"""A stand-in for ollama and its native API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.fake_engines.engine import FakeEngine
from tests.fake_engines.knobs import (
    MODEL,
    OWNERS_FOLDER,
    TEMPLATE,
    FakeModel,
    Fault,
    vector_of,
)
from tests.fake_engines.wire import Exchange, Refusal, Request

__all__ = ["MODEL", "FakeModel", "FakeOllama", "Said"]


@dataclass(frozen=True)
class Said:
    """What the model says besides its text."""

    thinking: Sequence[str] = ()
    tool_calls: Sequence[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class FakeOllama(FakeEngine):
    """ollama's server: /api/version, tags, ps, show, chat, generate, embed."""

    default_model = MODEL
    garbage = b"<html>\n"
    broken = b'{"model":"qwen3:4b","message":{"role":"assistant","content":"x"},"done":false}\n'
    error = b'{"error":"an error was encountered: CUDA error in %s/x.cu"}\n' % (
        OWNERS_FOLDER.encode()
    )
    version = "0.40.2"
    said = Said()
    counts_prompt = True

    def generates(self, request: Request) -> bool:
        """Whether a request is one for text or vectors."""
        return request.path in ("/api/chat", "/api/generate", "/api/embed")

    def refusals(self) -> Mapping[Fault, Refusal]:
        """{"error": text}, and what newer versions make of a prompt that is too long."""
        texts: dict[Fault, tuple[int, str]] = {
            "busy": (503, "server busy, please try again.  maximum pending requests exceeded"),
            "loading": (503, "llm server loading model"),
            "locked": (401, "unauthorized"),
            "too-long": (400, _overflow(8889, 4096)),
        }
        return {name: Refusal(status, {"error": text}) for name, (status, text) in texts.items()}

    async def answer(self, exchange: Exchange) -> None:
        """Route one request."""
        method, path = exchange.request.method, exchange.request.path
        match method, path:
            case "GET", "/":
                await exchange.send(b"Ollama is running", content_type="text/plain")
            case "GET", "/api/version":
                await exchange.send_json({"version": self.version})
            case "GET", "/api/tags":
                await exchange.send_json({"models": [_tag(model) for model in self.models]})
            case "GET", "/api/ps":
                loaded = [_ps(model) for model in self.models if model.loaded_context]
                await exchange.send_json({"models": loaded})
            case "POST", "/api/show":
                await exchange.send_json(_show(self._find(exchange)))
            case "POST", "/api/chat":
                await self._chat(exchange)
            case "POST", "/api/generate":
                await self._chat(exchange)
            case "POST", "/api/embed":
                await self._embed(exchange)
            case _:
                raise Refusal(404, "404 page not found")

    def _find(self, exchange: Exchange) -> FakeModel:
        name = exchange.request.json["model"]
        for model in self.models:
            if model.name == name:
                return model
        raise Refusal(404, {"error": f"model '{name}' not found"})

    async def _embed(self, exchange: Exchange) -> None:
        asked = exchange.request.json
        if "embedding" not in self._find(exchange).capabilities:
            raise Refusal(501, {"error": "this model does not support embeddings"})
        vectors = [vector_of(text)[: asked.get("dimensions")] for text in asked["input"]]
        counts = {"total_duration": 14_000_000, "prompt_eval_count": 3 * len(vectors)}
        await exchange.send_json({"model": asked["model"], "embeddings": vectors} | counts)

    async def _chat(self, exchange: Exchange) -> None:
        asked = exchange.request.json
        self._find(exchange)
        await exchange.start("application/x-ndjson")
        for thought in self.said.thinking:
            await self._line(exchange, {"role": "assistant", "content": "", "thinking": thought})
        limit = asked["options"].get("num_predict")
        count = 0
        async for text in self.tokens(exchange, limit):
            count += 1
            await self._line(exchange, {"role": "assistant", "content": text})
        calls = list(self.said.tool_calls)
        if (name := self.wanted_tool(asked)) is not None:
            calls.append({"function": {"name": name, "arguments": {}}})
        if calls:
            await self._line(exchange, {"role": "assistant", "content": "", "tool_calls": calls})
        await self._last_line(exchange, count)

    async def _line(self, exchange: Exchange, message: dict[str, object], **fields: object) -> None:
        line: dict[str, object] = {
            "model": exchange.request.json["model"],
            "created_at": "2026-08-21T10:00:00.123456789Z",
            "done": False,
        }
        if exchange.request.path == "/api/chat":
            line["message"] = message
        else:
            line["response"] = message["content"]
        await exchange.piece(msgspec.json.encode(line | fields) + b"\n")

    async def _last_line(self, exchange: Exchange, count: int) -> None:
        """Go's omitempty: a counter of zero isn't there at all."""
        counters = {
            "total_duration": 2_500_000_000,
            "load_duration": 100_000,
            "prompt_eval_count": 11 if self.counts_prompt else 0,
            "prompt_eval_duration": 500_000_000,
            "eval_count": count,
            "eval_duration": 2_000_000_000 if count else 0,
        }
        await self._line(
            exchange,
            {"role": "assistant", "content": ""},
            done=True,
            done_reason="stop" if count == len(self.reply) else "length",
            **{name: value for name, value in counters.items() if value},
        )
        await exchange.piece(b"")


def _overflow(prompt: int, context: int) -> str:
    """ollama from 0.34: llama-server's own answer as a JSON text."""
    message = f"request ({prompt} tokens) exceeds the available context size ({context} tokens)"
    error = {
        "code": 400,
        "message": message,
        "type": "exceed_context_size_error",
        "n_prompt_tokens": prompt,
        "n_ctx": context,
    }
    return msgspec.json.encode({"error": error}).decode()


def _details(model: FakeModel) -> dict[str, object]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": "qwen3",
        "families": ["qwen3"],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    }


def _tag(model: FakeModel) -> dict[str, object]:
    tag: dict[str, object] = {
        "name": model.name,
        "model": model.name,
        "modified_at": "2026-08-01T00:00:00Z",
        "size": 2_600_000_000,
        "digest": model.name.encode().hex().rjust(64, "a"),
        "details": _details(model),
    }
    if model.is_recent:
        tag["details"] = _details(model) | {"context_length": model.trained_context}
        tag["capabilities"] = list(model.capabilities)
    if model.remote_host:
        tag |= {"remote_host": model.remote_host, "remote_model": model.name}
    return tag


def _ps(model: FakeModel) -> dict[str, object]:
    loaded = {"size_vram": 3_000_000_000, "context_length": model.loaded_context}
    return _tag(model) | loaded | {"expires_at": "2026-08-21T10:05:00Z"}


def _show(model: FakeModel) -> dict[str, object]:
    return {
        "modelfile": f"FROM {OWNERS_FOLDER}/{model.name}",
        "parameters": model.parameters,
        "template": TEMPLATE,
        "details": _details(model),
        "model_info": {
            "general.architecture": "qwen3",
            "general.parameter_count": 4_022_468_096,
            "qwen3.context_length": model.trained_context,
        },
        "capabilities": list(model.capabilities),
        "modified_at": "2026-08-01T00:00:00Z",
    }
