"""A stand-in for llama-server, for what the real one can't be made to do. Shapes are its own."""

from typing import Any

from tests.fake_engines.knobs import OWNERS_FOLDER, TEMPLATE, FakeModel
from tests.fake_engines.openai_compatible import FakeOpenAi, refusal
from tests.fake_engines.wire import Exchange


class FakeLlamaServer(FakeOpenAi):
    """llama-server: /props, /slots, /health. Without an alias, so its model is called by a path."""

    lines = "Server: llama.cpp\r\n"
    open_paths = frozenset({"/health"})

    def card(self, model: FakeModel) -> dict[str, Any]:
        """A model in the list, with what it tells of it."""
        meta = {"n_ctx": model.loaded_context, "n_params": 4_022_468_096, "ftype": "Q4_K - Medium"}
        path = f"{OWNERS_FOLDER}/{model.name}.gguf"
        return {"id": path, "object": "model", "owned_by": "llamacpp", "meta": meta}

    async def answer_other(self, exchange: Exchange) -> None:
        """What only llama-server has."""
        slots = self.slots or 4
        context = self.models[0].loaded_context
        match exchange.request.path:
            case "/health":
                await exchange.send_json({"status": "ok"})
            case "/props":
                await exchange.send_json(
                    {
                        "default_generation_settings": {"n_ctx": context},
                        "total_slots": slots,
                        "model_path": f"{OWNERS_FOLDER}/{self.models[0].name}.gguf",
                        "model_ftype": "Q4_K - Medium",
                        "modalities": {"vision": False, "audio": False},
                        "chat_template": TEMPLATE,
                        "chat_template_caps": {"supports_tools": True},
                        "build_info": "b11549-abcdef",
                    }
                )
            case "/slots":
                await exchange.send_json(
                    [{"id": n, "is_processing": n < self.answering} for n in range(slots)]
                )
            case _:
                raise refusal(404, "File Not Found", "not_found_error")

    def end_of_usage(self, count: int) -> dict[str, Any]:
        """Its timings."""
        return {"timings": {"prompt_ms": 500.0, "predicted_n": count, "predicted_ms": 2000.0}}
