"""What an engine's owner has to do when it can't be used, in words for a terminal. Pure.

| what is there                                   | what the owner is told                      |
|-------------------------------------------------|---------------------------------------------|
| nothing, or silence                             | start it; wait; is that the engine's port?  |
| loading, locked, no model                       | wait; LUCKRIG_ENGINE_KEY; how to get one    |
| a redirect, compression, a web page, a node proxy | the engine's own address instead          |
| an error, or an answer in no form that we know  | its log; is that the engine's port?         |

Nothing of an engine's answer is repeated: it may be anybody's, and a terminal obeys some bytes.
"""

import ssl
from typing import Final

from luckrig.nodeproxy.engines.base import EngineState
from luckrig.nodeproxy.upstream import Answer
from luckrig.protocol.descriptor import EngineKind
from luckrig.protocol.errors import UpstreamError

NOTHING_LISTENS: Final = "Nothing listens there. Start the engine, or give its address."
TOO_SLOW: Final = "It takes too long to answer. Try again when it is less busy, or restart it."

_NO_MODEL: Final[dict[EngineKind, str]] = {
    "ollama": "It has no model on this machine; those in ollama's cloud don't count. "
    "Get one: ollama pull qwen3:4b",
    "lm-studio": "It has no model. Download one in LM Studio.",
}
_OWN_ADDRESS: Final = "Give the engine's own address instead."


def why_silent(error: UpstreamError) -> str:
    """Why there was no answer. error: of nodeproxy.upstream."""
    cause = error.__cause__
    if error.code == "engine_error":  # whose text is ours: not HTTP, too large, broken off
        return f"What answers there is no engine that we know. {error.message}"
    if isinstance(cause, TimeoutError):
        return TOO_SLOW
    if isinstance(cause, ssl.SSLError):
        return "Its TLS certificate can't be verified, or it speaks no TLS: try http:// instead."
    if isinstance(cause, OSError | UnicodeError):
        return NOTHING_LISTENS
    return "It closes the connection without an answer. Is that the engine's port?"


def why_unknown(answer: Answer) -> str:
    """Why an answer is none of an engine's."""
    if is_luckrig(answer):
        return f"That is a rig's node proxy. {_OWN_ADDRESS}"
    if 300 <= answer.status < 400:
        return "It sends everybody to another address. Give that one instead."
    if answer.headers.get(b"content-encoding", b"identity") != b"identity":
        return f"It compresses its answers unasked, as proxies do. {_OWN_ADDRESS}"
    if answer.status == 403:
        return "It refuses this machine. Allow it in the engine's settings; ollama: OLLAMA_HOST."
    if answer.status >= 500:
        return f"It answers with an error, {answer.status}. Its log will say more."
    if _is_page(answer):
        return f"A web page answers there. {_OWN_ADDRESS}"
    return "What answers there tells no list of models in a form that we know. Is that the port?"


def what_to_do(state: EngineState) -> str | None:
    """What keeps an engine that was found from serving; None when nothing does."""
    if state.status == "loading":
        return "It is loading a model. Try again when it is ready."
    if state.status == "locked":
        return "It asks for a key. Put it into LUCKRIG_ENGINE_KEY."
    if state.status == "down":
        return TOO_SLOW
    if not state.offers:
        return _NO_MODEL.get(state.kind, "It has no model. Start it with one.")
    return None


def is_luckrig(answer: Answer) -> bool:
    """A node proxy in front of an engine isn't one: two in a row would answer for each other."""
    return any(name.startswith(b"luckrig-") for name in answer.headers)


def _is_page(answer: Answer) -> bool:
    kind = answer.headers.get(b"content-type", b"")
    return b"text/html" in kind or answer.body.lstrip()[:1] == b"<"
