-- What became of a call's recording at each provider of speech to text. Tries that ended the same way share a row.
CREATE TABLE speech_attempts (
    call_id uuid NOT NULL,
    generation bigint NOT NULL,
    provider text NOT NULL,
    outcome text NOT NULL,
    workspace uuid NOT NULL,
    error_code text,
    model text,
    audio_ms bigint,
    cost_usd double precision,
    duration_ms bigint NOT NULL,
    tries bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (call_id, generation, provider, outcome)
);

-- How much audio was transcribed for the money. Absent where a model read text.
ALTER TABLE usage ADD COLUMN audio_ms bigint;
CREATE INDEX usage_by_time ON usage (workspace, created_at);
