"""One request at one rig, up to the first byte of its reply."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec

from luckrig.client.calling.rig_map import API_PATH
from luckrig.client.calling.rig_tokens import RigTokens
from luckrig.client.calling.sealing import SealingKeys, seal
from luckrig.client.calling.sending import (
    Incoming,
    Outgoing,
    Sender,
    lost,
    read_small,
    refusal,
)
from luckrig.client.calling.unsealing import unseal
from luckrig.client.calls import Ask
from luckrig.client.transport import one_line
from luckrig.protocol.errors import CODES, LuckrigError, PeerError
from luckrig.protocol.events import plain_documents
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.proofs import make_proof
from luckrig.protocol.subtext.request import CARRIER_PATH, Binding, Inner, Sealed
from luckrig.protocol.wire import ErrorBody, NodeView

_RENEWED: Final = frozenset(("token_expired", "token_invalid"))
_NAMED_ERROR: Final = b"event: error\n"
_ELSEWHERE: Final = frozenset(("model_not_found", "node_not_found", "node_offline", "rig_lost"))
"""Below 500, and yet another rig may answer."""


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Answer:
    """A rig's answer that is for the user. first: the beginning of its body. token: used for it.

    sent_at: by the monotonic clock.
    """

    incoming: Incoming
    first: bytes
    token: str
    sent_at: float


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """What an attempt needs. clock: Unix seconds. random_bytes, new_jti: secret and fresh."""

    sender: Sender
    tokens: RigTokens
    keys: SealingKeys
    user_key: PrivateKey
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    new_jti: Callable[[], str]
    random_bytes: Callable[[int], bytes]

    async def make(self, ask: Ask, rig: NodeView, model: str) -> Answer:
        """The rig's answer, with the first byte of its body.

        rig: as it signed itself. Raises LuckrigError when this rig gives none and another may, such
        as unsupported_parameter for one that doesn't seal, or that is no place for plain text. A
        token that the rig doesn't take is renewed once, and so is a sealing key.
        """
        # Before a token is asked for that would be of no use.
        if ask.wanted.subtext:
            await self.keys.get(_endpoint(rig), rig.id)
        elif is_readable_on_the_way(_endpoint(rig)):
            raise PeerError(
                "unsupported_parameter",
                "This rig has no https: anybody on the way could read a plain request. Seal it.",
                param="luckrig.subtext",
            )
        renewed: set[str] = set()
        while True:
            token = (await self.tokens.get(rig)).token
            try:
                return await self._make(ask, rig, model, token)
            except LuckrigError as error:
                if error.code in renewed:
                    raise
                renewed.add(error.code)
                if error.code in _RENEWED:
                    self.tokens.refused(rig, token)
                elif error.code == "sealing_key_unknown":
                    self.keys.forget(rig.id)
                else:
                    raise

    async def _make(self, ask: Ask, rig: NodeView, model: str, token: str) -> Answer:
        endpoint = _endpoint(rig)
        body = msgspec.json.encode({**ask.body, "model": model})
        path, sealed = ask.path, None
        if ask.wanted.subtext:
            sealed, body = await self._seal(ask, endpoint, rig.id, token, body)
            path = CARRIER_PATH
        outgoing = self._outgoing(endpoint + path, body, token)
        limits = self.sender.deadlines
        seconds = limits.first_byte if ask.is_stream else limits.whole
        sent_at = self.monotonic()
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(outgoing, sealed, token, sent_at)
        except TimeoutError as error:
            raise lost(f"sent nothing for {seconds:g} s") from error

    async def _seal(
        self, ask: Ask, endpoint: str, node_id: str, token: str, body: bytes
    ) -> tuple[Sealed, bytes]:
        key = await self.keys.get(endpoint, node_id)
        return seal(
            Inner(ask.path, body),
            key=key,
            binding=Binding(node_id, token),
            stream=ask.is_stream,
            random_bytes=self.random_bytes,
            now=self.clock(),
        )

    def _outgoing(self, url: str, body: bytes, token: str) -> Outgoing:
        proof = make_proof(
            key=self.user_key,
            method="POST",
            url=url,
            body=body,
            now=self.clock(),
            jti=self.new_jti(),
            access_token=token,
        )
        headers = {
            "authorization": f"DPoP {token}",
            "dpop": proof,
            "content-type": "application/json",
        }
        return Outgoing(url=url, headers=headers, body=body)

    async def _exchange(
        self, outgoing: Outgoing, sealed: Sealed | None, token: str, sent_at: float
    ) -> Answer:
        raw = await self.sender.open(outgoing)
        try:
            incoming = raw if sealed is None else await unseal(raw, sealed)
            if incoming.status == 200:
                first = await anext(incoming.pieces, b"")
                if not first:
                    raise lost("ended its reply before it began")
                if incoming.is_events:
                    _raise_if_it_begins_with_an_error(first)
            else:
                first = await read_small(incoming)
                _raise_if_the_rigs_own(incoming, first)
            return Answer(incoming=incoming, first=first, token=token, sent_at=sent_at)
        except BaseException:  # a cancelled request must end at the rig, too
            await raw.close()
            raise


def is_readable_on_the_way(endpoint: str) -> bool:
    """Whether a request leaves this machine's own network without TLS. endpoint: an http(s) URL.

    A name without a dot, or one of .local, is never looked up in the Internet's DNS.
    """
    url = urlsplit(endpoint)
    host = url.hostname or ""
    if url.scheme == "https":
        return False
    try:
        return not ip_address(host).is_private
    except ValueError:
        return "." in host and not host.endswith((".local", ".localhost"))


def _endpoint(rig: NodeView) -> str:
    return rig.base_url.removesuffix(API_PATH)


class _ErrorEvent(msgspec.Struct):
    error: ErrorBody


def _raise_if_it_begins_with_an_error(first: bytes) -> None:
    """A stream that says nothing but that it failed: as good as a status, as long as it is first.

    After a comment about the queue it is too late: that byte went out.
    """
    event = first[: first.find(b"\n\n") + 2]
    for document in plain_documents(event.removeprefix(_NAMED_ERROR)):
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # /v1/responses has the error's fields in the event itself, beside its type.
            if event.startswith(_NAMED_ERROR):
                told = msgspec.json.decode(document, type=ErrorBody)
            else:
                told = msgspec.json.decode(document, type=_ErrorEvent).error
            if told.code in CODES and CODES[told.code].status >= 429:
                raise LuckrigError(told.code, one_line(told.message))


def _raise_if_the_rigs_own(incoming: Incoming, body: bytes) -> None:
    """Raises the rig's error unless it is about the request, which other rigs would refuse too."""
    error = refusal(incoming, body)
    of_the_rig = incoming.status >= 500 or incoming.status in (401, 409, 429)
    if of_the_rig or incoming.status < 400 or error.code in _ELSEWHERE:
        raise error
