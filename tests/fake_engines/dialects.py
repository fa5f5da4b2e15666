"""All stand-ins by the name of their dialect, with the port that the engine itself uses."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tests.fake_engines.engine import FakeEngine
from tests.fake_engines.llama_server import FakeLlamaServer
from tests.fake_engines.lm_studio import FakeLmStudio
from tests.fake_engines.ollama import FakeOllama
from tests.fake_engines.openai_compatible import FakeOpenAi
from tests.fake_engines.vllm import FakeVllm


class FakeDialect(NamedTuple):
    """A stand-in's class and port."""

    engine_class: type[FakeEngine]
    port: int


DIALECTS: Final[Mapping[str, FakeDialect]] = {
    "ollama": FakeDialect(FakeOllama, 11434),
    "llama-server": FakeDialect(FakeLlamaServer, 8080),
    "lm-studio": FakeDialect(FakeLmStudio, 1234),
    "vllm": FakeDialect(FakeVllm, 8000),
    "generic": FakeDialect(FakeOpenAi, 5000),
}
