"""An untrained model and the shipped one, and how to start an engine on either."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

import pytest

from luckrig.engine.model_file import write_random_model
from luckrig.engine.process import EngineSpec, RunningEngine, start_engine

StartEngine: TypeAlias = Callable[..., AbstractAsyncContextManager[RunningEngine]]

SHIPPED_MODEL = Path(str(files("luckrig.engine"))) / "tiny.gguf"


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that loads like any other and answers gibberish."""
    path = tmp_path_factory.mktemp("model") / "random.gguf"
    write_random_model(path, seed=7)
    return path


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    """Where the engine's stderr goes."""
    return tmp_path / "engine.log"


@pytest.fixture
def random_engine(random_model: Path, log_path: Path) -> StartEngine:
    """`async with random_engine(slots=2)`: any field of EngineSpec."""

    def start(
        *, slots: int = 1, context_length: int = 512, embedding: bool = False
    ) -> AbstractAsyncContextManager[RunningEngine]:
        spec = EngineSpec(
            model_path=random_model,
            alias="random",
            slots=slots,
            context_length=context_length,
            embedding=embedding,
        )
        return start_engine(spec, log_path=log_path)

    return start
