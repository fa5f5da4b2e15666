"""Replays for tests, made by the real recorder of documents as rigs send them."""

import json
from collections.abc import Sequence
from typing import Any

from luckrig.client.history.recorder import Asked, Recorder
from luckrig.client.history.replay import Mode, Outcome, Replay, Rig, make_replay_id
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey

CREATED_AT = 1_790_000_000.25
NODE_ID = derive_id("n1", PrivateKey(b"node" * 8).public)
RIG = Rig(
    node_id=NODE_ID,
    name="Attic 4090",
    gpu="NVIDIA GeForce RTX 4090",
    vram_bytes=24 << 30,
    engine="ollama",
    model="qwen3:8b",
    family="qwen3",
    quantization="Q4_K_M",
    context_length=32_768,
)
REQUEST = json.dumps(
    {
        "model": "qwen3:8b",
        "messages": [
            {"role": "system", "content": "Answer shortly."},
            {"role": "user", "content": "Why is the sky blue?\nIn one line."},
        ],
        "stream": True,
    }
).encode()


def asked(number: int = 0, **changes: Any) -> Asked:
    """A request; the number makes its id and its time."""
    at = CREATED_AT + number
    facts: dict[str, Any] = {
        "replay_id": make_replay_id(at, f"{number:06d}"),
        "created_at": at,
        "tracker": "https://tracker.example",
        "rig": RIG,
        "endpoint": "/v1/chat/completions",
        "request": REQUEST,
        "streamed": True,
    }
    return Asked(**{**facts, **changes})


def chunk(text: str = "", *, key: str = "content", **fields: Any) -> bytes:
    """A chunk of a chat."""
    choices = [{"index": 0, "delta": {key: text}}] if text else []
    return json.dumps({"choices": choices, **fields}).encode()


def last(tokens: int) -> bytes:
    """The document with usage and timing."""
    usage = {"prompt_tokens": 24, "completion_tokens": tokens, "total_tokens": 24 + tokens}
    timing = {"queue_ms": 2.5, "ttft_ms": 110.0, "tokens_per_second": 43.1, "streamed": True}
    return chunk(usage=usage, luckrig={"timing": timing, "receipt": "x"})


def make_replay(
    number: int = 0,
    *,
    texts: Sequence[str] = ("The sky ", "scatters ", "blue light.\n"),
    thought: str = "Rayleigh.",
    step: float = 0.05,
    outcome: Outcome = "complete",
    mode: Mode = "plain",
    **changes: Any,
) -> Replay:
    """A streamed chat: 150 ms to the first token, then a piece each step, in seconds."""
    recorder = Recorder(asked(number, mode=mode, **changes), sent_at=10.0)
    recorder.queued(1, 3.0, 10.05)
    at = 10.15
    if thought:
        recorder.see(chunk(thought, key="reasoning_content"), at)
    for text in texts:
        at += step
        recorder.see(chunk(text), at)
    recorder.see(last(len(texts) + 1), at + 0.01)
    recorder.see(b"[DONE]", at + 0.01)
    return recorder.end(outcome, at + 0.012)
