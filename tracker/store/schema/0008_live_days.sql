-- In how many hours of a day a rig gave a good answer: what a rig's page shows of the last months.
CREATE TABLE live_days (
    node_id  TEXT    NOT NULL,
    day      INTEGER NOT NULL,  -- days since 1970-01-01
    hours    INTEGER NOT NULL,  -- 1 to 24; a day without any has no row
    PRIMARY KEY (node_id, day)
) STRICT;

CREATE INDEX live_days_by_age ON live_days (day);

-- The days that were closed before there was this table stand in the ledger. What is too old is
-- forgotten when the next day is closed; a rig that was deleted with its owner isn't brought back.
INSERT OR IGNORE INTO live_days
SELECT json_extract(line, '$.node_id'), json_extract(line, '$.day'), json_extract(line, '$.live_hours')
FROM (SELECT CAST(entry AS TEXT) AS line FROM ledger)
WHERE json_extract(line, '$.kind') = 'uptime'
  AND json_extract(line, '$.live_hours') > 0
  AND json_extract(line, '$.node_id') IN (SELECT node_id FROM nodes);
