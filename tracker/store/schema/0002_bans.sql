-- Whom the operators have banned. Lifting a ban deletes its row; one that has expired stays.

CREATE TABLE bans (
    subject_id    TEXT    NOT NULL PRIMARY KEY,
    subject_kind  TEXT    NOT NULL CHECK (subject_kind IN ('user', 'node')),
    reason        TEXT    NOT NULL,  -- for the banned one to read
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,           -- NULL: for good
    decided_by    TEXT    NOT NULL   -- the operator's user id
) STRICT;
