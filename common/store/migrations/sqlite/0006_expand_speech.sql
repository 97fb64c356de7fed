-- What became of a call's recording at each provider of speech to text. Tries that ended the same way share a row.
CREATE TABLE speech_attempts (
    call_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    provider TEXT NOT NULL,
    outcome TEXT NOT NULL,
    workspace BLOB NOT NULL,
    error_code TEXT,
    model TEXT,
    audio_ms INTEGER,
    cost_usd REAL,
    duration_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (call_id, generation, provider, outcome)
) STRICT;

-- How much audio was transcribed for the money. Absent where a model read text.
ALTER TABLE usage ADD COLUMN audio_ms INTEGER;
CREATE INDEX usage_by_time ON usage (workspace, created_at);
