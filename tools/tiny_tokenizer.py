"""Learn the tiny model's merged pieces and encode text exactly as llama.cpp will.

Merges stay inside runs of ASCII letters (with the space before them) or digits, so a piece can
only ever be built inside one such run: encoding run by run equals llama.cpp's merging over the
whole text.
"""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from luckrig.engine.model_file import (
    ASCII_CHARACTERS,
    BYTES_START,
    CHARACTERS_START,
    SPACE,
    Vocabulary,
)

RUNS = re.compile(f"{SPACE}?[A-Za-z]+|[0-9]+|.", re.DOTALL)
MIN_RUN_COUNT = 5  # rarer runs are typing errors and invented words: nothing to learn from


def split_runs(text: str) -> list[str]:
    """Letter runs with the space before them, digit runs, and single other signs."""
    return RUNS.findall(text.replace(" ", SPACE))


def learn_vocabulary(
    questions: Iterable[str], answers: Iterable[str], piece_count: int
) -> Vocabulary:
    """Byte-pair encoding: join the most frequent neighbours, piece_count times.

    Signs beyond ASCII get a token of their own only when the model must write them; those that
    only occur in questions become bytes.
    """
    runs: Counter[str] = Counter()
    written: set[str] = set()
    for text in questions:
        runs.update(split_runs(text))
    for text in answers:
        runs.update(split_runs(text))
        written.update(text)
    extra = sorted(written.difference(ASCII_CHARACTERS, " "))
    words = {
        tuple(run): count for run, count in runs.items() if len(run) > 1 and count >= MIN_RUN_COUNT
    }
    pieces: list[str] = []
    while len(pieces) < piece_count:
        left, right = most_frequent_pair(words)
        if left + right not in pieces:
            pieces.append(left + right)
        words = join_pair(words, left, right)
    return Vocabulary(characters=ASCII_CHARACTERS + "".join(extra), pieces=tuple(pieces))


def most_frequent_pair(words: dict[tuple[str, ...], int]) -> tuple[str, str]:
    """Ties go to the alphabetically first pair, so that a run can be repeated."""
    pairs: Counter[tuple[str, str]] = Counter()
    for word, count in words.items():
        for pair in pairwise(word):
            pairs[pair] += count
    return min(pairs, key=lambda pair: (-pairs[pair], pair))


def join_pair(
    words: dict[tuple[str, ...], int], left: str, right: str
) -> dict[tuple[str, ...], int]:
    """Every word with the pair joined wherever it occurs."""
    joined: dict[tuple[str, ...], int] = {}
    for word, count in words.items():
        parts: list[str] = []
        for part in word:
            if parts and parts[-1] == left and part == right:
                parts[-1] = left + right
            else:
                parts.append(part)
        key = tuple(parts)
        joined[key] = joined.get(key, 0) + count
    return joined


class Encoder:
    """Text to token ids. Caches letter runs: there are few different ones."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        first_piece = CHARACTERS_START + len(vocabulary.characters)
        self._characters = {
            sign: CHARACTERS_START + index for index, sign in enumerate(vocabulary.characters)
        }
        self._pieces = {piece: first_piece + rank for rank, piece in enumerate(vocabulary.pieces)}
        self._cache: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Token ids of the text, without special tokens."""
        ids: list[int] = []
        for run in split_runs(text):
            if run not in self._cache:
                self._cache[run] = self._encode_run(run)
            ids += self._cache[run]
        return ids

    def _encode_run(self, run: str) -> list[int]:
        """Join the best-ranked neighbours, the leftmost first, until none is left."""
        parts = list(run)
        while len(parts) > 1:
            ranked = [
                (self._pieces[left + right], index)
                for index, (left, right) in enumerate(pairwise(parts))
                if left + right in self._pieces
            ]
            if not ranked:
                break
            _, index = min(ranked)
            parts[index : index + 2] = [parts[index] + parts[index + 1]]
        return [token for part in parts for token in self._ids_of(part)]

    def _ids_of(self, part: str) -> list[int]:
        if part in self._pieces:
            return [self._pieces[part]]
        if part in self._characters:
            return [self._characters[part]]
        return [BYTES_START + byte for byte in part.encode()]
