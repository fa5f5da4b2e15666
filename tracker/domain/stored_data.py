"""All that a tracker stores, whose it is, and what becomes of it when its person deletes their
account. A test compares this page with the database.

It drives export and deletion (erasing.py and the stores), the table in docs/DATA.md, and /privacy.
What is said there of each table (what, why, how long, what deletes it) are the texts `stored.` of
web/words/, in every language; a test asks for those of each table.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from luckrig.tracker.domain.stored_cases import CASES
from luckrig.tracker.domain.stored_table import Rule, Table, col

TOKENS_KEPT_SECONDS: Final = 86_400
"""After their end: a rig that couldn't reach its tracker has a day to hand in receipts."""
RECEIPTS_KEPT_SECONDS: Final = 90 * 86_400
"""Also shared timings; what counted is in the ledger for good."""
REPORTS_KEPT_SECONDS: Final = 365 * 86_400
"""What reports, appeals and decisions that hold nothing tell of people."""

_OWNER: Final = (Rule(by=("node_id",)),)

_RIGS: Final = (
    Table(
        name="nodes",
        mine=("node_id",),
        rules=_OWNER,
        columns=(
            col("node_id", "the rig's id, a hash of its key", "node"),
            col("seq", "which of its descriptors is listed"),
            col("listed_at", "when it was first listed"),
            col("status", "what the last look showed"),
            col("queue_active", "requests that ran then"),
            col("queue_waiting", "requests that waited then"),
            col("queue_max_active", "requests that may run at once"),
            col("checked_at", "when the last look was"),
            col("last_seen_at", "when it last answered well"),
            col("misses", "looks in a row without an answer"),
        ),
    ),
    Table(
        name="descriptors",
        mine=("node_id",),
        rules=_OWNER,
        columns=(
            col("node_id", "the rig's id", "node"),
            col("seq", "the owner's counter"),
            col("signed", "the descriptor, byte for byte"),
            col("published_at", "when it came"),
        ),
    ),
    Table(
        name="descriptor_log",
        mine=("node_id",),
        columns=(
            col("position", "1, 2, 3, …"),
            col("node_id", "the rig's id", "node"),
            col("seq", "the owner's counter"),
            col("descriptor_hash", "SHA-256 of the descriptor"),
            col("listed_at", "when it came"),
            col("hash", "over this line and all before it"),
        ),
    ),
    Table(
        name="live_hours",
        mine=("node_id",),
        rules=_OWNER,
        columns=(
            col("node_id", "the rig's id", "node"),
            col("hour", "hours since 1970"),
            col("scarcity_milli", "how scarce what it offers was"),
        ),
    ),
    Table(
        name="live_days",
        mine=("node_id",),
        rules=_OWNER,
        columns=(
            col("node_id", "the rig's id", "node"),
            col("day", "days since 1970"),
            col("hours", "how many of its hours"),
        ),
    ),
    Table(
        name="owner_wishes",
        mine=("node_id",),
        rules=(Rule(by=("node_id", "by")),),
        columns=(
            col("node_id", "the rig", "node"),
            col("paused", "pause, or go on"),
            col("at", "when it was asked"),
            col("by", "who was signed in", "user"),
        ),
    ),
)

