"""Which chunks of a reply may go out when every text is checked first. Pure: no I/O, no clock."""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from luckrig.nodeproxy.engines.chunks import Chunk
from luckrig.nodeproxy.moderation.pieces import Piece, Rewriter, joined, pieces_of, to_check

WINDOW_CHUNKS: Final = 200
"""Chunks with text, mostly a token each, that are checked together."""
WINDOW_CHARS: Final = 16_384
"""Some engines send long chunks."""
MAX_HELD: Final = 1000
"""Chunks, with text or without: an engine that sends nothing but empty ones fills no memory."""
CONTEXT_CHUNKS: Final = 50
"""Chunks that were checked already and are checked once more with those that follow them, so that
a sentence across the edge is seen whole."""
CONTEXT_CHARS: Final = 8_192


class _Held(NamedTuple):
    chunk: Chunk
    pieces: list[Piece]

    @property
    def chars(self) -> int:
        return sum(len(piece.text) for piece in self.pieces)


class HoldBack:
    """Fed with chunks; gives them out, written anew, once their texts were approved.

    feed(chunks) …          they are held
    window()                the texts to check before anything that is held may go out
    release() or refuse()   by what the check said; concerns what window() spoke of, so that
                            chunks that were fed meanwhile wait for a window of their own
    """

    def __init__(
        self,
        rewriter: Rewriter,
        *,
        window_chunks: int = WINDOW_CHUNKS,
        context_chunks: int = CONTEXT_CHUNKS,
    ) -> None:
        self._rewriter = rewriter
        self._window_chunks = window_chunks
        self._held: deque[_Held] = deque()
        self._held_texts = self._held_chars = 0
        self._asked: list[_Held] = []
        self._context: deque[list[Piece]] = deque(maxlen=context_chunks)

    def feed(self, chunks: Iterable[Chunk]) -> None:
        """Hold the next chunks."""
        for chunk in chunks:
            held = _Held(chunk, list(pieces_of(chunk)))
            self._held.append(held)
            self._held_texts += bool(held.pieces)
            self._held_chars += held.chars

    @property
    def is_empty(self) -> bool:
        """Whether everything that was fed has gone out, or never will."""
        return not self._held and not self._asked

    @property
    def has_text(self) -> bool:
        """Whether anything that is held has to be checked."""
        return self._held_texts > 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to check."""
        return (
            self._held_texts >= self._window_chunks
            or self._held_chars >= WINDOW_CHARS
            or len(self._held) >= MAX_HELD
        )

    def window(self) -> list[str]:
        """The texts to check now, each with its context; none when only numbers are held.

        Never more than a full window; is_full says whether the next one is full as well.
        """
        texts = sum(bool(held.pieces) for held in self._asked)
        chars = sum(held.chars for held in self._asked)
        while self._held and texts < self._window_chunks and chars < WINDOW_CHARS:
            held = self._held.popleft()
            self._asked.append(held)
            texts += bool(held.pieces)
            chars += held.chars
            self._held_texts -= bool(held.pieces)
            self._held_chars -= held.chars
        fresh = joined(piece for held in self._asked for piece in held.pieces)
        context = joined(piece for pieces in self._context for piece in pieces)
        return to_check(
            {
                channel: context.get(channel, "")[-CONTEXT_CHARS:] + text
                for channel, text in fresh.items()
            }
        )

    def release(self) -> list[Chunk]:
        """The last window's chunks may go out. Raises UpstreamError on what isn't one."""
        asked, self._asked = self._asked, []
        self._context.extend(held.pieces for held in asked if held.pieces)
        return [self._rewriter.rewrite(held.chunk) for held in asked]

    def refuse(self) -> Chunk:
        """Nothing of what is held may go out, ever. Gives the chunk that ends the reply."""
        self._asked.clear()
        self._held.clear()
        self._held_texts = self._held_chars = 0
        return self._rewriter.cut()
