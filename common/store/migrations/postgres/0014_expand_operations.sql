-- How much work each stage had, minute by minute. A row of 600 seconds holds the worst of its ten minutes. The rows of one
-- minute are written by the first process that comes, and old rows are removed.
CREATE TABLE queue_samples (
    stage text NOT NULL,
    span_s bigint NOT NULL,
    at timestamptz NOT NULL,
    depth bigint,
    consumers bigint,
    due bigint NOT NULL,
    later bigint NOT NULL,
    running bigint NOT NULL,
    parked bigint NOT NULL,
    dead bigint NOT NULL,
    oldest_due_ms bigint NOT NULL,
    PRIMARY KEY (span_s, at, stage)
);

-- What a process is. All three are empty for a process that does not say so.
ALTER TABLE instances ADD COLUMN host text NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN version text NOT NULL DEFAULT '';
ALTER TABLE instances ADD COLUMN roles text NOT NULL DEFAULT '';

-- What was tried at providers of speech to text today.
CREATE INDEX speech_attempts_by_time ON speech_attempts (workspace, last_at);
