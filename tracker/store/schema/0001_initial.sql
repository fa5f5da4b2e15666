-- Rigs, every descriptor they were listed with, and the tokens issued for them.
-- Times are Unix seconds, UTC. Ids are hashes of keys: n1… a rig, u1… a user.

CREATE TABLE descriptors (
    node_id       TEXT    NOT NULL,
    seq           INTEGER NOT NULL,  -- the owner's counter; the highest one is listed
    signed        BLOB    NOT NULL,  -- JSON with two signatures, byte for byte as published
    published_at  INTEGER NOT NULL,
    PRIMARY KEY (node_id, seq)
) STRICT;

CREATE TABLE nodes (
    node_id           TEXT    NOT NULL PRIMARY KEY,
    seq               INTEGER NOT NULL,  -- the descriptor that is listed now
    listed_at         INTEGER NOT NULL,  -- when the rig was first published
    status            TEXT    NOT NULL,  -- a NodeStatus of protocol/wire.py
    queue_active      INTEGER,           -- requests running at the last good answer
    queue_waiting     INTEGER,           -- requests waiting at the last good answer
    queue_max_active  INTEGER,           -- requests that may run at once; the three are NULL together
    checked_at        INTEGER,           -- the last look; NULL before the first
    last_seen_at      INTEGER,           -- the last good answer; NULL before the first
    misses            INTEGER NOT NULL,  -- looks in a row without a good answer
    FOREIGN KEY (node_id, seq) REFERENCES descriptors (node_id, seq)
) STRICT;

CREATE TABLE tokens (
    jti         TEXT    NOT NULL PRIMARY KEY,
    user_id     TEXT    NOT NULL,
    node_id     TEXT    NOT NULL,
    sub         TEXT    NOT NULL,  -- the user's pseudonym at that rig
    issued_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX tokens_by_user ON tokens (user_id, issued_at);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);
