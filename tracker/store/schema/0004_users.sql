-- Who has a key here, what they may do, and how much of it they have used.
-- Times are Unix seconds, UTC.

CREATE TABLE users (
    user_id            TEXT    NOT NULL PRIMARY KEY,  -- today's key
    account            TEXT    NOT NULL UNIQUE,  -- the name in the ledger; outlives every key
    registered_at      INTEGER NOT NULL,
    contributor_since  INTEGER           -- NULL: limited. Never taken back
) STRICT;

-- Keys that gave way to another one. Such a key is nobody any more.
CREATE TABLE handovers (
    old_user_id  TEXT    NOT NULL PRIMARY KEY,
    new_user_id  TEXT    NOT NULL UNIQUE,
    signed       TEXT    NOT NULL,  -- the hand-over, signed by both keys
    received_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE invites (
    code_hash   TEXT    NOT NULL PRIMARY KEY,  -- the code itself is known to its bearer only
    made_by     TEXT    NOT NULL,  -- the operator's user id
    made_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    uses_left   INTEGER NOT NULL CHECK (uses_left >= 0)
) STRICT;

-- How often somebody did something in one window of time. A name is a keyed hash that holds its
-- window, so that rows tell neither an address nor that two windows are about the same one.
CREATE TABLE quotas (
    name     TEXT    NOT NULL PRIMARY KEY,
    used     INTEGER NOT NULL,
    ends_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX quotas_by_end ON quotas (ends_at);

ALTER TABLE tokens ADD COLUMN requests INTEGER NOT NULL DEFAULT 120;  -- what `lim` allows
ALTER TABLE tokens ADD COLUMN note_id TEXT;  -- the note after which its rig was picked, if any