_PEOPLE: Final = (
    Table(
        name="users",
        mine=("user_id",),
        rules=(Rule(by=("user_id",)),),
        columns=(
            col("user_id", "the key's id, a hash of it", "user"),
            col("account", "the name in the ledger: a keyed hash of the first key's id", "account"),
            col("registered_at", "when it was registered"),
            col("contributor_since", "when it became a contributor's"),
        ),
    ),
    Table(
        name="handovers",
        mine=("old_user_id", "new_user_id"),
        rules=(
            Rule(by=("old_user_id", "new_user_id"), unless=("banned",)),
            Rule(by=("old_user_id", "new_user_id"), empties={"signed": ""}),
        ),
        columns=(
            col("old_user_id", "the key that gave way", "user"),
            col("new_user_id", "the one that took its place", "user"),
            col("signed", "the hand-over, signed by both"),
            col("received_at", "when it came"),
        ),
    ),
    Table(
        name="invites",
        mine=("made_by",),
        rules=(Rule(by=("made_by",)),),
        columns=(
            col("code_hash", "a hash of the code"),
            col("made_by", "the operator's user id", "user"),
            col("made_at", "when it was made"),
            col("expires_at", "when it ends"),
            col("uses_left", "how many keys it still lets in"),
        ),
    ),
    Table(
        name="quotas",
        columns=(
            col("name", "a keyed hash"),
            col("used", "how often"),
            col("ends_at", "when the window ends"),
        ),
    ),
    Table(
        name="sessions",
        mine=("user_id",),
        rules=(Rule(by=("user_id",)),),
        columns=(
            col("token_hash", "a hash of the cookie"),
            col("user_id", "whose it is", "user"),
            col("created_at", "when it began"),
            col("used_at", "when it was last used"),
            col("expires_at", "when it ends"),
        ),
    ),
)

_USE: Final = (
    Table(
        name="tokens",
        mine=("user_id",),
        rules=(
            Rule(by=("node_id",)),
            Rule(by=("user_id",), unless=("running",)),
            Rule(by=("user_id",), empties={"user_id": "", "note_id": None}),
        ),
        columns=(
            col("jti", "the token's id"),
            col("user_id", "who asked", "user"),
            col("node_id", "for which rig", "node"),
            col("sub", "the user's pseudonym at that rig"),
            col("issued_at", "when it was issued"),
            col("expires_at", "when it ends"),
            col("requests", "how many requests it is good for"),
            col("note_id", "the note that led to the rig", "note"),
            col("revoked", "whether its user called it back"),
        ),
    ),
    Table(
        name="receipts",
        mine=("node_id", "user_id"),
        rules=(
            Rule(by=("node_id",)),
            Rule(by=("user_id",), empties={"user_id": "", "countersignature": None, "settled": 1}),
        ),
        columns=(
            col("node_id", "the rig", "node"),
            col("request_id", "the request's id there"),
            col("jti", "the token that paid", shown_with="user_id"),
            col("user_id", "whose token it was", "user", shown_with="user_id"),
            col("receipt", "the numbers, as the rig signed them"),
            col("countersignature", "the user's signature", shown_with="user_id"),
            col("state", "whether both agree"),
            col("received_at", "when it came"),
            col("settled", "whether the ledger has it"),
        ),
    ),
    Table(
        name="timings",
        mine=("account", "node_id"),
        rules=(Rule(by=("account", "node_id")),),
        columns=(
            col("node_id", "the rig", "node"),
            col("request_id", "the request's id there"),
            col("account", "the user's name in the ledger", "account", shown_with="account"),
            col("model", "which model"),
            col("prompt_tokens", "how long the prompt was"),
            col("completion_tokens", "how long the reply was"),
            col("ttft_ms", "until the first token"),
            col("tokens_per_second", "from the first to the last"),
            col("shared_at", "when it was shared"),
        ),
    ),
    Table(
        name="ledger",
        columns=(
            col("position", "0, 1, 2, …"),
            col("entry", "what was done"),
            col("hash", "over this entry and all before it"),
        ),
    ),
    Table(
        name="notes",
        mine=("author_id",),
        rules=(Rule(by=("author_id", "node_id")),),
        columns=(
            col("note_id", "the note's id", "note"),
            col("version", "1, 2, 3, …"),
            col("author_id", "who wrote it", "user"),
            col("node_id", "which rig it is about", "node"),
            col("signed", "the note"),
            col("created_at", "when it came"),
        ),
    ),
    Table(
        name="reproductions",
        mine=("user_id",),
        rules=(Rule(by=("user_id", "note_id")),),
        columns=(
            col("note_id", "which note", "note"),
            col("user_id", "who says so", "user"),
            col("version", "which version"),
            col("signed", "what they signed"),
            col("created_at", "when it came"),
        ),
    ),
)

TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {table.name: table for table in (*_RIGS, *_PEOPLE, *_USE, *CASES)}
)
"""Every table by its name; rows that others refer to come after those."""
