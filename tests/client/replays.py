"""Replays for tests, made by the real recorder of documents as rigs send them."""

import json
from collections.abc import Sequence
from typing import Any, Final

from luckrig.client.history.recorder import Asked, Recorder
from luckrig.client.history.replay import (
    MAX_REPLAY_BYTES,
    Mode,
    Outcome,
    Replay,
    Rig,
    encode_replay,
    make_replay_id,
)
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


_WRITTEN: Final = encode_replay(make_replay())
_PLAIN: Final[dict[str, Any]] = json.loads(_WRITTEN)


def changed(**fields: Any) -> bytes:
    """A replay with other fields."""
    return json.dumps({**_PLAIN, **fields}).encode()


BROKEN: Final = [
    changed(schema_version=2),
    changed(schema_version="1"),
    changed(schema_version=None),
    changed(unknown=1),
    changed(replay_id="../../etc/passwd"),
    changed(replay_id="con"),
    changed(replay_id=""),
    changed(created_at=-1),
    changed(created_at="now"),
    changed(rig={"node_id": "n1", "model": "m"}),
    changed(rig={**_PLAIN["rig"], "vram_bytes": 2**60}),
    changed(rig={**_PLAIN["rig"], "more": 1}),
    changed(endpoint="http://evil.example/v1"),
    changed(mode="sealed"),
    changed(outcome="won"),
    changed(title="x" * 121),
    changed(request=[]),
    changed(request="{}"),
    changed(usage=[1]),
    changed(events=[[0, "text"]]),
    changed(events=[[0, "text", "a", 1]]),
    changed(events=[[0, "html", "a"]]),
    changed(events=[[-1, "text", "a"]]),
    changed(events=[[2, "text", "a"], [1, "text", "b"]]),
    changed(events={"0": "a"}),
    changed(queue=[[0, -1, None]]),
    changed(figures={**_PLAIN["figures"], "ttft_ms": -0.5}),
    changed(figures=None),
    _WRITTEN[:-1],
    _WRITTEN + b"{}",
    _WRITTEN[:-1] + b',"title":"again"}',
    _WRITTEN[:-1] + b',"\\u0074itle":"again"}',
    _WRITTEN.replace(b"The sky", b"The \xff\xfe"),
    _WRITTEN.replace(b"The sky", b"\\ud800"),
    changed(figures={"total_ms": 0}).replace(b'"total_ms": 0', b'"total_ms": NaN'),
    changed(created_at=0).replace(b'"created_at": 0', b'"created_at": 1e999'),
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"",
    b"null",
    b"\x00" * 1000,
    b" " * (MAX_REPLAY_BYTES + 1),
]
"""What no reader takes for a replay."""
