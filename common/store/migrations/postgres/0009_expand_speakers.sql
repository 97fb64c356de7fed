-- What people said about the speakers of a call. The transcript stays as it was made, and this is laid over it whenever
-- it is read.
CREATE TABLE speaker_corrections (
    call_id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    corrections jsonb NOT NULL,
    updated_at timestamptz NOT NULL
);
