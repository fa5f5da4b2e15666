"""Proof of work: what an unknown key pays at a tracker that asks for it.

    SHA-256("lr-work v1|" ‖ root id ‖ "|" ‖ user id ‖ "|" ‖ nonce)

must begin with at least `bits` zero bits. It is for one key at one tracker, so nobody
can do it in advance for keys that don't exist yet. 20 bits are about a second of one core.
"""

import hashlib
import re
from itertools import count
from typing import Final

MAX_WORK_BITS: Final = 32
MAX_NONCE_CHARS: Final = 32
NONCE_PATTERN: Final = r"\A[A-Za-z0-9_-]{1,32}\Z"

_NONCE: Final = re.compile(NONCE_PATTERN)


def check(nonce: str, *, root_id: str, user_id: str, bits: int) -> bool:
    """Whether the nonce proves the work. Never raises."""
    if _NONCE.match(nonce) is None:
        return False
    return _zero_bits(_prefix(root_id, user_id) + nonce.encode("ascii")) >= bits


def solve(*, root_id: str, user_id: str, bits: int) -> str:
    """A nonce that proves the work: 2^bits hashes on average. Blocks.

    Raises ValueError when bits are more than MAX_WORK_BITS.
    """
    if not 0 <= bits <= MAX_WORK_BITS:
        raise ValueError(f"work has 0 to {MAX_WORK_BITS} bits")
    started = hashlib.sha256(_prefix(root_id, user_id))
    bound = 1 << (256 - bits)
    for number in count():
        nonce = b"%x" % number
        attempt = started.copy()
        attempt.update(nonce)
        if int.from_bytes(attempt.digest()) < bound:
            return nonce.decode("ascii")
    raise AssertionError("count() never ends")


def _prefix(root_id: str, user_id: str) -> bytes:
    return f"lr-work v1|{root_id}|{user_id}|".encode("ascii")


def _zero_bits(data: bytes) -> int:
    return 256 - int.from_bytes(hashlib.sha256(data).digest()).bit_length()
