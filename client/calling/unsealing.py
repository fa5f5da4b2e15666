"""A sealed answer as the plain one that is inside it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from luckrig.client.calling.sending import Incoming, lost, read_small, refusal
from luckrig.protocol.errors import PeerError, UpstreamError
from luckrig.protocol.events import SseSplitter
from luckrig.protocol.subtext.carrier import reply_frames
from luckrig.protocol.subtext.items import Body, Item, ReplyHead
from luckrig.protocol.subtext.reply import ReplyOpener
from luckrig.protocol.subtext.request import Sealed

MAX_DOCUMENT_BYTES: Final = 64 * 2**20
"""Of a sealed reply that isn't streamed: about 16 MiB of what is inside."""


async def unseal(incoming: Incoming, sealed: Sealed) -> Incoming:
    """The answer that the rig sealed: its real status, headers and body.

    Anything but 200 is in plain, from a rig that couldn't open the request or from anybody on the
    way: its code and text are raised, and nothing of it is a reply. Raises LuckrigError
    sealed_invalid for what doesn't open, too, and rig_lost when it breaks before the head;
    afterwards the body's pieces raise them. A cut that nobody signed for isn't an end.
    """
    if incoming.status != 200:
        raise refusal(incoming, await read_small(incoming))
    items = _items(incoming, ReplyOpener(sealed.secret, sealed.encapsulation))
    head = await anext(items, None)
    if not isinstance(head, ReplyHead):
        raise PeerError("sealed_invalid", "The sealed reply has no head.")
    headers = {**head.headers, "content-type": head.content_type}
    return Incoming(status=head.status, headers=headers, pieces=_body(items), close=incoming.close)


async def _body(items: AsyncIterator[Item]) -> AsyncGenerator[bytes]:
    async for item in items:
        if isinstance(item, Body):
            yield item.data


async def _items(incoming: Incoming, opener: ReplyOpener) -> AsyncGenerator[Item]:
    async for document in _documents(incoming):
        for frame in reply_frames(document):
            for item in opener.feed(frame):
                yield item
    opener.close()


async def _documents(incoming: Incoming) -> AsyncGenerator[bytes]:
    """The JSON documents of a stream, or the one of a reply that isn't."""
    if not incoming.is_events:
        whole = bytearray()
        async for piece in incoming.pieces:
            whole += piece
            if len(whole) > MAX_DOCUMENT_BYTES:
                raise lost(f"sends a sealed reply of more than {MAX_DOCUMENT_BYTES} bytes")
        # It may be long, and is read in one piece: let others run before.
        await asyncio.sleep(0)
        yield bytes(whole)
        return
    splitter = SseSplitter()
    async for piece in incoming.pieces:
        try:
            events = splitter.feed(piece)
        except UpstreamError as error:
            raise lost("sends an event that is too long") from error
        for event in events:
            if event.data != b"[DONE]":
                yield event.data
