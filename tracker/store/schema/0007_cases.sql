-- Reports, the cases they join, what operators decided, and who appealed. Times are Unix seconds, UTC.

CREATE TABLE cases (
    case_id       TEXT    NOT NULL PRIMARY KEY,
    subject_kind  TEXT    NOT NULL CHECK (subject_kind IN ('node', 'note', 'user', 'reply')),
    subject_id    TEXT    NOT NULL,  -- '' once anonymised
    category      TEXT    NOT NULL,  -- of the gravest report
    severity      INTEGER NOT NULL,
    reports       INTEGER NOT NULL,  -- how many joined it
    opened_at     INTEGER NOT NULL,
    due_at        INTEGER NOT NULL,  -- of the most urgent report
    closed_at     INTEGER            -- NULL: open
) STRICT;

CREATE UNIQUE INDEX cases_open ON cases (subject_kind, subject_id) WHERE closed_at IS NULL;
CREATE INDEX cases_by_urgency ON cases (severity DESC, due_at, case_id) WHERE closed_at IS NULL;
CREATE INDEX cases_by_subject ON cases (subject_id, opened_at);

CREATE TABLE reports (
    report_id     TEXT    NOT NULL PRIMARY KEY,  -- a hash of the form's id
    case_id       TEXT    NOT NULL REFERENCES cases (case_id),
    ticket_hash   TEXT    NOT NULL UNIQUE,  -- the ticket itself is known to its bearer only
    subject_kind  TEXT    NOT NULL,
    subject_id    TEXT    NOT NULL,
    category      TEXT    NOT NULL,
    reason        TEXT,              -- this and the next four: NULL once anonymised
    evidence      TEXT,
    name          TEXT,
    email         TEXT,
    claim         TEXT,              -- of a copyright notice, JSON
    language      TEXT    NOT NULL,
    reporter_id   TEXT,              -- whose key signed it; mostly nobody's
    trusted       INTEGER NOT NULL,  -- 1: a trusted notifier's
    received_at   INTEGER NOT NULL,
    due_at        INTEGER NOT NULL
) STRICT;

CREATE INDEX reports_by_case ON reports (case_id, received_at);
CREATE INDEX reports_by_time ON reports (received_at);
CREATE INDEX reports_by_subject ON reports (subject_id);
CREATE INDEX reports_by_reporter ON reports (reporter_id) WHERE reporter_id IS NOT NULL;

CREATE TABLE decisions (
    decision_id    TEXT    NOT NULL PRIMARY KEY,
    case_id        TEXT    REFERENCES cases (case_id),  -- NULL: nobody had reported it
    target_kind    TEXT    NOT NULL CHECK (target_kind IN ('node', 'note', 'user', 'network')),
    target_id      TEXT    NOT NULL,  -- '' once anonymised, as are the reasons
    action         TEXT    NOT NULL CHECK (action IN ('dismiss', 'limit', 'hide', 'suspend', 'ban')),
    category       TEXT,              -- the case's at that time
    ground         TEXT    NOT NULL CHECK (ground IN ('law', 'terms')),
    rule           TEXT    NOT NULL,
    reason         TEXT    NOT NULL,  -- for the affected one to read
    decided_by     TEXT    NOT NULL,
    decided_at     INTEGER NOT NULL,
    expires_at     INTEGER,           -- NULL: for good
    automated      INTEGER NOT NULL,  -- 1: a trusted notifier's word, until a person decides
    undone_at      INTEGER,
    undone_by      TEXT,
    undone_reason  TEXT
) STRICT;

CREATE INDEX decisions_by_target ON decisions (target_id, decided_at);
CREATE INDEX decisions_by_case ON decisions (case_id, decided_at);
CREATE INDEX decisions_by_time ON decisions (decided_at);

CREATE TABLE appeals (
    appeal_id       TEXT    NOT NULL PRIMARY KEY,
    decision_id     TEXT    NOT NULL REFERENCES decisions (decision_id),
    by              TEXT    NOT NULL CHECK (by IN ('affected', 'reporter')),
    appellant       TEXT    NOT NULL,  -- the affected one's user id, or the report's id; the
                                       -- appeal's own id once anonymised
    text            TEXT,              -- NULL once anonymised, as is the next
    counter_notice  TEXT,              -- JSON
    received_at     INTEGER NOT NULL,
    upheld          INTEGER,           -- NULL: open
    answered_by     TEXT,
    answered_at     INTEGER,
    answer          TEXT,
    same_reviewer   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (decision_id, by, appellant)
) STRICT;

CREATE INDEX appeals_open ON appeals (decision_id) WHERE answered_at IS NULL;
CREATE INDEX appeals_by_time ON appeals (received_at);
CREATE INDEX appeals_by_appellant ON appeals (appellant);

CREATE TABLE holds (
    case_id   TEXT    NOT NULL PRIMARY KEY REFERENCES cases (case_id),
    subjects  TEXT    NOT NULL,  -- JSON array of ids whose rows stay
    by        TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    until     INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
    position  INTEGER NOT NULL PRIMARY KEY,  -- 0, 1, 2, …
    entry     BLOB    NOT NULL,  -- canonical JSON, see domain/audit_log.py
    hash      BLOB    NOT NULL
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;

CREATE TRIGGER audit_is_not_cut BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END;

-- Browsers in which somebody is signed in.
CREATE TABLE sessions (
    token_hash  TEXT    NOT NULL PRIMARY KEY,  -- the cookie itself is known to the browser only
    user_id     TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    used_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_by_user ON sessions (user_id);

-- Whoever asks for their data is answered without reading whole tables.
CREATE INDEX tokens_by_node ON tokens (node_id);
CREATE INDEX receipts_by_user ON receipts (user_id);
CREATE INDEX timings_by_account ON timings (account);
CREATE INDEX notes_by_author ON notes (author_id);
CREATE INDEX reproductions_by_user ON reproductions (user_id);
CREATE INDEX descriptor_log_by_node ON descriptor_log (node_id);

-- Bans become decisions like any other, each with a case of its own, so that it can be appealed.
CREATE TEMP TABLE old_bans AS SELECT lower(hex(randomblob(9))) AS id, * FROM bans;

INSERT INTO cases
    SELECT 'ban-' || id, subject_kind, subject_id, 'terms', 1, 0, created_at, created_at, created_at
    FROM old_bans;

INSERT INTO decisions
    SELECT 'ban-' || id, 'ban-' || id, subject_kind, subject_id,
           CASE WHEN expires_at IS NULL THEN 'ban' ELSE 'suspend' END, NULL, 'terms', '', reason,
           decided_by, created_at, expires_at, 0, NULL, NULL, NULL
    FROM old_bans;

DROP TABLE old_bans;
DROP TABLE bans;
