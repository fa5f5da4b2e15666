"""What goes on without being decoded is what decoding would have let through, to the byte."""

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from luckrig.nodeproxy.engines.chunks import SseDecoder
from luckrig.nodeproxy.engines.plain import cast_mould
from luckrig.protocol.errors import LuckrigError

MODEL = "m"


def _document(text: bytes, extra: bytes = b"", *, space: bytes = b"", created: int = 1) -> bytes:
    """text: as it stands between the quotes, valid or not."""
    return (
        b'{"choices":[{"finish_reason":null,"index":0,"delta":{"content":%b"%b"}}],'
        b'"created":%d,"model":"m"%b}' % (space, text, created, extra)
    )


ROLE = b'{"choices":[{"index":0,"delta":{"role":"assistant","content":null}}],"model":"m"}'
FINISH = b'{"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"model":"m"}'
OTHER_MODEL = b'{"choices":[{"index":0,"delta":{"content":"a"}}],"model":"other"}'

texts = st.one_of(
    st.text(max_size=6).map(lambda text: msgspec.json.encode(text)[1:-1]),
    st.sampled_from(
        [
            b"a",
            b"",
            b"\\n",
            b'\\"',
            b"\\\\",
            b"\\u00e9",
            b"\\ud800",
            b"\\",
            b"\\x",
            b'"',
            b'","a":"',
        ]
    ),
    st.sampled_from(
        [b"\xc3", b"\xa9", b"\x00", b"\t", b"\x7f", b"\xed\xa0\x80", b'"}}],"x":[{"y":"']
    ),
    st.binary(max_size=4),
)
documents = st.one_of(
    texts.map(_document),
    texts.map(_document),
    texts.map(lambda text: _document(text, space=b" ")),
    texts.map(lambda text: _document(text, b',"x":{"content":"a"}')),
    texts.map(lambda text: _document(text, created=2)),
    st.sampled_from([ROLE, FINISH, OTHER_MODEL, b"[DONE]", b"{}", b"nonsense"]),
)
frames = documents.map(lambda document: b"data: " + document + b"\n\n")
strange = st.sampled_from([b": comment\n\n", b"\n", b"data: ", b"event: x\ndata: {}\n\n", b"\r\n"])
streams = st.lists(st.one_of(frames, frames, frames, strange), max_size=12).map(b"".join)


class _NoMould(SseDecoder):
    """Decodes every chunk."""

    def __init__(self) -> None:
        super().__init__(model=MODEL)
        self._moulds_left = 0


@given(streams)
@example(b"".join(b"data: " + _document(text) + b"\n\n" for text in (b"a", b"b", b"\xc3", b"\xa9")))
@example(b"".join(b"data: " + _document(text) + b"\n\n" for text in (b"a", b"", b"\\u0062", b"c")))
@example(b"data: " + _document(b"a") + b"\n\ndata: " + _document(b'b"}}],"created":2,"model":"m"}'))
def test_moulds_say_what_decoding_says(data: bytes) -> None:
    assert SseDecoder(model=MODEL).plain(data) == _NoMould().plain(data)


@given(streams, st.data())
def test_any_split_of_the_bytes_gives_the_same_bytes_and_tokens(
    data: bytes, draw: st.DataObject
) -> None:
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=5)))
    pieces = [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert _passed_on(SseDecoder(model=MODEL), pieces) == _passed_on(_NoMould(), pieces)


def _passed_on(decoder: SseDecoder, pieces: list[bytes]) -> tuple[list[bytes], int, str]:
    """What relay_bytes would do with them: (bytes, pieces of text, how it ended)."""
    sent: list[bytes] = []
    tokens = 0
    for piece in pieces:
        pieces_of_text, length = decoder.plain(piece)
        tokens += pieces_of_text
        sent.append(piece[:length])
        try:
            found = decoder.feed(piece[length:]) if length < len(piece) else []
        except LuckrigError as error:
            return sent, tokens, error.code
        sent += [chunk.raw for chunk in found]
        tokens += sum(bool(chunk.text) for chunk in found)
    return sent, tokens, ""


def test_a_run_of_alike_chunks_is_seen_at_once() -> None:
    mould = cast_mould(_document(b"first"), "first")
    assert mould is not None
    data = b"".join(b"data: " + _document(b"tok%d" % n) + b"\n\n" for n in range(100))
    rest = b"data: " + FINISH + b"\n\n"
    assert mould.run(data + rest, 0) == (100, len(data))
    assert mould.run(data + rest, len(data)) == (0, len(data))


@pytest.mark.parametrize(
    "document",
    [
        _document(b"a", b',"x":{"content":"a"}'),
        _document(b"a", b',"x":"\\\\"'),
        b'{"choices":[{"index":0,"delta":{"content"  :  "a"}}],"model":"m"}',
    ],
)
def test_there_is_no_mould_where_the_text_may_be_elsewhere(document: bytes) -> None:
    assert cast_mould(document, "a") is None
