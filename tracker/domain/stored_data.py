"""All that a tracker stores: what, why, how long, whose it is, and what becomes of it when its
person deletes their account. A test compares this page with the database.

It drives export and deletion (erasing.py and the stores), the table in docs/DATA.md, and /privacy.
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
        what="Rigs, and what the last looks at them showed.",
        why="The map shows them.",
        kept="until its owner deletes the account",
        erased="deleted",
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
        what="Every descriptor that a rig was listed with, as its owner signed it: name, note, "
        "addresses, hardware, models.",
        why="Anybody can check what was listed, and that the tracker changed nothing.",
        kept="until its owner deletes the account",
        erased="deleted",
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
        what="Which descriptors were accepted, in order: hashes, each over all before it.",
        why="A tracker can't show one list to one person and another list to another.",
        kept="for good",
        erased="stays: without the descriptors, hashes tell nothing but that there was a rig",
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
        what="The hours in which a rig answered well.",
        why="At the end of a day they become one entry of the ledger.",
        kept="until the day is over and in the ledger",
        erased="deleted",
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
        what="In how many hours of each day a rig answered well.",
        why="A rig's page shows how often it was there.",
        kept="90 days",
        erased="deleted",
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
        what="Whether an owner who was signed in here last asked a rig to pause or to go on.",
        why="The rig asks for it, and does it.",
        kept="until its owner wishes otherwise, or deletes the account",
        erased="deleted",
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
        what="Keys that are registered. No name, no e-mail address, no network address.",
        why="Registered keys get tokens; contributors get more.",
        kept="until the account is deleted",
        erased="deleted",
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
        what="Keys that gave way to another one, as both signed it.",
        why="The old key must count no longer, and what it earned is the new one's.",
        kept="until the account is deleted",
        erased="deleted; while a decision holds one of the keys only the signed text is, and the "
        "rest when that ends, or else an old key would be a stranger whom nothing holds",
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
        what="Codes with which operators let new keys in.",
        why="Some trackers take new keys by invitation only.",
        kept="until it is used up or has expired",
        erased="deleted, if an operator deletes their account",
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
        what="How often somebody asked in one hour or day: by keyed hashes of an account or a "
        "network, other ones in each window.",
        why="Nobody may use up everything.",
        kept="until the hour or day is over",
        erased="stays until then, or else whoever deletes an account would have a new quota",
        columns=(
            col("name", "a keyed hash"),
            col("used", "how often"),
            col("ends_at", "when the window ends"),
        ),
    ),
    Table(
        name="sessions",
        what="Browsers in which somebody is signed in.",
        why="For the pages that show one's own data, and the operators' console.",
        kept="12 hours at most",
        erased="deleted",
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
        what="Tokens that were issued: who asked for which rig, and when.",
        why="A banned user's tokens are called back by it, and receipts are checked against it.",
        kept="a day after its end, which is an hour after it was issued at most",
        erased="deleted; of one that still runs the user's id is, and it is called back",
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
        what="What rigs say they did for a token, in numbers, and whether the user agreed. No "
        "prompt, no reply.",
        why="It is what contributions are counted by.",
        kept="90 days",
        erased="the rig's owner: deleted. The user: their id and signature are emptied, for the "
        "receipt is the rig owner's, too",
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
        what="How fast streams were, where users shared it.",
        why="The map shows how fast a rig really is.",
        kept="90 days",
        erased="deleted",
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
        what="What people contributed: rigs' days, numbers of tokens, notes that helped. Under "
        "names that are keyed hashes. Public, and whoever exports their data finds theirs by it.",
        why="Anybody can check every score.",
        kept="for good",
        erased="stays: each entry is hashed into all after it. Once the key is deleted, nobody "
        "can tell whose a name was without that key's id and the tracker's secret",
        columns=(
            col("position", "0, 1, 2, …"),
            col("entry", "what was done"),
            col("hash", "over this entry and all before it"),
        ),
    ),
    Table(
        name="notes",
        what="Tuning notes, all versions, as their authors signed them. Public.",
        why="They are there to be read.",
        kept="until the author, or the rig's owner, deletes the account",
        erased="deleted: the author's, and those about their rigs",
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
        what="Who got what a note says, as they signed it.",
        why="Notes that work stand first.",
        kept="until whoever said so, or the note's author, deletes the account",
        erased="deleted, with the note too",
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
