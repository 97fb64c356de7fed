-- How much work each stage had, minute by minute. A row of 600 seconds holds the worst of its ten minutes. The rows of one
-- minute are written by the first process that comes, and old rows are removed.
CREATE TABLE queue_samples (
    stage TEXT NOT NULL,
    span_s INTEGER NOT NULL,
    at INTEGER NOT NULL,
    depth INTEGER,
    consumers INTEGER,
    due INTEGER NOT NULL,
    later INTEGER NOT NULL,
    running INTEGER NOT NULL,
    parked INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    oldest_due_ms INTEGER NOT NULL,
    PRIMARY KEY (span_s, at, stage)
) STRICT;

-- What a process is. All three are empty for a process that does not say so.
ALTER TABLE instances ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN roles TEXT NOT NULL DEFAULT '';

-- What was tried at providers of speech to text today.
CREATE INDEX speech_attempts_by_time ON speech_attempts (workspace, last_at);
