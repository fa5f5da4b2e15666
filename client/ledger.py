"""Checks an exported contribution ledger, page by page."""

from collections.abc import Iterable

from luckrig.protocol.descriptor_log import LogHead
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.ledger_chain import GENESIS, next_hash
from luckrig.protocol.wire import LedgerLine


class LedgerExport:
    """entries: what was checked so far, byte for byte as exported."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self._last = GENESIS

    def feed(self, lines: Iterable[LedgerLine], head: LogHead) -> bool:
        """Check the next page; return whether the ledger is complete. head: a verified one.

        The ledger may grow while it is read: each page's head covers what was there then. Raises
        PeerError signature_invalid.
        """
        before = len(self.entries)
        for line in lines:
            position = len(self.entries)
            entry = bytes(line.entry)
            self._last = next_hash(self._last, entry)
            if line.position != position or line.hash != b64url_encode(self._last):
                raise _broken(position, "it isn't what was hashed")
            self.entries.append(entry)
            if len(self.entries) == head.size and b64url_encode(self._last) != head.hash:
                raise _broken(position, "the head that the tracker signed has another hash")
        if len(self.entries) > head.size:
            raise _broken(head.size, "it lies beyond the signed head")
        if len(self.entries) == before < head.size:
            raise _broken(before, "the tracker doesn't show it")
        return len(self.entries) == head.size


def _broken(position: int, why: str) -> PeerError:
    return PeerError(
        "signature_invalid",
        f"The tracker's ledger breaks at entry {position}: {why}. Don't trust its scores.",
        param=f"entries[{position}]",
    )
