"""What to type to get an engine, on this kind of machine."""

from typing import Final, NamedTuple

from luckrig.protocol.descriptor import Hardware


class Recipe(NamedTuple):
    """why: one sentence. commands: to copy, in order; the model's name comes last."""

    why: str
    commands: tuple[str, ...]


_OLLAMA: Final = {
    "Linux": "curl -fsSL https://ollama.com/install.sh | sh",
    "Darwin": "brew install ollama && brew services start ollama",
    "Windows": "winget install Ollama.Ollama",
}


def recipe(system: str, hardware: Hardware, model: str) -> Recipe:
    """How to get ollama with one model. system: as platform.system()."""
    install = _OLLAMA.get(system)
    if install is None:
        why = f"There is no ready ollama for {system or 'this system'}: build llama.cpp's server."
        return Recipe(why, ("https://github.com/ggml-org/llama.cpp/blob/master/docs/build.md",))
    return Recipe(_why(system, hardware), (install, f"ollama pull {model}"))


def _why(system: str, hardware: Hardware) -> str:
    gpu = hardware.gpu
    if gpu is None:
        return "No GPU was found, so ollama runs models on the CPU: slowly, and rare on the map."
    if system == "Darwin":
        return f"ollama runs models on the {gpu} through Metal."
    if "nvidia" in gpu.casefold():
        return f"ollama runs models on the {gpu} through CUDA; its driver is here already."
    return f"ollama runs models on the {gpu} through ROCm or Vulkan, as far as it knows the card."
