"""A rig for stock clients: the real llama.cpp on the tiny model, with tools and embeddings.

The tiny model was never taught to call anything, so two things help it: a chat template that knows
tools, and a `logit_bias` for "{", which is how a call begins there. From that sign on llama.cpp's
own grammar allows nothing but a call that follows the tool's schema.
"""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gguf
from gguf.scripts.gguf_new_metadata import MetadataDetails, copy_with_new_metadata

from luckrig.engine.process import EngineSpec, start_engine
from luckrig.engine.tiny import TINY_MODEL
from tests.nodeproxy.rigs import make_token, running_rig

MODEL: Final = "tiny"
START_SECONDS: Final = 15.0

TEMPLATE: Final = """\
{{- bos_token -}}
{%- if tools -%}<|system|>{{- tools | tojson -}}{%- endif -%}
{%- for message in messages -%}
  {%- if message['role'] == 'tool' -%}<|tool|>{{- message['content'] -}}
  {%- elif message['role'] == 'assistant' -%}<|assistant|>
    {%- for call in message['tool_calls'] or [] -%}
      {"name": "{{ call['function']['name'] }}", "arguments": \
{{ call['function']['arguments'] | tojson }}}
    {%- endfor -%}
    {%- if not message['tool_calls'] -%}{{- message['content'] -}}{%- endif -%}
    {{- eos_token -}}
  {%- elif message['role'] == 'system' -%}<|system|>{{- message['content'] -}}
  {%- else -%}<|user|>{{- message['content'] -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}
"""


@dataclass(frozen=True)
class StockRig:
    """What clients are told of it, or of the sidecar through which they use it.

    call: fields of a chat that make the model call a tool. models: what is listed. token: makes a
    new one, for they live five minutes, the rig as long as the session.
    """

    base_url: str
    engine_url: str
    call: dict[str, Any]
    models: list[str]
    token: Callable[[], str]


def write_model(path: Path) -> int:
    """The tiny model with TEMPLATE; returns the token of "{"."""
    reader = gguf.GGUFReader(TINY_MODEL)
    writer = gguf.GGUFWriter(path, "llama")
    template = MetadataDetails(gguf.GGUFValueType.STRING, TEMPLATE)
    copy_with_new_metadata(reader, writer, {gguf.Keys.Tokenizer.CHAT_TEMPLATE: template}, [])
    tokens = reader.fields[gguf.Keys.Tokenizer.LIST]
    texts = [bytes(tokens.parts[at]) for at in tokens.data]
    return texts.index(b"{")


@contextmanager
def running_stock_rig(folder: Path) -> Generator[StockRig, None, None]:
    """Engine and rig in a thread of their own, so that synchronous clients can be tested too."""
    model = folder / "tools.gguf"
    brace = write_model(model)
    started: list[StockRig] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    spec = EngineSpec(model_path=model, alias=MODEL, slots=2, context_length=1024, embedding=True)
    call = {"tool_choice": "required", "logit_bias": {str(brace): 100}}

    async def serve() -> None:
        async with (
            start_engine(spec, log_path=folder / "engine.log") as engine,
            running_rig(engine.url) as rig,
        ):
            started.append(StockRig(f"{rig.origin}/v1", engine.url, call, [MODEL], make_token))
            ready.set()
            await stop.wait()

    def work() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            ready.set()
            loop.close()

    thread = threading.Thread(target=work, name="stock rig")
    thread.start()
    try:
        ready.wait(START_SECONDS)
        yield started[0]
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        thread.join()
