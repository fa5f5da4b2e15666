"""Random bytes for ids that nobody can guess, of requests and of tickets."""

import os
from typing import Final

from luckrig.protocol.encoding import b64url_encode

REQUEST_ID_BYTES: Final = 8
TICKET_ID_BYTES: Final = 16
_POOL_BYTES: Final = 4096


class RandomIds:
    """Asks the system for many ids at once. Each of its bytes is given out once."""

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0

    def request_id(self) -> str:
        """Hexadecimal."""
        return self._next(REQUEST_ID_BYTES).hex()

    def ticket_id(self) -> str:
        """base64url."""
        return b64url_encode(self._next(TICKET_ID_BYTES))

    def _next(self, count: int) -> bytes:
        begin, end = self._at, self._at + count
        if end > len(self._pool):
            self._pool = os.urandom(_POOL_BYTES)
            begin, end = 0, count
        self._at = end
        return self._pool[begin:end]
