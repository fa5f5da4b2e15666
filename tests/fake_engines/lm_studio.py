"""A stand-in for LM Studio: both forms of its list, and its 200 for routes that don't exist."""

from typing import Any

from tests.fake_engines.knobs import FakeModel, Fault
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.fake_engines.wire import Exchange, Refusal

_NO_KEY = (
    "An LM Studio API token is required to make requests to this server, but none was provided"
)


class FakeLmStudio(FakeOpenAi):
    """LM Studio. is_recent: whether it is 0.4.0 or newer, with /api/v1/models; older ones have
    /api/v0/models. `sends_usage` is False for the oldest."""

    lines = "X-Powered-By: Express\r\n"
    is_recent = True

    async def answer_other(self, exchange: Exchange) -> None:
        """Its own lists, and everything else."""
        path = exchange.request.path
        if path == "/api/v1/models" and self.is_recent:
            await exchange.send_json({"models": [_model(model) for model in self.models]})
        elif path == "/api/v0/models":
            cards = [_card(model) for model in self.models]
            await exchange.send_json({"object": "list", "data": cards})
        else:
            text = f"Unexpected endpoint or method. ({exchange.request.method} {path})"
            await exchange.send_json({"error": text})

    def check(self, asked: dict[str, Any], *, chat: bool) -> None:
        """Two forms that it refuses, in its words."""
        if asked.get("response_format", {}).get("type") == "json_object":
            raise Refusal(400, {"error": "'response_format.type' must be 'json_schema' or 'text'"})
        if isinstance(asked.get("tool_choice"), dict):
            raise Refusal(
                400,
                {
                    "error": "Invalid tool_choice type: 'object'. Supported string values: "
                    "none, auto, required"
                },
            )

    def refusals(self) -> dict[Fault, Refusal]:
        """Its own words for a missing key."""
        error = {"type": "invalid_request", "code": "invalid_api_key", "message": _NO_KEY}
        return {**super().refusals(), "locked": Refusal(401, {"error": error})}


def _model(model: FakeModel) -> dict[str, Any]:
    loaded = {"id": f"{model.name}:2", "config": {"context_length": model.loaded_context}}
    listed: dict[str, Any] = {
        "type": "embedding" if model.embeds else "llm",
        "publisher": "qwen",
        "key": model.name,
        "display_name": model.name,
        "quantization": {"name": model.quantization, "bits_per_weight": 4},
        "size_bytes": 2_600_000_000,
        "params_string": model.parameter_size,
        "loaded_instances": [] if model.loaded_context is None else [loaded],
        "max_context_length": model.trained_context,
        "format": "gguf",
    }
    if not model.embeds:
        listed |= {
            "architecture": "qwen3",
            "capabilities": {
                "vision": "vision" in model.capabilities,
                "trained_for_tool_use": "tools" in model.capabilities,
            },
        }
    return listed


def _card(model: FakeModel) -> dict[str, Any]:
    writes = "vlm" if "vision" in model.capabilities else "llm"
    card: dict[str, Any] = {
        "id": model.name,
        "object": "model",
        "type": "embeddings" if model.embeds else writes,
        "publisher": "qwen",
        "arch": "qwen3",
        "compatibility_type": "gguf",
        "quantization": model.quantization,
        "state": "not-loaded" if model.loaded_context is None else "loaded",
        "max_context_length": model.trained_context,
    }
    if model.loaded_context is not None:
        card["loaded_context_length"] = model.loaded_context
    return card
