"""What a model said, or a file holds, made fit for a terminal while it streams in.

output.safe() makes visible what a terminal obeys, character by character. This adds what needs to
know the text before it: UTF-8 cut between two pieces, and runs of variation selectors or tags.
Those say something that nobody sees; one selector after an emoji or an ideograph is ordinary.

    sanitizer = Sanitizer()
    for piece in pieces:
        print(sanitizer.feed(piece), end="", flush=True)
    print(sanitizer.end())

What rich prints of it needs `markup=False, highlight=False`, as output.console() has.
"""

import codecs
import re
from typing import Final

from luckrig.cli.output import safe

HIDDEN: Final = "\ufffd"
"""Stands for a whole run: sealed text has one selector for each of its bytes."""

_RUN: Final = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0000-\U000e0fff]+")
"""Variation selectors, Mongolian ones included, tags, and the block that both stand in."""
_EMOJI_OR_TEXT: Final = "\ufe0e\ufe0f"
_OTHER_FORMATS: Final = {
    code: HIDDEN for code in (*range(0x206A, 0x2070), *range(0xFFF9, 0xFFFC), 0xFEFF)
}
"""Format characters that terminals treat in various ways and no language needs."""
_IDEOGRAPHS: Final = (range(0x3400, 0xA000), range(0xF900, 0xFB00), range(0x20000, 0x40000))
"""What Japanese names take variation selectors after."""


class Sanitizer:
    """Text piece by piece, harmless. However a text is cut into pieces, the same comes out.

    One for each text: what follows a piece depends on it.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._before = ""  # the last character that was fed
        self._in_hidden = False  # a run was begun, and HIDDEN printed for it

    def feed(self, piece: str) -> str:
        """The piece with \\n and \\t as they are and every other control made visible."""
        shown = safe(self._without_runs(piece)).translate(_OTHER_FORMATS)
        self._before = piece[-1:] or self._before
        return shown

    def feed_bytes(self, piece: bytes) -> str:
        """The same of UTF-8; what isn't becomes U+FFFD. The start of a character is kept for
        the next piece."""
        return self.feed(self._decoder.decode(piece))

    def end(self) -> str:
        """What is left: the replacement of a character that was never completed."""
        return self.feed(self._decoder.decode(b"", final=True))

    def _without_runs(self, piece: str) -> str:
        if piece and not _RUN.match(piece):
            self._in_hidden = False
        if piece.isascii() or not _RUN.search(piece):
            return piece
        return _RUN.sub(self._replace_run, piece)

    def _replace_run(self, found: re.Match[str]) -> str:
        run, text, start = found[0], found.string, found.start()
        goes_on = start == 0 and self._in_hidden
        before = text[start - 1] if start else self._before
        kept = "" if goes_on or not _belongs(run[0], before) else run[0]
        hides = len(run) > len(kept)
        # Only a run at the end of a piece can go on in the next one.
        self._in_hidden = found.end() == len(text) and (hides or goes_on)
        return kept + (HIDDEN if hides and not goes_on else "")


def model_text(text: str) -> str:
    """A whole text at once."""
    return Sanitizer().feed(text)


def _belongs(selector: str, before: str) -> bool:
    """Whether a reader may expect that selector after that character."""
    if not before or _RUN.match(before) or not before.isprintable():
        return False
    if selector in _EMOJI_OR_TEXT:
        return True
    ideograph = any(ord(before) in block for block in _IDEOGRAPHS)
    return ideograph and not "\U000e0000" <= selector < "\U000e0100"
