"""Single operations of subtext: for `python -m bench micro`."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from bench.mock_engine import Replies
from luckrig.protocol.subtext.carrier import CarrierWriter
from luckrig.protocol.subtext.codec import REPLY, Frame, from_selectors, to_selectors
from luckrig.protocol.subtext.hpke import SEED_BYTES, Kem, SealingPrivateKey
from luckrig.protocol.subtext.items import ItemWriter
from luckrig.protocol.subtext.reply import ReplyOpener, ReplySealer
from luckrig.protocol.subtext.request import Binding, Inner, open_request, seal_request

NOW: Final = 1_790_000_000
MEGABYTE: Final = 1_000_000
FLUSH_EVENTS: Final = 8
_KEMS: Final[tuple[Kem, ...]] = ("x25519", "mlkem768-x25519")

Operation = tuple[str, Callable[[], object]]


def operations() -> Iterator[Operation]:
    """A megabyte in n µs is 10^6/n MB/s."""
    data = Random(1).randbytes(MEGABYTE)  # noqa: S311 -- the same each time
    text = to_selectors(data)
    yield "subtext: 1 MB to selectors", lambda: to_selectors(data)
    yield "subtext: 1 MB from selectors", lambda: from_selectors(text)
    for kem in _KEMS:
        yield from _request(kem)
    yield from _reply()


def _request(kem: Kem) -> Iterator[Operation]:
    key = SealingPrivateKey(kem, Random(1).randbytes(SEED_BYTES[kem]))  # noqa: S311 -- no secret
    binding = Binding("n1" + "a" * 32, "token" * 80)
    inner = Inner("/v1/chat/completions", b"x" * 4000)

    def seal() -> bytes:
        secret = bytes(32)
        return seal_request(inner, key=key.public, binding=binding, secret=secret, now=NOW).payload

    payload = seal()
    yield f"subtext: seal 4 KiB, {kem}", seal
    yield (
        f"subtext: open 4 KiB, {kem}",
        lambda: open_request(payload, key=key, binding=binding, now=NOW),
    )


def _reply() -> Iterator[Operation]:
    replies = Replies(20)
    events = [
        replies.token("burst", f" tok{number:03}").split(b"\r\n", 1)[1].removesuffix(b"\r\n")
        for number in range(FLUSH_EVENTS)
    ]
    writer, sealer = ItemWriter(), ReplySealer(bytes(32), bytes(32), bytes(32))
    writer.head(200, "text/event-stream", {})
    carrier = CarrierWriter("a" * 22, NOW)

    def flush() -> bytes:
        for event in events:
            sealer.add(writer.body(event))
        return carrier.event(sealer.next_frame())

    yield f"subtext: {FLUSH_EVENTS} events to one sealed event", flush
    sealed = ReplySealer(bytes(32), bytes(32), bytes(32))
    head = ItemWriter().head(200, "text/event-stream", {})
    sealed.add(head)
    first = sealed.next_frame()
    yield (
        "subtext: keys of a reply, its first frame opened",
        lambda: ReplyOpener(bytes(32), bytes(32)).feed(Frame(REPLY, first.payload)),
    )
