-- Tuning notes: texts with versions, and who got what they say. Times are Unix seconds, UTC.

CREATE TABLE notes (
    note_id     TEXT    NOT NULL,
    version     INTEGER NOT NULL,  -- 1, 2, 3, …; the highest is shown
    author_id   TEXT    NOT NULL,
    node_id     TEXT    NOT NULL,  -- the rig it is about
    signed      TEXT    NOT NULL,  -- by the author, byte for byte as it came
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (note_id, version)
) STRICT;

CREATE INDEX notes_by_node ON notes (node_id);

CREATE TABLE reproductions (
    note_id     TEXT    NOT NULL,
    user_id     TEXT    NOT NULL,
    version     INTEGER NOT NULL,  -- the one that was tried
    signed      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (note_id, user_id)
) STRICT;
