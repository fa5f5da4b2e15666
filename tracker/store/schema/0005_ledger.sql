-- What people did for each other. Times are Unix seconds, UTC.

CREATE TABLE receipts (
    node_id           TEXT    NOT NULL,
    request_id        TEXT    NOT NULL,
    jti               TEXT    NOT NULL,  -- the token that paid for it
    user_id           TEXT    NOT NULL,  -- whose token it was
    receipt           TEXT    NOT NULL,  -- signed by the rig, byte for byte as it came
    countersignature  TEXT,              -- the user's; NULL while it is one-sided
    state             TEXT    NOT NULL CHECK (state IN ('one-sided', 'two-sided', 'disputed')),
    received_at       INTEGER NOT NULL,
    settled           INTEGER NOT NULL DEFAULT 0,  -- 1: it is in the ledger, or never will be
    PRIMARY KEY (node_id, request_id)
) STRICT;

CREATE INDEX receipts_by_token ON receipts (jti);
CREATE INDEX receipts_to_settle ON receipts (received_at) WHERE settled = 0;

CREATE TABLE ledger (
    position  INTEGER NOT NULL PRIMARY KEY,  -- 0, 1, 2, …
    entry     BLOB    NOT NULL,  -- canonical JSON, see domain/ledger.py
    hash      BLOB    NOT NULL
) STRICT;

CREATE TRIGGER ledger_is_not_changed BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is only appended to'); END;

CREATE TRIGGER ledger_is_not_cut BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is only appended to'); END;

-- The hours in which a rig gave a good answer; a day's rows become one ledger entry and go.
CREATE TABLE live_hours (
    node_id         TEXT    NOT NULL,
    hour            INTEGER NOT NULL,  -- hours since 1970-01-01
    scarcity_milli  INTEGER NOT NULL,
    PRIMARY KEY (node_id, hour)
) STRICT;

-- Numbers of streams that users shared. No text, and nothing that wasn't signed by both sides.
CREATE TABLE timings (
    node_id            TEXT    NOT NULL,
    request_id         TEXT    NOT NULL,
    account            TEXT    NOT NULL,  -- the user's name in the ledger
    model              TEXT    NOT NULL,
    prompt_tokens      INTEGER NOT NULL,
    completion_tokens  INTEGER NOT NULL,
    ttft_ms            REAL    NOT NULL,  -- as the user saw it
    tokens_per_second  REAL    NOT NULL,
    shared_at          INTEGER NOT NULL,
    PRIMARY KEY (node_id, request_id)
) STRICT;
