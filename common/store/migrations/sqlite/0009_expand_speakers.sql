-- What people said about the speakers of a call. The transcript stays as it was made, and this is laid over it whenever
-- it is read.
CREATE TABLE speaker_corrections (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    corrections TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
