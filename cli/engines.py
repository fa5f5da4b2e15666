"""Which engine a command uses: one that runs here already, a given one, or the embedded one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from luckrig.cli.home import Home
from luckrig.cli.output import note
from luckrig.engine.process import EngineSpec, start_engine
from luckrig.engine.tiny import TINY_CONTEXT, TINY_MODEL
from luckrig.nodeproxy.engines.advice import what_to_do
from luckrig.nodeproxy.engines.detect import find_engines

TINY_SLOTS: Final = 2


@asynccontextmanager
async def chosen_engine(choice: str, home: Home) -> AsyncGenerator[str, None]:
    """The URL of an engine for the block's time. choice: auto, tiny, or a URL."""
    if choice not in ("auto", "tiny"):
        yield choice
        return
    if choice == "auto":
        for found in (await find_engines()).found:
            problem = what_to_do(found.state)
            if problem is None:
                note(f"Using the {found.state.kind} at {found.url}.")
                yield found.url
                return
            note(f"Not using the {found.state.kind} at {found.url}. {problem}")
    spec = EngineSpec(
        model_path=TINY_MODEL, alias="tiny", slots=TINY_SLOTS, context_length=TINY_CONTEXT
    )
    logs = home.path / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with start_engine(spec, log_path=logs / "engine.log") as engine:
        yield engine.url
