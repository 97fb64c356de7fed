-- What was measured in the recording of a call. The outline for a page is a column of its own, because most readers do
-- not need it.
CREATE TABLE audio (
    call_id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    generation bigint NOT NULL,
    facts jsonb NOT NULL,
    waveform jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
