"""Checks a tracker's audit log, page by page: the chain, the signed head, and what was seen before.

hash(n) over line n and hash(n-1): protocol/ledger_chain.py, with AUDIT_DOMAIN
head: protocol/descriptor_log.py, of type AUDIT_HEAD_TYPE
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from luckrig.client.tracker import MAX_LOG_PAGES, TrackerClient
from luckrig.protocol.descriptor_log import (
    AUDIT_HEAD_TYPE,
    EMPTY_LOG,
    LogHead,
    LogTip,
    verify_head,
)
from luckrig.protocol.desk import AuditLine, AuditPage
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.errors import PeerError
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.ledger_chain import AUDIT_DOMAIN, GENESIS, next_hash

PAGE_LINES: Final = 1000
_PATH: Final = "/api/v1/admin/audit"


class VerifiedAudit(NamedTuple):
    """A log that is whole: its head, and its last lines, oldest first."""

    head: LogHead
    lines: list[AuditLine]


class AuditVerifier:
    """Follows an audit log from its first line, and checks that every head it meets lies on it.

    known: where the log ended when somebody looked last. size: how many lines were good so far;
    the next one's position. lines: the last `keep` of them.
    """

    def __init__(self, known: LogTip = EMPTY_LOG, *, keep: int = 0) -> None:
        self.size = 0
        self.lines: deque[AuditLine] = deque(maxlen=keep)
        self._last = GENESIS
        self._known = known
        self._largest = known.size
        self._promised: dict[int, str] = {}

    def feed(self, lines: Iterable[AuditLine], head: LogHead) -> bool:
        """Check the next page; return whether the log is complete. head: a verified one.

        The log may grow while it is read: each page's head covers what was there then. Raises
        PeerError signature_invalid, with `param` = "entries[<position>]" of the first bad line.
        """
        self._largest = max(self._largest, head.size)
        before = self.size
        if self._promised.setdefault(head.size, head.hash) != head.hash:
            raise broken(head.size - 1, "the tracker signed two different ones")
        self._check_promises()
        for line in lines:
            self._follow(line)
        if self.size > head.size:
            raise broken(head.size, "it lies beyond the signed head")
        if self.size == before < head.size:
            raise broken(self.size, "the tracker doesn't show it")
        complete = self.size == head.size
        if complete and head.size < self._largest:
            raise _refused(
                f"ends after {head.size} lines and had {self._largest} before", position=head.size
            )
        return complete

    def _follow(self, line: AuditLine) -> None:
        position = self.size
        if line.position != position:
            raise broken(position, "another one stands in its place")
        self._last = next_hash(self._last, bytes(line.entry), domain=AUDIT_DOMAIN)
        if line.hash != b64url_encode(self._last):
            raise broken(position, "it isn't what was hashed")
        self.size += 1
        self.lines.append(line)
        self._check_promises()

    def _check_promises(self) -> None:
        found = b64url_encode(self._last)
        if self.size == self._known.size and found != self._known.hash:
            raise _refused(
                f"was rewritten: its first {self.size} lines aren't those that were there before"
            )
        if self._promised.get(self.size, found) != found:
            raise broken(self.size - 1, "the head that the tracker signed has another hash")


async def verify_audit(
    client: TrackerClient,
    *,
    operator_key: PrivateKey,
    known: LogTip = EMPTY_LOG,
    keep: int = 0,
    page_lines: int = PAGE_LINES,
) -> VerifiedAudit:
    """Check the whole audit log and return its head, signed by the tracker's own keys.

    known: the end that the caller saw last; the log must go on from there. keep: how many of the
    last lines to return. page_lines: 1 to PAGE_LINES. Raises PeerError
    signature_invalid as AuditVerifier does, LuckrigError operators_only.
    """
    root_id, keys = await client.verified_keys()
    verifier = AuditVerifier(known, keep=keep)
    for _ in range(MAX_LOG_PAGES):
        page = await _page(client, verifier.size, page_lines, operator_key)
        head = verify_head(
            page.head, keys=keys, issuer=root_id, now=client.clock(), typ=AUDIT_HEAD_TYPE
        )
        if verifier.feed(page.lines, head):
            return VerifiedAudit(head, list(verifier.lines))
    client.transport.nonsense(f"has an audit log of more than {MAX_LOG_PAGES} pages")


async def _page(client: TrackerClient, size: int, limit: int, key: PrivateKey) -> AuditPage:
    """The page after the lines that were good.

    A line that isn't JSON any more makes its whole page unreadable; with ever shorter pages, down
    to one line, the good ones before it are followed and the bad one is found.
    """
    while True:
        raw = await _fetch(client, size - 1, limit, key)
        try:
            return msgspec.json.decode(raw, type=AuditPage)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if limit == 1:
                raise broken(size, "what stands there isn't JSON") from error
        limit = max(1, limit // 2)


async def _fetch(client: TrackerClient, after: int, limit: int, key: PrivateKey) -> bytes:
    params = {"after": str(after), "limit": str(limit)}
    return await client.transport.fetch_signed(_PATH, key=key, params=params)


def broken(position: int, why: str) -> PeerError:
    """What is raised for a line that can't be trusted."""
    return _refused(f"breaks at line {position}: {why}", position=position)


def _refused(why: str, *, position: int | None = None) -> PeerError:
    param = None if position is None else f"entries[{position}]"
    return PeerError("signature_invalid", f"The tracker's audit log {why}.", param=param)
