"""An audit log for FakeTracker to show, honestly or not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from luckrig.protocol.descriptor_log import AUDIT_HEAD_TYPE, EMPTY_LOG, LogTip, make_head
from luckrig.protocol.encoding import b64url_encode
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.ledger_chain import AUDIT_DOMAIN, GENESIS, next_hash
from luckrig.tracker.domain.audit_log import AuditEntry, encode_entry, text_hash
from tests.client.fake_log import FakeLog

OPERATOR = PrivateKey(b"oper" * 8)


@dataclass
class FakeAudit:
    """The log and who signs it. entries, hashes: as shown. shown_tip: what the head says.

    page_lines: how many an answer holds at most.
    """

    signer: FakeLog = field(default_factory=FakeLog)
    entries: list[bytes] = field(default_factory=list[bytes])
    hashes: list[str] = field(default_factory=list[str])
    shown_tip: LogTip = EMPTY_LOG
    page_lines: int = 3
    _last: bytes = GENESIS

    def grow(self, count: int, *, salt: str = "") -> None:
        """Append so many lines and sign. salt: another one makes another history."""
        for _ in range(count):
            entry = AuditEntry(
                at=1_800_000_000 + len(self.entries),
                by=derive_id("u1", OPERATOR.public),
                event="decided",
                subject=f"decision-{len(self.entries):08}",
                detail=f"ban u1{'a' * 32}{salt}",
                text_hash=text_hash("Spam."),
            )
            self.entries.append(encode_entry(entry))
            self._last = next_hash(self._last, self.entries[-1], domain=AUDIT_DOMAIN)
            self.hashes.append(b64url_encode(self._last))
        self.shown_tip = LogTip(len(self.entries), b64url_encode(self._last))

    def seal(self) -> None:
        """Chain and sign what the lines are now: an operator with the tracker's keys."""
        entries, self.entries, self.hashes, self._last = self.entries, [], [], GENESIS
        for entry in entries:
            self.entries.append(entry)
            self._last = next_hash(self._last, entry, domain=AUDIT_DOMAIN)
            self.hashes.append(b64url_encode(self._last))
        self.shown_tip = LogTip(len(self.entries), b64url_encode(self._last))

    def page(self, query: Mapping[str, str], now: int) -> bytes:
        """The answer to GET /api/v1/admin/audit, made by hand: a line may be no JSON."""
        first = int(query.get("after", "-1")) + 1
        last = first + min(self.page_lines, int(query.get("limit", "1000")))
        head = make_head(
            self.shown_tip,
            issuer=self.signer.root_id,
            key=self.signer.signing,
            now=now,
            typ=AUDIT_HEAD_TYPE,
        )
        lines = [
            b'{"position":%d,"entry":%s,"hash":"%s"}' % (first + number, entry, digest.encode())
            for number, (entry, digest) in enumerate(
                zip(self.entries[first:last], self.hashes[first:last], strict=True)
            )
        ]
        return b'{"lines":[%s],"head":"%s"}' % (b",".join(lines), head.encode())
