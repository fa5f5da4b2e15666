"""A stand-in for vLLM: its cards, its errors with a number, what it refuses."""

from typing import Any

from tests.fake_engines.knobs import OWNERS_FOLDER, FakeModel, Fault
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.fake_engines.wire import Exchange, Refusal


def refusal(status: int, message: str, kind: str = "BadRequestError") -> Refusal:
    """An error with vLLM's numeric code."""
    error = {"message": message, "type": kind, "param": None, "code": status}
    return Refusal(status, {"error": error})


class FakeVllm(FakeOpenAi):
    """vLLM. parses_tools: whether it was started with --enable-auto-tool-choice."""

    parses_tools = True

    def card(self, model: FakeModel) -> dict[str, Any]:
        """A model in the list; an adapter's has a parent and no context."""
        return {
            "id": model.name,
            "object": "model",
            "owned_by": "vllm",
            "root": f"{OWNERS_FOLDER}/{model.name}-{model.quantization}",
            "parent": model.parent,
            "max_model_len": None if model.parent else model.loaded_context,
            "permission": [],
        }

    async def answer_other(self, exchange: Exchange) -> None:
        """What only vLLM has."""
        match exchange.request.path:
            case "/version":
                await exchange.send_json({"version": "0.33.0"})
            case "/health":
                await exchange.send(b"", content_type="text/plain")
            case _:
                raise Refusal(404, {"detail": "Not Found"})

    def check(self, asked: dict[str, Any], *, chat: bool) -> None:
        """What it refuses, in its words."""
        if "suffix" in asked:
            raise refusal(400, "suffix is not currently supported")
        if "tool_choice" in asked and not asked.get("tools"):
            raise refusal(400, "When using `tool_choice`, `tools` must be set.")
        if asked.get("tools") and not self.parses_tools:
            raise refusal(
                400,
                '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser '
                "to be set",
            )

    def refusals(self) -> dict[Fault, Refusal]:
        """Its own words for a prompt that is too long; it listens only when the model is loaded."""
        text = "This model's maximum context length is 4096 tokens. However, your request has 5000."
        return {
            **super().refusals(),
            "locked": Refusal(401, {"error": "Unauthorized"}),
            "too-long": refusal(400, text),
        }
