"""What an engine's error answers become, and what of their text may leave the rig."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luckrig.nodeproxy.engines.faults import MAX_REASON_CHARS, explain, sanitise
from luckrig.protocol.errors import PeerError, UpstreamError

TOO_LONG = "context_length_exceeded"
OVERFLOW = {
    "code": 400,
    "message": "request (8003 tokens) exceeds the available context size (1024 tokens)",
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 8003,
    "n_ctx": 1024,
}


def error(message: str, kind: str = "invalid_request_error") -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


@pytest.mark.parametrize(
    ("status", "body", "code", "retry_after_seconds"),
    [
        (503, error("Loading model", "unavailable_error"), "engine_loading", 2),
        (503, {"error": "server busy, please try again."}, "engine_unavailable", 5),
        (503, "<html>", "engine_unavailable", 5),
        (429, error("too many"), "engine_unavailable", 5),
        (401, error("Invalid API Key"), "engine_unavailable", 60),
        (404, {"error": "model 'x' not found"}, "model_not_found", None),
        (404, error("File Not Found"), "engine_error", None),
        (400, {"error": OVERFLOW}, TOO_LONG, None),
        (500, {"error": "the input length exceeds the context length"}, TOO_LONG, None),
        (400, error("This model's maximum context length is 4096 tokens."), TOO_LONG, None),
        (400, {"error": "the prompt is longer than the context length now"}, TOO_LONG, None),
        (400, {"object": "error", "message": "bad top_k"}, "invalid_request", None),
        (422, {"detail": [{"loc": ["body"], "msg": "x"}]}, "invalid_request", None),
        (501, error("embeddings are off"), "unsupported_parameter", None),
        (500, error("CUDA out of memory"), "engine_error", None),
        (302, {}, "engine_error", None),
    ],
)
def test_each_answer_of_an_engine_has_a_meaning(
    status: int, body: object, code: str, retry_after_seconds: int | None
) -> None:
    fault = explain(status, msgspec.json.encode(body))
    assert (fault.code, fault.retry_after_seconds) == (code, retry_after_seconds)
    assert isinstance(fault, PeerError if fault.status in (400, 404) else UpstreamError)


@pytest.mark.parametrize(
    "body", [{"error": OVERFLOW}, {"error": msgspec.json.encode({"error": OVERFLOW}).decode()}]
)
def test_a_prompt_that_is_too_long_is_told_the_numbers(body: object) -> None:
    """ollama from 0.34 wraps llama-server's answer in a string."""
    fault = explain(400, msgspec.json.encode(body))
    assert fault.message == (
        "The prompt has 8003 tokens, and a request on this rig gets a context of 1024. "
        "Send a shorter one."
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Expected 'messages' to be an array", "Expected 'messages' to be an array"),
        ("failed to open /home/ada/models/x.gguf now", "failed to open … now"),
        (r"no file C:\Users\Ada\x.gguf", "no file …"),
        ("no file ~/models", "no file …"),
        ("last read: 'tell me a secret' here", "last read: … here"),
        ('bad value "tell me a secret', "bad value …"),
        ("This model's limit isn't 'Hunter2'", "This model's limit isn't …"),
        ("Input should be a string, input_value='secret words'", "Input should be a string,"),
        ("first\nsecond line", "first"),
        ("a\x00b\u202ec\td", "a b c d"),
        ("", ""),
    ],
)
def test_reasons_are_short_and_keep_paths_and_quotations_here(text: str, shown: str) -> None:
    assert sanitise(text) == shown


@given(st.text(max_size=600))
def test_no_reason_is_long_or_unprintable(text: str) -> None:
    shown = sanitise(text)
    assert len(shown) <= MAX_REASON_CHARS
    assert shown.isprintable()


@given(st.integers(100, 599), st.binary(max_size=300))
def test_no_answer_makes_the_explanation_fail(status: int, body: bytes) -> None:
    assert explain(status, body).message
