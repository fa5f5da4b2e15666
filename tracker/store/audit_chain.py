"""Appends to the operators' audit log: the same lines, whichever store keeps them."""

from collections.abc import Iterable

from luckrig.protocol.ledger_chain import AUDIT_DOMAIN, next_hash
from luckrig.tracker.domain.audit_log import AuditEntry, encode_entry
from luckrig.tracker.store.case_stores import AuditRow


def next_rows(events: Iterable[AuditEntry], *, size: int, tip: bytes) -> list[AuditRow]:
    """The lines that follow `size` lines, the last of which has the hash `tip`."""
    rows: list[AuditRow] = []
    for position, event in enumerate(events, start=size):
        entry = encode_entry(event)
        tip = next_hash(tip, entry, domain=AUDIT_DOMAIN)
        rows.append(AuditRow(position, entry, tip))
    return rows
