"""The operators' audit log: who decided what, when, each line chained to all before it.

It holds ids and hashes, never a text or a reporter's name: it is for good, and those may have to be
deleted. The hash of a reason shows later that the reason wasn't changed.

The chain is that of protocol/ledger_chain.py, with AUDIT_DOMAIN.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

AuditEvent = Literal[
    "reported", "hidden", "decided", "undone", "appealed", "answered", "held", "released",
    "entered", "read", "erased", "anonymised",
]  # fmt: skip


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. at: Unix seconds. by: an operator's or notifier's user id, or "" for the tracker.

    | event      | subject                | detail                                             |
    |------------|------------------------|----------------------------------------------------|
    | reported   | case id                | category                                           |
    | hidden     | decision id            | target id                                          |
    | decided    | decision id            | action and target id                               |
    | undone     | decision id            |                                                    |
    | appealed   | appeal id              | decision id                                        |
    | answered   | appeal id              | upheld or overturned; decision id                  |
    | held       | case id                | until, Unix seconds                                |
    | released   | case id                |                                                    |
    | entered    | operator's user id     | an operator signed in to the console               |
    | read       | case id                | an operator opened a child safety case             |
    | erased     | SHA-256 of the user id | an account was deleted                             |
    | anonymised | ""                     | how many reports the retention job emptied         |

    text_hash: SHA-256 of the reason or answer that was given, hex.
    """

    at: int
    by: str
    event: AuditEvent
    subject: str
    detail: str = ""
    text_hash: str = ""


def about_case(events: Iterable[AuditEntry], drafted: str, case_id: str) -> list[AuditEntry]:
    """The same, where they name a case that was drafted, about the case that its report joined."""
    return [
        msgspec.structs.replace(event, subject=case_id) if event.subject == drafted else event
        for event in events
    ]


def text_hash(text: str) -> str:
    """What an entry says of a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def encode_entry(entry: AuditEntry) -> bytes:
    """Canonical JSON: sorted keys, no spaces."""
    return msgspec.json.encode(entry, order="sorted")
