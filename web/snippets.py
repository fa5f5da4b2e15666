"""Commands and code that people paste into a terminal.

Model names come from strangers: each is quoted for the language it lands in (shell, JSON, Python),
so that no name can become a command.
"""

import json
import shlex
from dataclasses import dataclass
from typing import Final

from luckrig.protocol.descriptor import Capability, Offer
from luckrig.protocol.wire import NodeView
from luckrig.web.pages import badge_path, node_path

TOKEN_VARIABLE: Final = "LUCKRIG_TOKEN"
_PROMPT: Final = "Name one good thing about old GPUs."


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippets:
    """How to use one rig. token: puts a key for the rig into TOKEN_VARIABLE. badge: Markdown.

    javascript: a module for Node.js. connect: starts the sidecar; pinned_model: what an app that
    uses it asks for, to reach this very rig.
    """

    model: str
    token: str
    curl: str
    python: str
    javascript: str
    connect: str
    pinned_model: str
    badge: str


def make_snippets(node: NodeView, *, tracker: str) -> Snippets:
    """tracker: its address. For the rig's first offer that can chat; else complete; else embed."""
    offer, kind = _choose(node.offers)
    return Snippets(
        model=offer.model,
        token=_token(node.id, tracker),
        curl=_curl(node.base_url, offer.model, kind),
        python=_python(node.base_url, offer.model, kind),
        javascript=_javascript(node.base_url, offer.model, kind),
        connect=f"luckrig connect --tracker {shlex.quote(tracker)}",
        pinned_model=f"{offer.model}@{node.id}",
        badge=_badge(node.id, tracker.partition("#")[0]),
    )


def _badge(node_id: str, origin: str) -> str:
    """Nothing that a stranger wrote."""
    picture, page = f"{origin}{badge_path(node_id)}", f"{origin}{node_path(node_id)}"
    return f"[![luckrig]({picture})]({page})"


def _token(node_id: str, tracker: str) -> str:
    command = f"luckrig token {shlex.quote(node_id)} --tracker {shlex.quote(tracker)}"
    return f'export {TOKEN_VARIABLE}="$({command})"'


def _choose(offers: list[Offer]) -> tuple[Offer, Capability]:
    kinds: tuple[Capability, ...] = ("chat", "completion", "embedding")
    for kind in kinds:
        for offer in offers:
            if kind in offer.capabilities:
                return offer, kind
    return offers[0], "chat"  # an engine that says nothing of its model most likely chats


def _curl(base_url: str, model: str, kind: Capability) -> str:
    path, body = _request(model, kind)
    fields = (f"    {_json(name)}: {_json(value)}" for name, value in body.items())
    text = "{\n" + ",\n".join(fields) + "\n  }"
    return (
        f"curl -N {shlex.quote(f'{base_url}/{path}')} \\\n"
        f'  -H "Authorization: Bearer ${TOKEN_VARIABLE}" \\\n'
        f"  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(text)}"
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _request(model: str, kind: Capability) -> tuple[str, dict[str, object]]:
    if kind == "embedding":
        return "embeddings", {"model": model, "input": _PROMPT}
    if kind == "completion":
        return "completions", {"model": model, "prompt": _PROMPT, "stream": True}
    messages = [{"role": "user", "content": _PROMPT}]
    return "chat/completions", {"model": model, "stream": True, "messages": messages}


_PYTHON_CALLS: Final[dict[Capability, tuple[str, str]]] = {
    "chat": (
        "chat.completions.create(\n    model={model},\n"
        '    messages=[{{"role": "user", "content": {prompt}}}],\n)',
        "choices[0].message.content",
    ),
    "completion": (
        "completions.create(\n    model={model},\n    prompt={prompt},\n)",
        "choices[0].text",
    ),
    "embedding": (
        "embeddings.create(\n    model={model},\n    input={prompt},\n)",
        "data[0].embedding",
    ),
}


def _python(base_url: str, model: str, kind: Capability) -> str:
    call, result = _PYTHON_CALLS[kind]
    return (
        "import os\n"
        "from openai import OpenAI\n"
        "\n"
        "rig = OpenAI(\n"
        f"    base_url={_python_text(base_url)},\n"
        f'    api_key=os.environ["{TOKEN_VARIABLE}"],\n'
        ")\n"
        f"reply = rig.{call.format(model=_python_text(model), prompt=_python_text(_PROMPT))}\n"
        f"print(reply.{result})"
    )


def _python_text(text: str) -> str:
    """A Python literal; double quotes where the text has neither quote nor backslash."""
    plain = text.isprintable() and not any(mark in text for mark in "\"'\\")
    return f'"{text}"' if plain else repr(text)


def _javascript(base_url: str, model: str, kind: Capability) -> str:
    path, body = _request(model, kind)
    # Python's snippet has the same calls, in words of its own.
    fields = "".join(
        f"  {name}: {_javascript_value(value)},\n"
        for name, value in body.items()
        if name != "stream"
    )
    return (
        'import OpenAI from "openai";\n'
        "\n"
        "const rig = new OpenAI({\n"
        f"  baseURL: {_javascript_text(base_url)},\n"
        f"  apiKey: process.env.{TOKEN_VARIABLE},\n"
        "});\n"
        f"const reply = await rig.{path.replace('/', '.')}.create({{\n{fields}}});\n"
        f"console.log(reply.{_PYTHON_CALLS[kind][1]});"
    )


def _javascript_value(value: object) -> str:
    if isinstance(value, str):
        return _javascript_text(value)
    return f'[{{ role: "user", content: {_javascript_text(_PROMPT)} }}]'


def _javascript_text(text: str) -> str:
    """A JavaScript literal; what a page would have to hide or replace is written as escapes."""
    return json.dumps(text, ensure_ascii=not text.isprintable())
