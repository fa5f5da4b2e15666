"""A request's pieces wait for each other; an answer that came before all was read is still read."""

from typing import Any

import httpcore2

from luckrig.client.calling.connections import MAX_JOINED_BYTES, JoiningStream


class Wire(httpcore2.AsyncNetworkStream):
    """Keeps what is written. broken: the other side has hung up, after it answered."""

    def __init__(self, *, broken: bool = False) -> None:
        self.written: list[bytes] = []
        self._broken = broken

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return b"an answer"

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if self._broken:
            raise httpcore2.WriteError
        self.written.append(buffer)

    async def aclose(self) -> None:
        pass

    async def start_tls(self, *arguments: Any, **named: Any) -> httpcore2.AsyncNetworkStream:
        return self


async def test_what_is_written_goes_out_in_one_piece_before_an_answer_is_read() -> None:
    wire = Wire()
    stream = JoiningStream(wire)
    await stream.write(b"head")
    await stream.write(b"body")
    assert wire.written == []
    assert await stream.read(100) == b"an answer"
    assert await stream.read(100) == b"an answer"
    assert wire.written == [b"headbody"]


async def test_much_doesnt_wait() -> None:
    wire = Wire()
    stream = JoiningStream(wire)
    await stream.write(b"h")
    await stream.write(bytes(MAX_JOINED_BYTES))
    assert wire.written == [b"h" + bytes(MAX_JOINED_BYTES)]
    await stream.read(100)
    assert len(wire.written) == 1


async def test_a_rig_that_hung_up_may_have_answered_before() -> None:
    stream = JoiningStream(Wire(broken=True))
    await stream.write(b"a long request")
    assert await stream.read(100) == b"an answer"


async def test_joins_inside_tls_as_well() -> None:
    wire = Wire()
    stream = await JoiningStream(wire).start_tls(None)  # type: ignore[arg-type]
    await stream.write(b"head")
    assert wire.written == []
