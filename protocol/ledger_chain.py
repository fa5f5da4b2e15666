"""How the contribution ledger's entries are chained: what whoever checks an export must know.

    hash(n) = SHA-256( DOMAIN ‖ hash(n-1), 32 bytes ‖ entry n, byte for byte )
    hash(-1) = 32 zero bytes

What an entry says is the tracker's business (tracker/domain/ledger.py).
"""

import hashlib
from typing import Final

DOMAIN: Final = b"luckrig ledger entry v1\n"
"""Keeps an entry's hash from meaning anything elsewhere."""
GENESIS: Final = bytes(32)
"""What the first entry follows."""


def next_hash(previous: bytes, entry: bytes) -> bytes:
    """The 32-byte hash of an entry that follows the one with hash `previous`, or GENESIS."""
    if len(previous) != len(GENESIS):
        raise ValueError("a hash has 32 bytes")
    return hashlib.sha256(DOMAIN + previous + entry).digest()
