"""A client of subtext: seals what it asks of a rig, and opens what comes back."""

import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec

from luckrig.protocol.subtext.carrier import reply_frames, request_body
from luckrig.protocol.subtext.hpke import Kem, SealingPublicKey
from luckrig.protocol.subtext.items import Body, Item, ReplyHead
from luckrig.protocol.subtext.keyring import SEALING_PATH, SealingReply, verify_sealing_keys
from luckrig.protocol.subtext.reply import ReplyOpener
from luckrig.protocol.subtext.request import CARRIER_PATH, Binding, Inner, Sealed, seal_request
from tests.nodeproxy.rigs import NODE_ID, Rig

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
RESPONSES, EMBEDDINGS = "/v1/responses", "/v1/embeddings"


@dataclass
class Answer:
    """One opened answer. visible: the bytes that anybody in between saw of the body."""

    response: httpx2.Response
    visible: bytes
    head: ReplyHead
    body: bytes

    @property
    def json(self) -> Any:
        """The inner body."""
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """Status and code."""
        return self.head.status, self.json["error"]["code"]

    @property
    def documents(self) -> list[Any]:
        """The JSON documents of an inner stream."""
        lines = self.body.decode().split("\n")
        found = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        return [json.loads(each) for each in found if each != "[DONE]"]


@dataclass
class Opening:
    """A stream that is being read."""

    opener: ReplyOpener
    head: ReplyHead | None = None
    body: bytes = b""
    visible: bytes = b""
    frames: int = 0
    _line: bytes = field(default=b"", repr=False)

    def feed(self, data: bytes) -> None:
        """Take some bytes of a visible stream."""
        self.visible += data
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                self.take(line[6:])

    def take(self, document: bytes) -> None:
        """Take one visible document."""
        for frame in reply_frames(document):
            self.frames += 1
            for item in self.opener.feed(frame):
                self._note(item)

    def _note(self, item: Item) -> None:
        if isinstance(item, Body):
            self.body += item.data
        else:
            self.head = item


async def sealing_key(rig: Rig, kem: Kem = "x25519") -> SealingPublicKey:
    """The rig's key, as the rig signed it."""
    response = await rig.http.get(SEALING_PATH)
    assert response.status_code == 200
    reply = msgspec.json.decode(response.content, type=SealingReply)
    keys = verify_sealing_keys(reply.sealing, node_id=NODE_ID, now=time.time())
    return next(each.key for each in keys if each.key.kem == kem)


def seal(
    path: str,
    body: bytes | dict[str, Any],
    *,
    key: SealingPublicKey,
    token: str,
    node_id: str = NODE_ID,
    now: float | None = None,
) -> Sealed:
    """A request, sealed."""
    return seal_request(
        Inner(path, body if isinstance(body, bytes) else msgspec.json.encode(body)),
        key=key,
        binding=Binding(node_id, token),
        secret=secrets.token_bytes(32),
        now=time.time() if now is None else now,
    )


def carried(sealed: Sealed, *, stream: bool) -> bytes:
    """The visible body."""
    return request_body(sealed.payload, stream=stream, choice=secrets.randbelow(1000))


def is_streamed(body: bytes | dict[str, Any]) -> bool:
    return isinstance(body, dict) and bool(body.get("stream"))


async def ask(
    rig: Rig, path: str, body: bytes | dict[str, Any], *, stream: bool | None = None,
    kem: Kem = "x25519", token: str | None = None,
) -> Answer:  # fmt: skip
    """One sealed request, answered to its end."""
    token = token or rig.token
    sealed = seal(path, body, key=await sealing_key(rig, kem), token=token)
    streams = is_streamed(body) if stream is None else stream
    response = await rig.post(CARRIER_PATH, carried(sealed, stream=streams), token=token)
    return opened(response, sealed)


def opened(response: httpx2.Response, sealed: Sealed) -> Answer:
    """The whole answer, opened."""
    assert response.status_code == 200, response.text
    opening = Opening(ReplyOpener(sealed.secret, sealed.encapsulation))
    if response.headers["content-type"].startswith("text/event-stream"):
        opening.feed(response.content)
        assert response.content.endswith(b"data: [DONE]\n\n")
    else:
        opening.take(response.content)
    opening.opener.close()
    assert opening.head is not None
    return Answer(response, response.content, opening.head, opening.body)


@dataclass
class Live:
    """A sealed stream, read as it comes."""

    opening: Opening
    _parts: AsyncIterator[bytes]

    async def until(self, text: bytes) -> None:
        """Read on until the inner body holds the text."""
        while text not in self.opening.body:
            self.opening.feed(await anext(self._parts))

    async def rest(self) -> bytes:
        """Read to the end; the inner body."""
        async for part in self._parts:
            self.opening.feed(part)
        return self.opening.body


@asynccontextmanager
async def asking(
    rig: Rig, path: str, body: dict[str, Any], *, token: str | None = None
) -> AsyncGenerator[Live, None]:
    """A sealed stream; leaving the block leaves it."""
    token = token or rig.token
    sealed = seal(path, body, key=await sealing_key(rig), token=token)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    content = carried(sealed, stream=True)
    async with rig.http.stream("POST", CARRIER_PATH, content=content, headers=headers) as response:
        assert response.status_code == 200
        opening = Opening(ReplyOpener(sealed.secret, sealed.encapsulation))
        yield Live(opening, response.aiter_bytes())


def chat(rig: Rig, text: str = "Hello", **fields: Any) -> dict[str, Any]:
    """The body of a chat."""
    return {"model": rig.models[0], "messages": [{"role": "user", "content": text}]} | fields
