"""What an engine's error answers mean for the client.

| the engine says                          | the client gets                               |
|------------------------------------------|-----------------------------------------------|
| 503 "Loading model"                      | engine_loading, retry after 2 s               |
| 503 or 429 otherwise ("server busy")     | engine_unavailable, retry after 5 s           |
| 401                                      | engine_unavailable: the owner's key is missing |
| 404 and it is about the model            | model_not_found                               |
| 4xx and the context is too small         | context_length_exceeded                       |
| 400, 413, 422                            | invalid_request, with a sanitised reason      |
| 501                                      | unsupported_parameter                         |
| anything else                            | engine_error                                  |
"""

import re
from typing import Final

import msgspec

from luckrig.protocol.errors import LuckrigError, PeerError, UpstreamError

MAX_REASON_CHARS: Final = 200
_MAX_BODY_BYTES: Final = 64 * 1024
_CUT: Final = "\N{HORIZONTAL ELLIPSIS}"

_CONTEXT: Final = re.compile(
    r"context (?:size|length|window)|context_length|longer than the context|prompt is too long",
    re.IGNORECASE,
)
# An engine may quote what it was sent. Between quotes only what looks like a field survives.
_QUOTED: Final = re.compile(r"""(?<!\w)(["'`])(.*?)(?:\1|$)""")
_FIELD: Final = re.compile(r"[a-z_]{1,32}")
_INPUT: Final = re.compile(r"\binput(?:_value)?\s*[=:].*", re.IGNORECASE)
_PATH: Final = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][^\s\\/'\"]+){2,}[\\/]?|~[\\/]\S+")


class _Error(msgspec.Struct):
    message: str = ""
    type: str | None = None
    n_prompt_tokens: int | None = None
    n_ctx: int | None = None


class _Body(msgspec.Struct):
    """OpenAI's form, ollama's ({"error": text}) and older ones ({"message": text})."""

    error: _Error | str | None = None
    message: str = ""


def explain(status: int, body: bytes) -> LuckrigError:
    """Turn an engine's error answer into ours. Its text reaches the client only sanitised."""
    error = _read(body)
    if status == 401:
        return UpstreamError(
            "engine_unavailable",
            "The rig's owner must give the proxy the engine's key.",
            retry_after_seconds=60,
        )
    if status in (429, 503):
        return _try_later(error.message)
    if 400 <= status <= 500 and _is_about_context(error):
        return _context_exceeded(error)
    if status == 404 and "model" in error.message.lower():
        return PeerError("model_not_found", "The rig's engine doesn't have that model any more.")
    if status in (400, 413, 422):
        reason = sanitise(error.message) or "it doesn't say why."
        return PeerError("invalid_request", f"The rig's engine refuses the request: {reason}")
    if status == 501:
        return PeerError("unsupported_parameter", "The rig's engine doesn't support this request.")
    return UpstreamError("engine_error", "The rig's engine failed on this request.")


def sanitise(text: str) -> str:
    """One printable line of at most MAX_REASON_CHARS, without paths and without quotations."""
    line = text.strip().partition("\n")[0]
    line = "".join(character if character.isprintable() else " " for character in line)
    line = _QUOTED.sub(lambda quote: quote[0] if _FIELD.fullmatch(quote[2]) else _CUT, line)
    line = _PATH.sub(_CUT, _INPUT.sub("", line))
    return " ".join(line.split())[:MAX_REASON_CHARS]


def _read(body: bytes) -> _Error:
    """The error in an answer; an empty one if there is none to be read.

    ollama from 0.34 passes its llama-server's answer on as a JSON text inside {"error": …}.
    """
    text = ""
    for _ in range(2):
        try:
            found = msgspec.json.decode(body[:_MAX_BODY_BYTES], type=_Body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return _Error()
        if isinstance(found.error, _Error):
            return found.error
        text = found.error or found.message
        if not text.startswith("{"):
            break
        body = text.encode()
    return _Error(message=text)


def _is_about_context(error: _Error) -> bool:
    return error.type == "exceed_context_size_error" or bool(_CONTEXT.search(error.message))


def _context_exceeded(error: _Error) -> PeerError:
    text = "The prompt doesn't fit the context that this rig gives a request."
    if error.n_prompt_tokens is not None and error.n_ctx is not None:
        text = (
            f"The prompt has {error.n_prompt_tokens} tokens, and a request on this rig "
            f"gets a context of {error.n_ctx}. Send a shorter one."
        )
    return PeerError("context_length_exceeded", text)


def _try_later(message: str) -> UpstreamError:
    if "loading" in message.lower():
        return UpstreamError(
            "engine_loading", "The rig's engine is loading the model.", retry_after_seconds=2
        )
    return UpstreamError("engine_unavailable", "The rig's engine is busy.", retry_after_seconds=5)
