"""How the ledger's and the audit log's entries are chained: what whoever checks one must know.

    hash(n) = SHA-256( domain ‖ hash(n-1), 32 bytes ‖ entry n, byte for byte )
    hash(-1) = 32 zero bytes

What an entry says is the tracker's business (tracker/domain/ledger.py, audit_log.py).
"""

import hashlib
from collections.abc import Iterable
from typing import Final

DOMAIN: Final = b"luckrig ledger entry v1\n"
AUDIT_DOMAIN: Final = b"luckrig audit entry v1\n"
"""Keep an entry's hash from meaning anything elsewhere."""
GENESIS: Final = bytes(32)
"""What the first entry follows."""


def next_hash(previous: bytes, entry: bytes, *, domain: bytes = DOMAIN) -> bytes:
    """The 32-byte hash of an entry that follows the one with hash `previous`, or GENESIS."""
    if len(previous) != len(GENESIS):
        raise ValueError("a hash has 32 bytes")
    return hashlib.sha256(domain + previous + entry).digest()


def check_chain(
    lines: Iterable[tuple[int, bytes, bytes]], *, domain: bytes = DOMAIN
) -> tuple[int, bytes]:
    """(how many lines, hash of the last one or GENESIS) of a whole chain.

    lines: (position, entry, hash). Raises ValueError naming the first line that isn't what was
    hashed, or that is missing. A chain that was cut at its end, or made anew, is whole: compare
    what this returns with what was seen before.
    """
    size, tip = 0, GENESIS
    for position, entry, line_hash in lines:
        tip = next_hash(tip, entry, domain=domain)
        if (position, line_hash) != (size, tip):
            raise ValueError(f"line {size} isn't what was hashed")
        size += 1
    return size, tip
