"""A stand-in of each dialect, and what a rig in front of it has to say of it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from luckrig.protocol.descriptor import EngineKind
from tests.fake_engines.dialects import DIALECTS
from tests.fake_engines.engine import FakeEngine
from tests.fake_engines.knobs import MODEL, FakeModel
from tests.nodeproxy.rigs import Rig, running_rig

EMBEDDER: Final = FakeModel("nomic", capabilities=("embedding",), quantization="F16")


class Case(NamedTuple):
    """kind, quantization, context: what the rig publishes. refused: chats that this engine would
    ignore a field of, by the field. tells_skills: whether it says which models embed."""

    kind: EngineKind
    model: str = "stand-in"
    quantization: str | None = "Q4_K_M"
    context: int | None = 8_192
    refused: Mapping[str, dict[str, Any]] = {}
    refused_completions: Mapping[str, object] = {}
    tells_skills: bool = False
    has_named_choice: bool = True


_TOOL: Final[dict[str, Any]] = {"type": "function", "function": {"name": "f"}}
_OTHER: Final[dict[str, Any]] = {"type": "function", "function": {"name": "g"}}
TOOLS: Final = [_TOOL, _OTHER]
NAMED: Final[dict[str, Any]] = {"type": "function", "function": {"name": "g"}}
_ONE_BY_ONE: Final[dict[str, Any]] = {"tools": TOOLS, "parallel_tool_calls": False}
_IMAGE: Final[dict[str, Any]] = {
    "messages": [
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
        }
    ]
}
_NO_LOGPROBS: Final[dict[str, Any]] = {"top_logprobs": 2}

CASES: Final[Mapping[str, Case]] = {
    "ollama": Case(
        "ollama",
        model=MODEL,
        refused={
            "messages": _IMAGE,
            "tool_choice": {"tools": TOOLS, "tool_choice": "required"},
            "parallel_tool_calls": _ONE_BY_ONE,
            "logit_bias": {"logit_bias": {"1": 1}},
            "top_logprobs": _NO_LOGPROBS,
        },
        refused_completions={"logprobs": 1, "logit_bias": {"1": 1}},
        tells_skills=True,
        has_named_choice=False,
    ),
    "llama-server": Case(
        "llama-server",
        refused={"messages": _IMAGE, "top_logprobs": _NO_LOGPROBS},
        refused_completions={"suffix": "x"},
    ),
    "lm-studio": Case(
        "lm-studio",
        refused={
            "messages": _IMAGE,
            "logprobs": {"logprobs": True},
            "top_logprobs": _NO_LOGPROBS,
            "reasoning_effort": {"reasoning_effort": "low"},
            "parallel_tool_calls": _ONE_BY_ONE,
        },
        refused_completions={"suffix": "x", "logprobs": 1},
        tells_skills=True,
    ),
    "vllm": Case(
        "vllm",
        refused={"top_logprobs": _NO_LOGPROBS},
        refused_completions={"suffix": "x"},
    ),
    "generic": Case("openai-compatible", quantization=None, context=None),
}


@asynccontextmanager
async def rig_of(name: str, **settings: Any) -> AsyncGenerator[tuple[FakeEngine, Rig], None]:
    """A rig in front of the stand-in, which has a model that writes and one that embeds."""
    engine_class = DIALECTS[name].engine_class
    models = [FakeModel(CASES[name].model), EMBEDDER]
    async with (
        engine_class(models=models) as engine,
        running_rig(engine.url, **settings) as rig,
    ):
        engine.requests.clear()  # the survey
        yield engine, rig
