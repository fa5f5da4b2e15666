"""A descriptor log of a tracker with real keys, for FakeTracker to show, honestly or not."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from luckrig.protocol.descriptor_log import EMPTY_LOG, LogEntry, LogTip, make_head, next_entry
from luckrig.protocol.ids import derive_id
from luckrig.protocol.keys import PrivateKey
from luckrig.protocol.keyset import Keyset, sign_keyset
from luckrig.protocol.wire import KeysetReply, LogPage


@dataclass
class FakeLog:
    """The log and who signs it. page_entries: how many an answer holds at most."""

    root: PrivateKey = field(default_factory=lambda: PrivateKey(b"root" * 8))
    signing: PrivateKey = field(default_factory=lambda: PrivateKey(b"sign" * 8))
    entries: list[LogEntry] = field(default_factory=list[LogEntry])
    page_entries: int = 3

    @property
    def root_id(self) -> str:
        """The tracker's id."""
        return derive_id("r1", self.root.public)

    @property
    def tip(self) -> LogTip:
        """Where the log ends."""
        last = self.entries[-1] if self.entries else None
        return EMPTY_LOG if last is None else LogTip(last.index, last.hash)

    def grow(self, count: int, *, salt: str = "") -> None:
        """List that many rigs more. salt: another one makes another history."""
        for _ in range(count):
            number = len(self.entries)
            entry = next_entry(
                self.tip,
                node_id=derive_id("n1", PrivateKey(number.to_bytes(32)).public),
                seq=1,
                signed=f"{salt}{number}".encode(),
                listed_at=number,
            )
            self.entries.append(entry)

    def keyset(self, now: int) -> bytes:
        """The answer to GET /api/v1/keyset."""
        keyset = Keyset(
            iss=self.root_id, seq=now, iat=now, exp=now + 60, keys=[self.signing.public.jwk]
        )
        signed = sign_keyset(keyset, root=self.root)
        return msgspec.json.encode(KeysetReply(root_id=self.root_id, keyset=signed))

    def page(self, query: Mapping[str, str], now: int) -> bytes:
        """The answer to GET /api/v1/log."""
        after = int(query.get("after", "0"))
        head = make_head(self.tip, issuer=self.root_id, key=self.signing, now=now)
        shown = self.entries[after : after + self.page_entries]
        return msgspec.json.encode(LogPage(entries=shown, head=head))
