-- What owners want of their rigs and say on /me, and tokens that their users called back.

CREATE TABLE owner_wishes (
    node_id  TEXT    NOT NULL PRIMARY KEY,
    paused   INTEGER NOT NULL CHECK (paused IN (0, 1)),
    at       INTEGER NOT NULL,  -- grows with each wish about a rig
    by       TEXT    NOT NULL   -- the user id that was signed in
) STRICT;

ALTER TABLE tokens ADD COLUMN revoked INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1));

-- Few are: the list of those that every rig follows is made of them alone.
CREATE INDEX tokens_revoked ON tokens (expires_at) WHERE revoked = 1;
