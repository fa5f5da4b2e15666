-- Which descriptors were accepted, in order, each hash over all before it: see
-- protocol/descriptor_log.py. its functions are lent to SQL by migrations.py as
-- log_…(), and nothing that stays in the database needs them.

CREATE TABLE descriptor_log (
    position         INTEGER NOT NULL PRIMARY KEY,  -- the entry's index: 1, 2, 3, …
    node_id          TEXT    NOT NULL,  -- no foreign key: the log outlives what may have to be deleted
    seq              INTEGER NOT NULL,
    descriptor_hash  TEXT    NOT NULL,
    listed_at        INTEGER NOT NULL,
    hash             TEXT    NOT NULL
) STRICT;

-- What was listed before there was a log, in the order in which it came: rows of `descriptors` were
-- never deleted, so their rowids grow.
INSERT INTO descriptor_log
    SELECT row_number() OVER (ORDER BY rowid), node_id, seq, log_descriptor_hash(signed),
           published_at, ''
    FROM descriptors;

WITH RECURSIVE chain (position, hash) AS (
    SELECT 0, log_genesis_hash()
    UNION ALL
    SELECT entry.position,
           log_entry_hash(chain.hash, entry.position, entry.node_id, entry.seq,
                          entry.descriptor_hash, entry.listed_at)
    FROM chain JOIN descriptor_log AS entry ON entry.position = chain.position + 1
)
UPDATE descriptor_log SET hash = chain.hash FROM chain
    WHERE chain.position = descriptor_log.position;

CREATE TRIGGER descriptor_log_is_not_changed BEFORE UPDATE ON descriptor_log
BEGIN SELECT RAISE(ABORT, 'the descriptor log is only appended to'); END;

CREATE TRIGGER descriptor_log_is_not_cut BEFORE DELETE ON descriptor_log
BEGIN SELECT RAISE(ABORT, 'the descriptor log is only appended to'); END;
